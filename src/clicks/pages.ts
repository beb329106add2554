/**
 * The pages a visitor may see instead of a shop: small, in Chinese, complete in themselves (nothing is loaded, nothing runs), readable
 * in the dark. Every text is a constant of ours; nothing of the request is ever shown.
 */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

import type { VisitorPages } from '../http/visitor-pages.ts';

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1d1d1f;--soft:#6e6e73;--line:#e5e5ea;--back:#f5f5f7}
@media (prefers-color-scheme:dark){:root{--paper:#1c1c1e;--ink:#f5f5f7;--soft:#a1a1a6;--line:#38383a;--back:#000}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:24px;background:var(--back);color:var(--ink);
font:16px/1.7 system-ui,-apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;-webkit-text-size-adjust:100%}
main{width:100%;max-width:26rem;padding:40px 28px;background:var(--paper);border:1px solid var(--line);border-radius:16px;text-align:center}
svg{width:56px;height:56px;color:var(--soft)}
h1{margin:16px 0 8px;font-size:1.375rem;line-height:1.35;font-weight:600}
p{margin:0;color:var(--soft);overflow-wrap:anywhere;text-wrap:balance}
p+p{margin-top:20px}
a{color:inherit}`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** As strict as the server's own policy, but for the one style above. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const BROKEN_LINK =
  '<path d="M10 14 7 17a3.5 3.5 0 0 1-5-5l3-3M14 10l3-3a3.5 3.5 0 0 1 5 5l-3 3M9 3l1 3M3 9l3 1M15 21l-1-3M21 15l-3-1"/>';
const CLOCK = '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 3"/>';
const BAG = '<path d="M5 8h14l1 12H4L5 8ZM9 11V7a3 3 0 0 1 6 0v4"/>';
const LINK =
  '<path d="M10 14a4 4 0 0 1 0-6l3-3a4 4 0 0 1 6 6l-1.5 1.5M14 10a4 4 0 0 1 0 6l-3 3a4 4 0 0 1-6-6l1.5-1.5"/>';

function page(content: { title: string; icon: string; body: string }): string {
  return `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<meta name="format-detection" content="telephone=no">
<title>${content.title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${content.icon}</svg>
<h1>${content.title}</h1>
${content.body}
</main>
</body>
</html>
`;
}

const NOT_FOUND = page({
  title: '没有找到这个链接',
  icon: BROKEN_LINK,
  body: '<p>链接可能输入有误。请对照视频或简介，核对每一个字母和数字后再试。</p>',
});

const PAUSED = page({
  title: '推广暂停中',
  icon: CLOCK,
  body: '<p>这件商品的推广暂时停止了，请稍后再来，或看看达人的其他推荐。</p>',
});

const GONE = page({
  title: '商品已下架',
  icon: BAG,
  body: '<p>这个链接推荐的商品已经停止推广，看看达人的其他推荐吧。</p>',
});

const UNAVAILABLE = page({
  title: '暂时无法打开',
  icon: CLOCK,
  body: '<p>服务正在恢复，请过几秒再打开一次。链接仍然有效。</p>',
});

const REFUSED = page({
  title: '无法打开',
  icon: BROKEN_LINK,
  body: '<p>请求有误，请回到视频或简介，重新点开链接。</p>',
});

const LANDING = page({
  title: '带货 daihuo',
  icon: LINK,
  body: '<p>达人推广短链与佣金结算服务。打开达人分享的链接，即可前往商品页面。</p><p><a href="/docs">接口文档</a></p>',
});

function sendPage(reply: FastifyReply, status: number, html: string): void {
  void reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('content-security-policy', POLICY)
    .type('text/html; charset=utf-8')
    .send(html);
}

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
