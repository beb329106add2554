/**
 * What a link shows its visitor. An active link redirects to the shop (302) or shows the middle page first; a dead link shows what its brand
 * chose. Source of the table: docs/visitors.md, "Direct or middle page".
 */
import type { App, Device, LandingMode, Platform } from '../vocabulary.ts';
import type { VisitorPlace } from '../clicks/visitor-place.ts';

/** Replaces the table for one link. */
export interface LandingModeOverrides {
  /** Set by the brand for this link. */
  link?: LandingMode | undefined;
  /** Set for visitors from an app; an override of the brand already replaced that of the operator. */
  byApp?: Readonly<Partial<Record<App, LandingMode>>> | undefined;
}

type ModeByDevice = Readonly<Record<Device, LandingMode>>;

const DIRECT: ModeByDevice = { phone: 'direct', tablet: 'direct', desktop: 'direct' };
/** A desktop has no shop app to open, and the platform's own page sells well there. */
const PAGE_ON_PHONES: ModeByDevice = { phone: 'page', tablet: 'page', desktop: 'direct' };

/** Every app has its own row, so a new app in the vocabulary does not compile until its landing mode is decided here. */
const TAOBAO_AND_TMALL: Readonly<Record<App, ModeByDevice>> = {
  // The visitor is already inside the shop's app or its payment app, and signed in.
  taobao: DIRECT,
  tmall: DIRECT,
  alipay: DIRECT,
  // DingTalk belongs to Alibaba too, but its browser is not signed in to Taobao and cannot open the Taobao app.
  dingtalk: PAGE_ON_PHONES,
  // These apps block Taobao's pages, warn of them, or show them signed out. Copying the 淘口令 always works.
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
  // A plain browser: one tap on the page opens the app.
  other: PAGE_ON_PHONES,
};

/** Youzan shops are web pages and run natively in WeChat, so every visitor goes there directly. A new platform needs its row here. */
const MODE_BY_APP: Readonly<Record<Platform, Readonly<Record<App, ModeByDevice>> | 'direct'>> = {
  taobao: TAOBAO_AND_TMALL,
  tmall: TAOBAO_AND_TMALL,
  youzan: 'direct',
};

/**
 * The landing mode of a visit: the override of the link, else the override for the app, else the platform's table. This function runs for every
 * visit and allocates nothing.
 */
export function landingModeOf(platform: Platform, place: VisitorPlace, overrides?: LandingModeOverrides): LandingMode {
  const override = overrides?.link ?? overrides?.byApp?.[place.app];
  if (override !== undefined) return override;
  const modes = MODE_BY_APP[platform];
  return modes === 'direct' ? modes : modes[place.app][place.device];
}

/**
 * How the middle page can open the shop's app, on a tap: `scheme` (`tbopen://…`), `universal_link` (iOS, which asks before it opens a scheme),
 * `guide` (the app blocks both, so the page explains "top right, open in browser"), or `none` where there is no app to open.
 */
export type Opening = 'scheme' | 'universal_link' | 'guide' | 'none';

/** The opening that works in the visitor's app, system and device. */
export function openingOf({ app, os, device }: VisitorPlace): Opening {
  // A desktop has no shop app, and inside Taobao or Tmall it is open already. Only an override shows the page in these places.
  if (device === 'desktop' || app === 'taobao' || app === 'tmall') return 'none';
  if (app === 'wechat' || app === 'wechat_work' || app === 'qq') return 'guide';
  return os === 'ios' ? 'universal_link' : 'scheme';
}
