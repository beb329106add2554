/** User agents from public captures, or composed from the documented tokens of an app, with what they are. */
const ANDROID =
  'Mozilla/5.0 (Linux; Android 12; M2102J2SC Build/SKQ1.211006.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)';

/** People: app, system, user agent. */
export const PEOPLE = [
  [
    'douyin',
    'android',
    `${ANDROID} Chrome/75.0.3770.156 Mobile Safari/537.36 aweme_210600 JsSdk/1.0 NetType/4G Channel/xiaomi_1128_64 AppName/aweme app_version/21.6.0 ByteLocale/zh-CN Region/CN AppSkin/black AppTheme/dark BytedanceWebview/d8a21c6 TTWebView/0751130025454`,
  ],
  [
    'douyin',
    'ios',
    `${IPHONE} Mobile/15E148 aweme_13.6.1 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/zh Region/CN`,
  ],
  [
    'douyin',
    'android',
    `${ANDROID} Chrome/90.0.4430.91 Mobile Safari/537.36 aweme_230400 JsSdk/1.0 NetType/WIFI Channel/xiaomi_1128_64 app_version/23.4.0 ByteLocale/zh-CN`,
  ],
  [
    'douyin',
    'android',
    `${ANDROID} Chrome/90.0.4430.91 Mobile Safari/537.36 aweme_280000 Channel/news_download_feed AppName/aweme`,
  ],
  [
    'douyin_lite',
    'android',
    `${ANDROID} Chrome/88.0.4324.181 Mobile Safari/537.36 aweme_lite_120400 AppName/aweme_lite app_version/12.4.0`,
  ],
  ['douyin_lite', 'ios', `${IPHONE} Mobile/15E148 douyin_lite_290 JsSdk/2.0 NetType/WIFI`],
  [
    'toutiao',
    'android',
    `${ANDROID} Chrome/88.0.4324.181 Mobile Safari/537.36 JsSdk/2 NewsArticle/8.8.5 NetType/4g TTWebView/0881130037409`,
  ],
  [
    'toutiao',
    'android',
    `${ANDROID} Chrome/88.0.4324.181 Mobile Safari/537.36 ToutiaoMicroApp/2.50.0 PluginVersion/25009027`,
  ],
  ['wechat', 'ios', `${IPHONE} Mobile/15E148 MicroMessenger/8.0.44(0x18002c2f) NetType/WIFI Language/zh_CN`],
  [
    'wechat',
    'android',
    `${ANDROID} Chrome/107.0.5304.141 Mobile Safari/537.36 XWEB/5169 MMWEBSDK/20230805 MMWEBID/2585 MicroMessenger/8.0.42.2460(0x28002A58) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64 miniProgram/wxdec51c0e2b06cbfe`,
  ],
  [
    'wechat',
    'windows',
    `${WINDOWS} Chrome/107.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF`,
  ],
  [
    'wechat_work',
    'android',
    `${ANDROID} Chrome/107.0.5304.141 Mobile Safari/537.36 wxwork/4.1.8 MicroMessenger/7.0.1 NetType/WIFI Language/zh`,
  ],
  [
    'qq',
    'android',
    `${ANDROID} Chrome/109.0.5414.86 MQQBrowser/6.2 TBS/046905 Mobile Safari/537.36 V1_AND_SQ_9.0.0_5282_YYB_D PA QQ/9.0.0.14110 NetType/WIFI WebP/0.3.0 AppId/537194356 Pixel/1220`,
  ],
  [
    'qq',
    'ios',
    `${IPHONE} Mobile/15E148 QQ/8.9.20.614 V1_IPH_SQ_8.9.20_1_APP_A Pixel/1170 Core/WKWebView Device/Apple(iPhone 13) NetType/WIFI`,
  ],
  ['other', 'android', `${ANDROID} Chrome/109.0.5414.86 MQQBrowser/14.5 Mobile Safari/537.36`],
  [
    'weibo',
    'android',
    `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 Weibo (Xiaomi-M2102J2SC__weibo__11.1.3__android__android12)`,
  ],
  ['weibo', 'ios', `${IPHONE} Mobile/15D100 Weibo (iPhone9,1__weibo__8.2.0__iphone__os11.2.6)`],
  [
    'alipay',
    'android',
    `${ANDROID} Chrome/105.0.5195.148 MYWeb/0.11.0 UWS/3.22.2.9999 UCBS/3.22.2.9999 Mobile Safari/537.36 NebulaSDK/1.8.100112 Nebula AlipayDefined(nt:WIFI,ws:407|0|2.65) AliApp(AP/10.2.76) AlipayClient/10.2.76 Language/zh-Hans useStatusBar/true`,
  ],
  [
    'alipay',
    'ios',
    `${IPHONE} Mobile/15E148 AlipayChannelId/5136 AliApp(AP/10.5.36.6000) AlipayClient/10.5.36.6000 Language/zh-Hans`,
  ],
  [
    'taobao',
    'android',
    `${ANDROID} Chrome/80.0.3987.99 Mobile Safari/537.36 AliApp(TB/8.8.0) WindVane/8.5.0 1080X2120`,
  ],
  ['tmall', 'ios', `${IPHONE} Mobile/15E148 AliApp(TM/9.1.0) WindVane/8.4.3 750x1334`],
  [
    'dingtalk',
    'android',
    `${ANDROID} Chrome/69.0.3497.100 UWS/3.22 Mobile Safari/537.36 AliApp(DingTalk/6.0.1) com.alibaba.android.rimet/14 Channel/700159`,
  ],
  [
    'lark',
    'macos',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Lark/7.12.7 Chrome/120.0.6099.71 Safari/537.36 LarkLocale/en_US ChannelName/Lark',
  ],
  [
    'zhihu',
    'android',
    `${ANDROID} Chrome/96.0.4664.104 Mobile Safari/537.36 ZhihuHybrid com.zhihu.android/Futureve/8.30.0`,
  ],
  [
    'kuaishou',
    'android',
    `${ANDROID} Chrome/90.0.4430.226 KsWebView/1.8.90.481 (rel;r) Mobile Safari/537.36 Yoda/2.8.4 ksNebula/10.4.40`,
  ],
  ['kuaishou', 'ios', `${IPHONE} Mobile/15E148 Yoda/3.1.2 ksNebula/13.9.10 OS_PRO_BIT/64`],
  ['kuaishou', 'ios', `${IPHONE} Mobile/15E148 Kwai/10.3.10 ISLP/0 StatusHT/47`],
  ['xiaohongshu', 'ios', `${IPHONE} Mobile/15E148 discover/8.26 NetType/WiFi`],
  ['xiaohongshu', 'ios', `${IPHONE} Mobile/15E148 xhsdiscover/8.40 NetType/WiFi`],
  [
    'bilibili',
    'android',
    `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 os/android model/M2102J2SC mobi_app/android build/7760700 BiliApp/7760700`,
  ],
  ['bilibili', 'android', 'Mozilla/5.0 BiliDroid/5.44.2 (bbcallen@gmail.com) os/android model/x mobi_app/android'],
  [
    'other',
    'harmonyos',
    'Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile',
  ],
  [
    'other',
    'harmonyos',
    'Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00; HMSCore 6.13.0.302) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.88 HuaweiBrowser/14.0.5.302 Mobile Safari/537.36',
  ],
  [
    'other',
    'android',
    `${ANDROID} Chrome/97.0.4692.98 Mobile Safari/537.36 T7/13.32 SP-engine/2.70.0 baiduboxapp/13.32.0.10 (Baidu; P1 12) NABar/1.0`,
  ],
  [
    'other',
    'ios',
    `${IPHONE} Mobile/15E148 SP-engine/2.54.0 main%2F1.0 baiduboxapp/13.16.0.10 (Baidu; P2 13.7) NABar/1.0 themeUA=Theme/default`,
  ],
  ['other', 'ios', `${IPHONE} Mobile/15D100 SogouMobileBrowser/5.11.10`],
  ['other', 'android', `${ANDROID} Chrome/68.0.3440.106 Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/5.30.8`],
  [
    'other',
    'android',
    `${ANDROID} Chrome/68.0.3440.106 Mobile Safari/537.36 SogouSearch Android1.0 version3.0 AppVersion/7900`,
  ],
  [
    'other',
    'windows',
    'Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.110 Safari/537.36 SE 2.X MetaSr 1.0',
  ],
  [
    'other',
    'android',
    'Mozilla/5.0 (Linux; U; Android 12; zh-CN; M2012K11AC Build/SKQ1) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/15.2.3.1190 Mobile Safari/537.36',
  ],
  [
    'other',
    'android',
    'Mozilla/5.0 (Linux; U; Android 12; zh-CN; M2012K11AC Build/SKQ1) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 Quark/5.9.3.226 Mobile Safari/537.36',
  ],
  ['other', 'android', `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 qqnews/6.5.20 (xiaomi)`],
  ['other', 'ios', `${IPHONE} Mobile/15E148 SohuNews/6.7.1`],
  ['other', 'android', `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 XiaoMi/MiuiBrowser/15.1.8`],
  ['other', 'android', `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 HeyTapBrowser/45.9.1.1`],
  ['other', 'android', `${ANDROID} Chrome/89.0.4389.72 Mobile Safari/537.36 VivoBrowser/13.5.2.0`],
  ['other', 'windows', `${WINDOWS} Chrome/86.0.4240.198 Safari/537.36 QIHU 360SE`],
  ['other', 'windows', `${WINDOWS} Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0`],
  [
    'other',
    'macos',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  ],
  ['other', 'linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['other', 'ios', `${IPHONE} Version/16.1 Mobile/15E148 Safari/604.1`],
  [
    'other',
    'android',
    'Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/89.0.4389.72 Mobile Safari/537.36',
  ],
  ['other', 'ios', `${IPHONE} Mobile/15E148 Safari Line/14.1.0`],
  ['other', 'ios', `${IPHONE} Mobile/15E148 [Pinterest/iOS]`],
] as const;

/** Douyin's link scanners, frozen for years. */
export const SCANNER_AGENTS = [
  'Mozilla/5.0 (Linux; Android 10; HD1900 Build/QKQ1.190716.003; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/75.0.3770.156 Mobile Safari/537.36  aweme_230400 JsSdk/1.0 NetType/WIFI  AppName/aweme app_version/23.4.0 ByteLocale/zh-CN Region/CN AppSkin/white AppTheme/light BytedanceWebview/d8a21c6 WebView/075113004008',
  'Mozilla/5.0 (Linux; Android 13; PFFM10 Build/TP1A.220905.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/88.0.4324.181 Mobile Safari/537.36 aweme_250000 JsSdk/1.0 NetType/WIFI Channel/31725782a AppName/aweme app_version/25.0.0 ByteLocale/zh-CN Region/CN AppSkin/white AppTheme/light BULLET/1 BytedanceWebview/d8a21c6 TTWebView/0881130048402',
];

export const PREVIEW_AGENTS = [
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'Twitterbot/1.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0',
  'WhatsApp/2.23.20.0 A',
  'TelegramBot (like TwitterBot)',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
  'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
  'DingTalkBot-LinkService/1.0 (+https://open-doc.dingtalk.com/microapp/faquestions/ftpfeu)',
  `${WINDOWS} Chrome/63.0 Safari/537.36 DingTalkBot-LinkService/1.0`,
  'LarkUrl2Img/1.0',
  'Mozilla/5.0 (compatible; FeishuBot/1.0)',
  'Mozilla/5.0 (compatible; WeComBot-LinkPreview/1.0)',
  'facebookexternalhit/1.1;line-poker/1.0',
  'facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com',
  'Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5',
  'Mozilla/5.0 (compatible; redditbot/1.0)',
];

export const BOT_AGENTS = [
  '',
  ' ',
  'curl/8.5.0',
  'Wget/1.21',
  'Go-http-client/1.1',
  'Go-http-client/2.0',
  'python-requests/2.32',
  'okhttp/4.9.3',
  'Java/17.0.1',
  'axios/1.7.2',
  'Mozilla/5.0',
  'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
  'Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)',
  'Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)',
  'Mozilla/5.0 (compatible; YisouSpider/5.0)',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; 360Spider)',
  `${WINDOWS} HeadlessChrome/129.0.0.0 Safari/537.36`,
  `${IPHONE} Mobile/15E148 MicroMessenger/8.0.44 Baiduspider-render/2.0`,
  `${ANDROID} Chrome/88.0.4324.181 Mobile Safari/537.36 NewsArticle/8.8.5 (compatible; Bytespider)`,
  `${ANDROID} Channel/x Googlebot/2.1`,
];
