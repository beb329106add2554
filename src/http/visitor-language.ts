import type { IncomingMessage } from 'node:http';

export const PAGE_LANGUAGES = ['zh', 'en'] as const;
export type PageLanguage = (typeof PAGE_LANGUAGES)[number];

/** Browsers send some dozens of characters. */
const MAX_HEADER_CHARACTERS = 500;

/** The language a visitor's pages are in: Chinese, unless `Accept-Language` puts English before Chinese. */
export function languageOf({ headers }: Pick<IncomingMessage, 'headers'>): PageLanguage {
  const wishes = (headers['accept-language'] ?? '')
    .slice(0, MAX_HEADER_CHARACTERS)
    .toLowerCase()
    .split(',')
    .map((wish) => {
      const [range = '', ...parameters] = wish.split(';').map((part) => part.trim());
      const quality = parameters.find((parameter) => parameter.startsWith('q='));
      return { language: range.split('-')[0] ?? '', quality: quality === undefined ? 1 : Number(quality.slice(2)) };
    })
    .filter(({ language, quality }) => (language === 'zh' || language === 'en') && quality > 0)
    // The sort is stable: of equal wishes the first stays first.
    .toSorted((a, b) => b.quality - a.quality);
  return wishes[0]?.language === 'en' ? 'en' : 'zh';
}
