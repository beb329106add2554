import { checkDestination } from '../platform.ts';

/** An address in a text. Chinese characters end it. */
const ADDRESS = /[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]*/gi;
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * Whether a text may be shown and copied as a 淘口令: one line, with addresses of Taobao only. The marks around the code change with each
 * version of the app, so nothing else is checked.
 */
export function isTaoCode(text: string): boolean {
  if (UNPRINTABLE.test(text)) return false;
  return [...text.matchAll(ADDRESS)].every(([url]) => checkDestination({ platform: 'taobao', url }).ok);
}
