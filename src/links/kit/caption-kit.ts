import { z } from 'zod';

import { formatFenAsYuan } from '../../core/money/money.ts';
import type { Platform } from '../../core/vocabulary.ts';
import { PLATFORM_NAMES } from '../../platforms/platform.ts';
import { captionFor } from '../caption.ts';
import { speakableCode } from './speakable.ts';

/** Where captions are posted; not the marketplaces. */
export const CAPTION_PLATFORMS = ['douyin', 'xiaohongshu', 'wechat', 'weibo', 'kuaishou'] as const;
export type CaptionPlatform = (typeof CAPTION_PLATFORMS)[number];

/**
 * Douyin takes far more today, but 55 characters was its limit for years and is about what the feed shows before 展开. Counted as strictly
 * as any of its forms does: every character is one, Latin letters, digits and blanks too, and what takes two UTF-16 units (emoji) is two.
 */
export const DOUYIN_CHARACTERS = 55;

/** 互联网广告管理办法 (2023), art. 9: posts with a purchase link say so, and visibly. */
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

/** What an influencer posts and prints for a link, or for one video (`tag`). */
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

/** Links in Douyin, Kuaishou and Xiaohongshu cannot be tapped, so the address is written as it is typed; WeChat and Weibo make links of it. */
const TEMPLATES: Readonly<Record<CaptionPlatform, (facts: CaptionFacts) => string>> = {
  douyin: shortCaption,
  kuaishou: shortCaption,
  xiaohongshu: ({ title, priceFen, platform, shortLine }) =>
    `${AD}${title}\n${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}，以下单页为准\n复制到浏览器打开：${shortLine}`,
  wechat: captionFor,
  weibo: ({ title, priceFen, platform, url }) =>
    `${AD}${title} ${PLATFORM_NAMES[platform]}价 ¥${formatFenAsYuan(priceFen)}（以下单页为准） ${url}`,
};

/** One line of at most `DOUYIN_CHARACTERS`: the title is cut, the link never. */
function shortCaption({ title, shortLine }: CaptionFacts): string {
  const link = `浏览器打开 ${shortLine}`;
  const room = DOUYIN_CHARACTERS - `${AD}｜${link}`.length;
  const shown = cutTo(title, room);
  return shown === '' ? `${AD}${link}` : `${AD}${shown}｜${link}`;
}

/** The beginning of a text within `most` UTF-16 units, never half a character; empty where not even a word has room. */
function cutTo(text: string, most: number): string {
  if (text.length <= most) return text;
  if (most < 2) return '';
  return `${text
    .slice(0, most - 1)
    .toWellFormed()
    .replace(/\uFFFD$/, '')
    .trimEnd()}…`;
}
