/**
 * Where a visitor stands, from the user agent: app, system, kind of device. Whole tokens are matched, so that `MQQBrowser/` is not QQ
 * and an app named after another is not the other. Source: the corpus in test/fixtures/user-agents.
 */
import type { VisitorPlace } from '../core/clicks/visitor-place.ts';
import type { App, Device, Os } from '../core/vocabulary.ts';

/** Client hints: only Chromium sends them, over https. Texts of the headers `sec-ch-ua-mobile` and `sec-ch-ua-platform`. */
export interface ClientHints {
  mobile?: string | undefined;
  platform?: string | undefined;
}

/** Longer texts are no browser's; cutting them bounds the work. */
const MAX_USER_AGENT_LENGTH = 1024;

/**
 * The first that matches counts. Alibaba's apps come first because they carry tokens of others' web views, WeChat's work edition
 * before WeChat because it names both.
 */
const APP_TOKENS: readonly { app: App; token: RegExp }[] = [
  { app: 'alipay', token: /(?<!\w)(?:AliApp\(AP\/|AlipayClient\/|AlipayDefined\()/i },
  { app: 'taobao', token: /(?<!\w)AliApp\(TB\//i },
  { app: 'tmall', token: /(?<!\w)AliApp\(TM\//i },
  { app: 'dingtalk', token: /(?<!\w)(?:DingTalk[/(]|dingtalk-(?:win|mac)\/)/i },
  { app: 'wechat_work', token: /(?<!\w)wxwork\//i },
  { app: 'wechat', token: /(?<!\w)MicroMessenger\//i },
  { app: 'qq', token: /(?<!\w)(?:QQ\/\d|V1_(?:AND|IPH)_SQ_)/i },
  { app: 'douyin_lite', token: /(?<!\w)(?:aweme_lite_\d|douyin_lite_\d|AppName\/aweme_lite(?!\w))/i },
  { app: 'douyin', token: /(?<!\w)(?:aweme_\d|aweme\/\d|AppName\/aweme(?!\w))/i },
  { app: 'toutiao', token: /(?<!\w)(?:NewsArticle|ToutiaoMicroApp)\//i },
  { app: 'kuaishou', token: /(?<!\w)(?:ksNebula\/|KsWebView\/|Kwai\/|kwai-android(?!\w))/i },
  { app: 'weibo', token: /(?<!\w)Weibo \([^)]*__weibo__|(?<=_)_weibo__\d/i },
  { app: 'xiaohongshu', token: /(?<!\w)(?:discover\/\d|xhsdiscover(?!\w))/i },
  { app: 'bilibili', token: /(?<!\w)(?:BiliApp|BiliDroid|bili-universal|mobi_app)\//i },
  { app: 'lark', token: /(?<!\w)(?:Lark|Feishu)\//i },
  { app: 'zhihu', token: /(?<!\w)(?:ZhihuHybrid(?!\w)|com\.zhihu\.android\/|osee2unifiedRelease\/)/i },
];

/** Browsers of phone makers, on Android only; while they ask for desktop pages, they claim to be one. */
const PHONE_MAKERS_BROWSER = /(?<!\w)(?:MiuiBrowser|HeyTapBrowser|VivoBrowser)\//i;

/**
 * WeChat's desktop programs show mini programs under an iPhone's name. HarmonyOS also says Android (up to 4), Linux, or, asked for desktop
 * pages, Windows; Android says Linux. Hence the order.
 */
const SYSTEM_TOKENS: readonly { os: Os; token: RegExp }[] = [
  { os: 'macos', token: /(?<!\w)(?:MacWechat(?!\w)|MiniProgramEnv\/Mac(?!\w))/i },
  { os: 'windows', token: /(?<!\w)(?:WindowsWechat(?!\w)|MiniProgramEnv\/Windows(?!\w))/i },
  { os: 'harmonyos', token: /(?<!\w)(?:OpenHarmony|HarmonyOS|OHOS|Hmos)(?!\w)|ArkWeb\//i },
  { os: 'ios', token: /(?<!\w)(?:iPhone|iPad|iPod)(?!\w)/i },
  { os: 'android', token: /(?<!\w)Android(?!\w)/i },
  { os: 'android', token: PHONE_MAKERS_BROWSER },
  { os: 'windows', token: /(?<!\w)Windows(?!\w)/i },
  { os: 'macos', token: /(?<!\w)(?:Macintosh|Mac OS X)(?!\w)/i },
  { os: 'linux', token: /(?<!\w)(?:Linux|X11)(?!\w)/i },
];

/** What an agent calls a tablet: by name, or by the model number of Huawei's tablets without a telephone. */
const TABLET = /(?<!\w)(?:iPad|Tablet|Pad|[A-Z]{3}\d?K?-W\d{2})(?!\w)/i;
const MOBILE = /(?<!\w)(?:Mobile|Phone)(?!\w)/i;
/** What HarmonyOS NEXT calls a computer. */
const HARMONY_DESKTOP = /\((?:PC|2in1)[;)]|OHOS x86_64/i;

/** `sec-ch-ua-platform` of systems that only phones and tablets have. */
const HINTED_MOBILE_OS: ReadonlyMap<string, Os> = new Map([
  ['"Android"', 'android'],
  ['"HarmonyOS"', 'harmonyos'],
  ['"iOS"', 'ios'],
]);

/**
 * The place a user agent names, made better by client hints where there are any. `other` is a plain browser or an app that we do not know.
 *
 * An iPad that asks for desktop pages, as iPads do by default, calls itself a Macintosh; only a script could tell by its touch screen, so
 * it counts as a desktop. Without hints the same text always gives the same answer, so a caller may remember it.
 */
export function recogniseApp(userAgent: string | undefined, hints?: ClientHints): VisitorPlace {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT_LENGTH);
  const app = APP_TOKENS.find(({ token }) => token.test(text))?.app ?? 'other';
  const os = SYSTEM_TOKENS.find(({ token }) => token.test(text))?.os ?? 'other';
  const place: VisitorPlace = { app, os, device: deviceOf(text, os) };
  return hints === undefined ? place : withHints(place, hints);
}

/**
 * A place seen through client hints: the same object where they add nothing, which is nearly always.
 *
 * They tell of phones that ask for desktop pages, and of ones whose agent names no system. A system that the agent names as a mobile one
 * stands: HarmonyOS up to 4 hints Android.
 */
export function withHints(place: VisitorPlace, { mobile, platform }: ClientHints): VisitorPlace {
  if (mobile === undefined && platform === undefined) return place;
  const hinted = platform === undefined || isMobileOs(place.os) ? undefined : HINTED_MOBILE_OS.get(platform);
  const os = hinted ?? place.os;
  const device =
    mobile === '?1' ? 'phone' : hinted !== undefined && place.device === 'desktop' ? 'tablet' : place.device;
  return os === place.os && device === place.device ? place : { app: place.app, os, device };
}

function isMobileOs(os: Os): boolean {
  return os === 'ios' || os === 'android' || os === 'harmonyos';
}

function deviceOf(text: string, os: Os): Device {
  if (os === 'windows' || os === 'macos') return 'desktop';
  if (os === 'harmonyos' && HARMONY_DESKTOP.test(text)) return 'desktop';
  if (TABLET.test(text)) return 'tablet';
  if (MOBILE.test(text) || os === 'ios') return 'phone';
  if (os === 'android' || os === 'harmonyos') {
    // Chromium leaves the word Mobile out of `Mobile Safari/` on tablets; other programs never write it.
    return / Safari\//i.test(text) && !PHONE_MAKERS_BROWSER.test(text) ? 'tablet' : 'phone';
  }
  return 'desktop';
}
