import type { PAGE_ICONS, Language } from '../http/visitor-page.ts';

/** HTML constants; `intro` stands above a form, `outro` below it. */
interface PageText {
  title: string;
  intro: string;
  outro: string;
}

export type PageName = 'check' | 'landing' | 'paused' | 'gone' | 'limited' | 'unavailable' | 'refused';

/** The texts of every page, in both languages. */
export const PAGE_TEXTS: Readonly<
  Record<PageName, Readonly<Record<Language, PageText>> & { icon: keyof typeof PAGE_ICONS }>
> = {
  check: {
    icon: 'brokenLink',
    zh: {
      title: '没有找到这个链接',
      intro: '<p>请对照视频或简介，核对每一个字母和数字，改好后再打开。</p>',
      outro:
        '<p>七位短码里没有数字 0、1，也没有字母 i、l、o、u。看着像 0 或 o 的，可能是 q、d 或 9；像 1、l 或 i 的，可能是 j 或 7；像 u 的，可能是 v。大小写都可以。</p>',
    },
    en: {
      title: 'No such link',
      intro: '<p>Please compare each letter and digit with the video or bio, mend it here and open it again.</p>',
      outro:
        '<p>Codes of seven characters have no digit 0 or 1 and no letter i, l, o or u. What looks like 0 or o may be q, d or 9; like 1, l or i may be j or 7; like u may be v. Capitals or not makes no difference.</p>',
    },
  },
  landing: {
    icon: 'link',
    zh: {
      title: '带货 daihuo',
      intro: '<p>输入视频里的短码，前往达人推荐的商品。</p>',
      outro: '<p>达人推广短链与佣金结算服务 · <a href="/docs">接口文档</a></p>',
    },
    en: {
      title: 'daihuo 带货',
      intro: '<p>Type the code from the video to go to the product.</p>',
      outro: '<p>Short links and commissions for influencers · <a href="/docs">API documentation</a></p>',
    },
  },
  paused: {
    icon: 'clock',
    zh: {
      title: '推广暂停中',
      intro: '<p>这件商品的推广暂时停止了，请稍后再来，或看看达人的其他推荐。</p>',
      outro: '',
    },
    en: { title: 'Paused', intro: '<p>This promotion is paused for now. Please come back later.</p>', outro: '' },
  },
  gone: {
    icon: 'bag',
    zh: {
      title: '商品已下架',
      intro: '<p>这个链接推荐的商品已经停止推广，看看达人的其他推荐吧。</p>',
      outro: '',
    },
    en: { title: 'No longer on sale', intro: '<p>The product of this link is not offered any more.</p>', outro: '' },
  },
  limited: {
    icon: 'clock',
    zh: {
      title: '请稍等片刻',
      intro: '<p>刚才输入的短码有很多不存在。请核对视频里的短码，过一会儿再试；正确的链接不受影响。</p>',
      outro: '',
    },
    en: {
      title: 'One moment, please',
      intro:
        '<p>Many codes that do not exist were tried from your network. Please check the code and try again shortly.</p>',
      outro: '',
    },
  },
  unavailable: {
    icon: 'clock',
    zh: {
      title: '暂时无法打开',
      intro: '<p>服务正在恢复，请过几秒再打开一次。链接仍然有效。</p>',
      outro: '',
    },
    en: {
      title: 'Not available right now',
      intro: '<p>The service is recovering. Please open the link again in a few seconds; it is still valid.</p>',
      outro: '',
    },
  },
  refused: {
    icon: 'brokenLink',
    zh: {
      title: '无法打开',
      intro: '<p>请求有误，请回到视频或简介，重新点开链接。</p>',
      outro: '',
    },
    en: {
      title: 'This cannot be opened',
      intro: '<p>The request is faulty. Please go back to the video or bio and open the link again.</p>',
      outro: '',
    },
  },
};
