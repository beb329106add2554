import { checkDestination } from '../platform.ts';

/** Any address in a text; what stands around it in Chinese is no part of it. */
const ADDRESS = /[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]*/gi;
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * Whether a text may be shown and copied as a 淘口令: one line, and every address in it one of Taobao's own. What the marks around the
 * code look like changes with each version of the app, so nothing else is asked of it.
 */
export function isTaoCode(text: string): boolean {
  if (UNPRINTABLE.test(text)) return false;
  return [...text.matchAll(ADDRESS)].every(([url]) => checkDestination({ platform: 'taobao', url }).ok);
}
