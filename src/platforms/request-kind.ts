/**
 * Whether a person made a request through a link. Every request is recorded; only `counted` ones count. All visitors get the same content:
 * another page for machines is cloaking, for which platforms ban domains.
 */
import { isbot } from 'isbot';
import type { Verdict } from '../core/vocabulary.ts';

/** The verdicts that the request alone gives. The worker decides `repeat`, the redirect `inactive`. */
export type RequestKind = Exclude<Verdict, 'repeat' | 'inactive'>;

/** A program that fetches, by its user agent. */
export type Machine = Extract<Verdict, 'scanner' | 'preview' | 'bot'>;

export interface RequestFacts {
  method: string | undefined;
  /** The result of `machineOf`. */
  machine: Machine | undefined;
  /** The headers of browsers that prefetch. */
  purpose?: string | undefined;
  xPurpose?: string | undefined;
  secPurpose?: string | undefined;
  xMoz?: string | undefined;
}

const MAX_USER_AGENT_LENGTH = 1024;

/**
 * Douyin fetches each pasted link with two fixed user agents. All three tokens must match, because people use phones of these models with other
 * versions. DingTalk checks links with an agent of its own, different from the one for its cards.
 */
const SCANNERS: readonly RegExp[][] = [
  [/\bHD1900\b/, /\baweme_230400\b/, /\bWebView\/075113004008\b/],
  [/\bPFFM10\b/, /\baweme_250000\b/, /\bTTWebView\/0881130048402\b/],
  [/\bDingTalkBot-SecurityService\b/i],
];

/** Messengers and social networks that fetch a page for a card. In-app browsers of the same names (`Lark/7`, `Line/14`) are people's. */
const PREVIEW =
  /facebookexternalhit|facebot|facebookcatalog|meta-externalfetcher|twitterbot|slackbot|slack-imgproxy|discordbot|telegrambot|linkedinbot|whatsapp\/|skypeuripreview|microsoftpreview|bingpreview|pinterest(?:bot|\/0\.)|redditbot|vkshare|viber|line-poker|linespider|kakaotalk-scrap|snap url preview|embedly|iframely|mastodon\/|cardyb|(?:dingtalk|wecom|wxwork|wechat|weixin|lark|feishu|qq)[\w-]{0,20}(?:bot|spider|preview|url2img|unfurl)|link-?preview/i;

/** Programs that fetch. `isbot` knows them too; they are listed here so that the rule does not depend on its list. */
const PROGRAM =
  /^(?:curl|wget|go-http-client|okhttp|java|python-requests|python-urllib|node-fetch|axios|undici|apache-httpclient)\b/i;

/**
 * Words of Chinese apps and browsers that `isbot` mistakes for a bot's. They are removed before it reads the text, so that a real bot's word
 * elsewhere in the text still counts. Each occurs in people's agents of the corpus (test/fixtures/user-agents). Without this list every visitor
 * from Taobao's and Tmall's own apps is a bot, because their download channel looks like an e-mail address.
 */
const PEOPLE_WORDS = new RegExp(
  [
    String.raw`(?<!\w)(?:NewsArticle|NewsLite|NewsApp|qqnews|TencentNews|SohuNews|ifengnews)(?:\/[\w.]+)?`,
    String.raw`\(News(?:Lite)? [\d. ]+\)`,
    String.raw`(?<!\w)(?:SogouMSE|SogouMobileBrowser|SogouSearch|SogouInput)(?:\/[\w.]+)?`,
    // `600000@taobao_android_10.48.30`: a download channel.
    String.raw`@[a-z]+_(?:android|iphone|ipad)_[\d.]+`,
    // Free text of the apps: window sizes with `|`, the app's store, the name of a device or process, a serial number.
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
 * The machine that a user agent names, if any. A missing user agent is a machine's. The same text always gives the same answer, so callers may
 * cache it.
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
 * A HEAD is never a visit. Machines come before `prefetch`: a prefetch comes from a person's browser and its click id may pay; a machine's click
 * id needs a review.
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
  // Very few requests have one of them.
  if (purpose === undefined && xPurpose === undefined && secPurpose === undefined && xMoz === undefined) return false;
  return [purpose, xPurpose, secPurpose, xMoz].some((value) =>
    /\b(?:prefetch|prerender|preview|instant)\b/i.test(value ?? ''),
  );
}
