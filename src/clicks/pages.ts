/** The pages a visitor may see instead of a shop. Every text is a constant of ours; nothing of the request is ever shown. */
import type { FastifyReply } from 'fastify';

import { sendVisitorPage as sendPage, visitorPage as page } from '../http/visitor-page.ts';
import type { VisitorPages } from '../http/visitor-pages.ts';

const NOT_FOUND = page({
  title: '没有找到这个链接',
  icon: 'brokenLink',
  body: '<p>链接可能输入有误。请对照视频或简介，核对每一个字母和数字后再试。</p>',
});

const PAUSED = page({
  title: '推广暂停中',
  icon: 'clock',
  body: '<p>这件商品的推广暂时停止了，请稍后再来，或看看达人的其他推荐。</p>',
});

const GONE = page({
  title: '商品已下架',
  icon: 'bag',
  body: '<p>这个链接推荐的商品已经停止推广，看看达人的其他推荐吧。</p>',
});

const UNAVAILABLE = page({
  title: '暂时无法打开',
  icon: 'clock',
  body: '<p>服务正在恢复，请过几秒再打开一次。链接仍然有效。</p>',
});

const REFUSED = page({
  title: '无法打开',
  icon: 'brokenLink',
  body: '<p>请求有误，请回到视频或简介，重新点开链接。</p>',
});

const LANDING = page({
  title: '带货 daihuo',
  icon: 'link',
  body: '<p>达人推广短链与佣金结算服务。打开达人分享的链接，即可前往商品页面。</p><p><a href="/docs">接口文档</a></p>',
});

/** 410: the influencer or the brand paused the link, or the product went off sale. */
export function sendGonePage(reply: FastifyReply, status: 'paused' | 'gone'): void {
  sendPage(reply, 410, status === 'paused' ? PAUSED : GONE);
}

/** 503: nobody who knows the link answers. */
export function sendUnavailablePage(reply: FastifyReply): void {
  sendPage(reply.header('retry-after', '5'), 503, UNAVAILABLE);
}

/** 200: the front door. */
export function sendLandingPage(reply: FastifyReply): void {
  sendPage(reply, 200, LANDING);
}

/** For `createServer`: what visitors see where no route is, or something failed. Unknown codes and unknown paths are alike in every byte. */
export const visitorPages: VisitorPages = {
  notFound: (_request, reply) => sendPage(reply, 404, NOT_FOUND),
  failed: (_request, reply, status) => {
    if (status === 404) sendPage(reply, 404, NOT_FOUND);
    else if (status < 500) sendPage(reply, status, REFUSED);
    else sendPage(reply, status, UNAVAILABLE);
  },
};
