/**
 * Which app and system a visitor's browser belongs to, from the user agent alone: the tokens in use today. Whole tokens are matched,
 * so that `MQQBrowser/` is not QQ and an app named after another is not the other.
 */

import type { App, Device, Os, VisitorPlace } from '../core/visitor-place.ts';

export type { App, Os } from '../core/visitor-place.ts';

/** Longer texts are no browser's; cutting them bounds the work. */
const MAX_USER_AGENT_LENGTH = 1024;

/**
 * The first that matches counts. Alibaba's apps come first because they carry tokens of others' web views, WeChat's work edition
 * before WeChat because it names both.
 */
const APPS: readonly { app: App; token: RegExp }[] = [
  { app: 'alipay', token: /(?<!\w)(?:AliApp\(AP\/|AlipayClient\/)/i },
  { app: 'taobao', token: /(?<!\w)AliApp\(TB\//i },
  { app: 'tmall', token: /(?<!\w)AliApp\(TM\//i },
  { app: 'dingtalk', token: /(?<!\w)(?:AliApp\(DingTalk\/|DingTalk\/)/i },
  { app: 'wechat_work', token: /(?<!\w)wxwork\//i },
  { app: 'wechat', token: /(?<!\w)MicroMessenger\//i },
  { app: 'qq', token: /(?<!\w)(?:QQ\/\d|V1_(?:AND|IPH)_SQ_)/i },
  { app: 'douyin_lite', token: /(?<!\w)(?:aweme_lite_\d|douyin_lite_\d|AppName\/aweme_lite(?!\w))/i },
  { app: 'douyin', token: /(?<!\w)(?:aweme_\d|AppName\/aweme(?!\w))/i },
  { app: 'toutiao', token: /(?<!\w)(?:NewsArticle|ToutiaoMicroApp)\//i },
  { app: 'kuaishou', token: /(?<!\w)(?:ksNebula\/|KsWebView\/|Kwai\/|kwai-android(?!\w))/i },
  { app: 'weibo', token: /(?<!\w)Weibo \([^)]*__weibo__|(?<=_)_weibo__\d/i },
  { app: 'xiaohongshu', token: /(?<!\w)(?:xhsdiscover|discover)\/\d/i },
  { app: 'bilibili', token: /(?<!\w)(?:BiliApp|BiliDroid|mobi_app)\//i },
  { app: 'lark', token: /(?<!\w)(?:Lark|Feishu)\//i },
  { app: 'zhihu', token: /(?<!\w)ZhihuHybrid(?!\w)/i },
];

/** HarmonyOS up to 4 also says Android, iPadOS in desktop mode says Macintosh, Android says Linux: the order decides. */
const SYSTEMS: readonly { os: Os; token: RegExp }[] = [
  { os: 'harmonyos', token: /(?<!\w)(?:OpenHarmony|HarmonyOS|ArkWeb)(?!\w)/i },
  { os: 'ios', token: /(?<!\w)(?:iPhone|iPad|iPod)(?!\w)/i },
  { os: 'android', token: /(?<!\w)Android(?!\w)/i },
  { os: 'windows', token: /(?<!\w)Windows(?!\w)/i },
  { os: 'macos', token: /(?<!\w)(?:Macintosh|Mac OS X)(?!\w)/i },
  { os: 'linux', token: /(?<!\w)(?:Linux|X11)(?!\w)/i },
];

/** Phones say so; a HarmonyOS NEXT agent names the device first. */
function deviceOf(text: string, os: Os): Device {
  if (/(?<!\w)(?:iPad|Tablet|PAD)(?!\w)/i.test(text)) return 'tablet';
  if (os === 'ios') return 'phone';
  if (os === 'android' || os === 'harmonyos') return /(?<!\w)(?:Mobile|Phone)(?!\w)/i.test(text) ? 'phone' : 'tablet';
  return 'desktop';
}

/** The app, system and device a user agent names; `other` for a plain browser or none we know. */
export function recogniseApp(userAgent: string | undefined): VisitorPlace {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT_LENGTH);
  const os = SYSTEMS.find(({ token }) => token.test(text))?.os ?? 'other';
  return { app: APPS.find(({ token }) => token.test(text))?.app ?? 'other', os, device: deviceOf(text, os) };
}
