import { z } from 'zod';

import { formatFenAsYuan } from '../../core/money/money.ts';
import type { Platform } from '../../core/vocabulary.ts';
import { PLATFORM_NAMES } from '../../platforms/platform.ts';

/** The platforms on which influencers post captions; not the marketplaces. */
export const CAPTION_PLATFORMS = ['douyin', 'xiaohongshu', 'wechat', 'weibo', 'kuaishou'] as const;
export type CaptionPlatform = (typeof CAPTION_PLATFORMS)[number];

/**
 * Douyin accepts far more today, but 55 characters was its limit for years and is about what the feed shows before 展开. Counted in the
 * strictest way that Douyin uses: every character is one, Latin letters, digits and blanks too, and an emoji (two UTF-16 units) is two.
 */
export const DOUYIN_CHARACTERS = 55;

/** 互联网广告管理办法 (2023), art. 9: a post with a purchase link must be marked as advertising, visibly. */
const AD = '【广告】';

export const captionKit = z
  .object({
    shortLine: z.string().meta({ description: 'the link as it is typed, without https://' }),
    speakable: z.string().meta({ description: 'the code as it is read out in Chinese, in groups' }),
    qr: z.object({
      svgUrl: z.string(),
      pngUrl: z.string().meta({ description: '512 px wide' }),
      printPngUrl: z.string().meta({ description: '1,200 px wide: 10 cm at 300 dpi' }),
    }),
    captions: z.array(z.object({ platform: z.enum(CAPTION_PLATFORMS), text: z.string() })).meta({
      description: `texts to paste, 广告 first; the one for Douyin has at most ${DOUYIN_CHARACTERS} characters`,
    }),
  })
  .meta({
    description: 'everything a video needs',
    examples: [
      {
        shortLine: 'go.example.com/k7q2m8x/v12',
        speakable: 'K 七 Q，二 M 八 X',
        qr: {
          svgUrl: 'https://go.example.com/k7q2m8x/qr.svg?tag=v12',
          pngUrl: 'https://go.example.com/k7q2m8x/qr.png?tag=v12',
          printPngUrl: 'https://go.example.com/k7q2m8x/qr.png?size=print&tag=v12',
        },
        captions: [{ platform: 'douyin', text: '【广告】手冲壶｜浏览器打开 go.example.com/k7q2m8x/v12' }],
      },
    ],
  });
export type CaptionKit = z.output<typeof captionKit>;

export interface KitOf {
  /** The origin of the link. */
  origin: string;
  code: string;
  /** In canonical spelling. */
  tag?: string | undefined;
  title: string;
  priceFen: bigint;
  platform: Platform;
}

/** The texts and pictures with which an influencer publishes a link, or a link for one video (`tag`). */
export function captionKitOf({ origin, code, tag, ...product }: KitOf): CaptionKit {
  const codeUrl = `${origin}/${code}`;
  const url = tag === undefined ? codeUrl : `${codeUrl}/${tag}`;
  const shortLine = url.slice(url.indexOf('//') + 2);
  const ofTag = tag === undefined ? '' : `tag=${tag}`;
  const facts = { ...product, title: product.title.replace(/\s+/g, ' ').trim(), url, shortLine };
  return {
    shortLine,
    speakable: speakableCode(code),
    qr: {
      svgUrl: withQuery(`${codeUrl}/qr.svg`, ofTag),
      pngUrl: withQuery(`${codeUrl}/qr.png`, ofTag),
      printPngUrl: withQuery(`${codeUrl}/qr.png`, ofTag === '' ? 'size=print' : `size=print&${ofTag}`),
    },
    captions: CAPTION_PLATFORMS.map((platform) => ({ platform, text: TEMPLATES[platform](facts) })),
  };
}

function withQuery(url: string, query: string): string {
  return query === '' ? url : `${url}?${query}`;
}

interface CaptionFacts {
  title: string;
  priceFen: bigint;
  platform: Platform;
  url: string;
  shortLine: string;
}

/** Douyin, Kuaishou and Xiaohongshu make no link of an address, so their texts show it as people type it. WeChat and Weibo do. */
const TEMPLATES: Readonly<Record<CaptionPlatform, (facts: CaptionFacts) => string>> = {
  douyin: shortCaption,
  kuaishou: shortCaption,
  xiaohongshu: ({ title, priceFen, platform, shortLine }) =>
    `${AD}${title}\n${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}，以下单页为准\n复制到浏览器打开：${shortLine}`,
  wechat: captionFor,
  weibo: ({ title, priceFen, platform, url }) =>
    `${AD}${title} ${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}（以下单页为准） ${url}`,
};

/** One line of at most `DOUYIN_CHARACTERS`. The title is cut if needed, the link never. */
function shortCaption({ title, shortLine }: CaptionFacts): string {
  const link = `浏览器打开 ${shortLine}`;
  const room = DOUYIN_CHARACTERS - `${AD}｜${link}`.length;
  const shown = cutTo(title, room);
  return shown === '' ? `${AD}${link}` : `${AD}${shown}｜${link}`;
}

/** The beginning of a text within `most` UTF-16 units, never half a character; empty where fewer than two units fit. */
function cutTo(text: string, most: number): string {
  if (text.length <= most) return text;
  if (most < 2) return '';
  return `${text
    .slice(0, most - 1)
    .toWellFormed()
    .replace(/\uFFFD$/, '')
    .trimEnd()}…`;
}

/**
 * The text that an influencer pastes below a video.
 */
export function captionFor(link: { title: string; priceFen: bigint; platform: Platform; url: string }): string {
  const { title, priceFen, platform, url } = link;
  return `${AD}${title}\n${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}，以下单页为准\n👉 ${url}`;
}

/** Digits as people read them out one by one. 1 is 幺, which does not sound like 七. */
const SPOKEN: Readonly<Record<string, string>> = {
  '0': '零',
  '1': '幺',
  '2': '二',
  '3': '三',
  '4': '四',
  '5': '五',
  '6': '六',
  '7': '七',
  '8': '八',
  '9': '九',
  '-': '横杠',
};
const GROUP = 4;

/**
 * A code as people read it out in a Chinese video: letters by their names, digits in Chinese, in groups of at most four
 * (`k7q2m8x` → `K 七 Q，二 M 八 X`). An alias of letters only is spelled in the same way.
 */
export function speakableCode(code: string): string {
  const characters = code.split('').map((character) => SPOKEN[character] ?? character.toUpperCase());
  const groups: string[] = [];
  // Grouped from the end, so that seven characters are three and four, as in telephone numbers.
  for (let end = characters.length; end > 0; end -= GROUP) {
    groups.unshift(characters.slice(Math.max(0, end - GROUP), end).join(' '));
  }
  return groups.join('，');
}
