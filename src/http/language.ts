/** Which of our two languages a visitor reads. */
export type Language = 'zh' | 'en';

/** Longer lists are no browser's. */
const MAX_HEADER_LENGTH = 256;
const ENTRY = /^\s*([a-z]{1,8})(?:-[a-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)\s*)?$/i;

/**
 * The language an `Accept-Language` header prefers: English only where it is wanted more than Chinese; Chinese for everything else, also
 * where nothing is said.
 */
export function languageOf(acceptLanguage: string | undefined): Language {
  const wanted = { zh: 0, en: 0 };
  for (const entry of (acceptLanguage ?? '').slice(0, MAX_HEADER_LENGTH).split(',')) {
    const [, name = '', quality = '1'] = ENTRY.exec(entry) ?? [];
    const language = name.toLowerCase();
    if (language === 'zh' || language === 'en') wanted[language] = Math.max(wanted[language], Number(quality));
  }
  // Browsers set to Chinese often add English with the same weight.
  return wanted.en > wanted.zh ? 'en' : 'zh';
}
