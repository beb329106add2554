/**
 * How a visitor gets from a link to the shop: sent straight on (302), or shown the middle page first. Source of the table:
 * docs/visitors.md, "Direct or middle page".
 */
import type { App, Device, LandingMode, Platform } from '../vocabulary.ts';
import type { VisitorPlace } from '../clicks/visitor-place.ts';

export type VisitWay = LandingMode;

/** The platforms a link can lead to. */
export type ShopPlatform = Platform;

export interface VisitWayOverrides {
  /** Wanted for this link. */
  link?: VisitWay | undefined;
  /** Wanted for visitors from an app; the brand's wish already stands over the operator's. */
  byApp?: Readonly<Partial<Record<App, VisitWay>>> | undefined;
}

type WayByDevice = Readonly<Record<Device, VisitWay>>;

const DIRECT: WayByDevice = { phone: 'direct', tablet: 'direct', desktop: 'direct' };
/** A desktop has no shop app to open, and the platform's own page sells well there. */
const PAGE_ON_PHONES: WayByDevice = { phone: 'page', tablet: 'page', desktop: 'direct' };

/** Every app has its row, so that an app added to the vocabulary does not compile until somebody has decided for it. */
const TAOBAO_AND_TMALL: Readonly<Record<App, WayByDevice>> = {
  // The visitor is inside the shop's app already, or in the one it is paid with, signed in.
  taobao: DIRECT,
  tmall: DIRECT,
  alipay: DIRECT,
  // Alibaba's as well, but an app for work: its browser is not signed in to Taobao and knows no way into it.
  dingtalk: PAGE_ON_PHONES,
  // Taobao's pages are blocked, warned of or shown to a stranger; copying the 淘口令 always works.
  wechat: PAGE_ON_PHONES,
  wechat_work: PAGE_ON_PHONES,
  qq: PAGE_ON_PHONES,
  douyin: PAGE_ON_PHONES,
  douyin_lite: PAGE_ON_PHONES,
  toutiao: PAGE_ON_PHONES,
  kuaishou: PAGE_ON_PHONES,
  weibo: PAGE_ON_PHONES,
  xiaohongshu: PAGE_ON_PHONES,
  bilibili: PAGE_ON_PHONES,
  lark: PAGE_ON_PHONES,
  zhihu: PAGE_ON_PHONES,
  // A plain browser, where one tap opens the app.
  other: PAGE_ON_PHONES,
};

/**
 * The way of a visit. A wish for the link goes before one for the app, and both before the table: Youzan's shops are pages of their
 * own, native in WeChat, so they are direct everywhere. It runs for every visit and allocates nothing.
 */
export function wayOf(platform: ShopPlatform, place: VisitorPlace, overrides?: VisitWayOverrides): VisitWay {
  const wanted = overrides?.link ?? overrides?.byApp?.[place.app];
  if (wanted !== undefined) return wanted;
  return platform === 'youzan' ? 'direct' : TAOBAO_AND_TMALL[place.app][place.device];
}

/**
 * How the middle page can open the shop's app, on a tap: `scheme` (`tbopen://…`), `universal_link` (iOS, which asks before a scheme), `guide`
 * (the app blocks both: "top right, open in browser"), or `none`, where there is nothing to open.
 */
export type Opening = 'scheme' | 'universal_link' | 'guide' | 'none';

/** The opening that works where the visitor is. */
export function openingOf({ app, os, device }: VisitorPlace): Opening {
  // No shop app on a desktop; and whoever is in it already needs no opening. A page there is somebody's own wish.
  if (device === 'desktop' || app === 'taobao' || app === 'tmall') return 'none';
  if (app === 'wechat' || app === 'wechat_work' || app === 'qq') return 'guide';
  return os === 'ios' ? 'universal_link' : 'scheme';
}
