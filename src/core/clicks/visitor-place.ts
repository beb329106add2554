/** The place of a visitor: the app whose browser it uses, the system, the kind of device. Closed lists; app and system are stored with clicks. */

export const APPS = [
  'alipay',
  'taobao',
  'tmall',
  'dingtalk',
  'wechat_work',
  'wechat',
  'qq',
  'douyin',
  'douyin_lite',
  'toutiao',
  'kuaishou',
  'weibo',
  'xiaohongshu',
  'bilibili',
  'lark',
  'zhihu',
  'other',
] as const;
/** `other` is a plain browser or an unknown app. */
export type App = (typeof APPS)[number];

export const OSES = ['ios', 'android', 'harmonyos', 'windows', 'macos', 'linux', 'other'] as const;
export type Os = (typeof OSES)[number];

export const DEVICES = ['phone', 'tablet', 'desktop'] as const;
export type Device = (typeof DEVICES)[number];

export interface VisitorPlace {
  readonly app: App;
  readonly os: Os;
  readonly device: Device;
}
