/**
 * Whether a request through a link is a person's. Everything is recorded whatever the answer; only `counted` counts. The visitor gets
 * the same content in every case: showing machines another page is cloaking, and gets domains banned.
 */
import { isbot } from 'isbot';

/** What can be known from the request alone; `repeat` is decided later, by the worker. */
export type RequestKind = 'counted' | 'head' | 'prefetch' | 'preview' | 'bot' | 'scanner';

/** A program that fetches, by its user agent. */
export type Machine = 'scanner' | 'preview' | 'bot';

export interface RequestFacts {
  method: string | undefined;
  /** As `machineOf` reads the user agent. */
  machine: Machine | undefined;
  /** Headers by which browsers say that they fetch ahead. */
  purpose?: string | undefined;
  xPurpose?: string | undefined;
  secPurpose?: string | undefined;
  xMoz?: string | undefined;
}

const MAX_USER_AGENT_LENGTH = 1024;

/**
 * Douyin fetches each pasted link with two frozen agents. All three tokens must be there: phones of these models are in people's
 * hands too, with other versions. DingTalk checks links with an agent of its own, apart from the one that draws its cards.
 */
const SCANNERS: readonly RegExp[][] = [
  [/\bHD1900\b/, /\baweme_230400\b/, /\bWebView\/075113004008\b/],
  [/\bPFFM10\b/, /\baweme_250000\b/, /\bTTWebView\/0881130048402\b/],
  [/\bDingTalkBot-SecurityService\b/i],
];

/** Messengers and social networks that fetch a page to draw a card. In-app browsers of the same names (`Lark/7`, `Line/14`) are people. */
const PREVIEW =
  /facebookexternalhit|facebot|facebookcatalog|meta-externalfetcher|twitterbot|slackbot|slack-imgproxy|discordbot|telegrambot|linkedinbot|whatsapp\/|skypeuripreview|microsoftpreview|bingpreview|pinterest(?:bot|\/0\.)|redditbot|vkshare|viber|line-poker|linespider|kakaotalk-scrap|snap url preview|embedly|iframely|mastodon\/|cardyb|(?:dingtalk|wecom|wxwork|wechat|weixin|lark|feishu|qq)[\w-]{0,20}(?:bot|spider|preview|url2img|unfurl)|link-?preview/i;

/** Programs that fetch; `isbot` knows them as well, but they are named in our rules, so they do not depend on its list. */
const PROGRAM =
  /^(?:curl|wget|go-http-client|okhttp|java|python-requests|python-urllib|node-fetch|axios|undici|apache-httpclient)\b/i;

/**
 * Words of Chinese apps and browsers that `isbot` takes for a bot's. They are taken out before it looks, so that a real bot's word
 * elsewhere in the text still counts. Each stands for people in the corpus (test/fixtures/user-agents): without this list every visitor
 * from Taobao's and Tmall's own apps is a bot, because their download channel looks like an e-mail address.
 */
const PEOPLE_WORDS = new RegExp(
  [
    String.raw`(?<!\w)(?:NewsArticle|NewsLite|NewsApp|qqnews|TencentNews|SohuNews|ifengnews)(?:\/[\w.]+)?`,
    String.raw`\(News(?:Lite)? [\d. ]+\)`,
    String.raw`(?<!\w)(?:SogouMSE|SogouMobileBrowser|SogouSearch|SogouInput)(?:\/[\w.]+)?`,
    // `600000@taobao_android_10.48.30`: a download channel.
    String.raw`@[a-z]+_(?:android|iphone|ipad)_[\d.]+`,
    // Free text of the apps: window sizes with `|`, the store an app came from, a device's or process's name, a serial number.
    String.raw`(?<!\w)AlipayDefined\([^)]*\)?`,
    String.raw`(?<!\w)Channel\/(?:App Store|[^\s;)]+)`,
    String.raw`(?<!\w)Weibo \([^)]*\)`,
    String.raw`(?<!\w)Device\/\([^)]*\)`,
    String.raw`(?<!\w)Process\/\w+`,
    String.raw`(?<!\w)baiduboxapp\/\S+`,
    // The author of Bilibili's player.
    String.raw`\(bbcallen@gmail\.com\)`,
  ].join('|'),
  'gi',
);

const SPIDER = /spider|crawler|(?<!cu)bot\b/i;

/**
 * Which machine a user agent names, if any. A missing user agent is a machine's. The same text always gives the same answer, so a caller
 * may remember it.
 */
export function machineOf(userAgent: string | undefined): Machine | undefined {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT_LENGTH);
  if (SCANNERS.some((tokens) => tokens.every((token) => token.test(text)))) return 'scanner';
  if (PREVIEW.test(text)) return 'preview';
  return isMachine(text) ? 'bot' : undefined;
}

/**
 * Classifies a request by its method, agent and headers.
 *
 * A HEAD is never a visit. Then machines before `prefetch`: a prefetch is a person's browser and its click id may still pay, a machine's
 * goes to review.
 */
export function classifyRequest({ method, machine, ...headers }: RequestFacts): RequestKind {
  if (method === 'HEAD') return 'head';
  return machine ?? (isPrefetch(headers) ? 'prefetch' : 'counted');
}

function isMachine(userAgent: string): boolean {
  if (userAgent.trim() === '' || PROGRAM.test(userAgent) || SPIDER.test(userAgent)) return true;
  return isbot(userAgent.replaceAll(PEOPLE_WORDS, ''));
}

function isPrefetch({ purpose, xPurpose, secPurpose, xMoz }: Omit<RequestFacts, 'method' | 'machine'>): boolean {
  // Hardly any request has one of them.
  if (purpose === undefined && xPurpose === undefined && secPurpose === undefined && xMoz === undefined) return false;
  return [purpose, xPurpose, secPurpose, xMoz].some((value) =>
    /\b(?:prefetch|prerender|preview|instant)\b/i.test(value ?? ''),
  );
}
