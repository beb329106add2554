/**
 * The app, the system and the kind of device of a visitor, from the user agent. Patterns match whole tokens, so `MQQBrowser/` is not QQ, and an
 * app whose name contains another app's name is not that app. Source: the corpus in test/fixtures/user-agents.
 */
import type { VisitorPlace } from '../core/clicks/visitor-place.ts';
import type { App, Device, Os } from '../core/vocabulary.ts';

/** Client hints: only Chromium sends them, over https. Texts of the headers `sec-ch-ua-mobile` and `sec-ch-ua-platform`. */
export interface ClientHints {
  mobile?: string | undefined;
  platform?: string | undefined;
}

/** No browser sends a longer text; cutting it limits the work. */
const MAX_USER_AGENT_LENGTH = 1024;

/**
 * The first match counts. Alibaba's apps come first because they carry tokens of other web views; WeChat's work edition comes before WeChat
 * because its agent names both.
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

/** Browsers of phone makers, on Android only. When they request desktop pages, their agent is a desktop's. */
const PHONE_MAKERS_BROWSER = /(?<!\w)(?:MiuiBrowser|HeyTapBrowser|VivoBrowser)\//i;

/**
 * The order matters: WeChat's desktop programs show mini programs with an iPhone's agent. HarmonyOS also names Android (up to version 4), Linux,
 * or Windows (for desktop pages); Android also names Linux.
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

/** A tablet, by its name or by the model number of Huawei's tablets without a phone. */
const TABLET = /(?<!\w)(?:iPad|Tablet|Pad|[A-Z]{3}\d?K?-W\d{2})(?!\w)/i;
const MOBILE = /(?<!\w)(?:Mobile|Phone)(?!\w)/i;
/** A computer with HarmonyOS NEXT. */
const HARMONY_DESKTOP = /\((?:PC|2in1)[;)]|OHOS x86_64/i;

/** `sec-ch-ua-platform` of systems that only phones and tablets have. */
const HINTED_MOBILE_OS: ReadonlyMap<string, Os> = new Map([
  ['"Android"', 'android'],
  ['"HarmonyOS"', 'harmonyos'],
  ['"iOS"', 'ios'],
]);

/**
 * The place that a user agent names, refined by client hints where there are any. App `other` is a plain browser or an unknown app.
 *
 * An iPad that requests desktop pages, the default of iPads, has a Macintosh's agent. Only a script could detect its touch screen, so it counts
 * as a desktop. Without hints the same text always gives the same answer, so callers may cache it.
 */
export function recogniseApp(userAgent: string | undefined, hints?: ClientHints): VisitorPlace {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT_LENGTH);
  const app = APP_TOKENS.find(({ token }) => token.test(text))?.app ?? 'other';
  const os = SYSTEM_TOKENS.find(({ token }) => token.test(text))?.os ?? 'other';
  const place: VisitorPlace = { app, os, device: deviceOf(text, os) };
  return hints === undefined ? place : withHints(place, hints);
}

/**
 * A place refined by client hints. Returns the same object where the hints add nothing, which is nearly always.
 *
 * Hints reveal phones that request desktop pages, and phones whose agent names no system. A mobile system in the agent outranks the hint, because
 * HarmonyOS up to version 4 hints Android.
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
    // On tablets Chromium omits the word Mobile of `Mobile Safari/`; other programs never write `Mobile Safari/`.
    return / Safari\//i.test(text) && !PHONE_MAKERS_BROWSER.test(text) ? 'tablet' : 'phone';
  }
  return 'desktop';
}
