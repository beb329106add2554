/**
 * Codes, aliases and tags: how the path of a short link is spelled, typed and found in a buyer's note.
 *
 * Visitors type links from a video. Reading therefore accepts other cases, full-width forms and punctuation around the code, and always
 * returns one canonical spelling; issuing accepts the canonical spelling only. Generated codes mix letters and digits, and no alias may have
 * their shape. A bare code in a buyer's note is therefore never a word, a phone number or an alias, and an influencer cannot register the
 * typing errors of another influencer's code.
 */

/** Without 0 o 1 i l u, which people confuse with each other on a screen. */
export const CODE_ALPHABET = '23456789abcdefghjkmnpqrstvwxyz';
export const CODE_LENGTH = 7;
export const MAX_NOTE_TOKENS = 50;

const CODE = /^(?=.*[2-9])(?=.*[a-z])[2-9a-hjkmnp-tv-z]{7}$/;
const ALIAS = /^[a-z0-9][a-z0-9-]{2,30}[a-z0-9]$/;
const TAG = /^[a-z0-9_-]{1,32}$/;

/** Longer than any code with pasted text around it. A longer text names no code. */
const MAX_RAW_CHARACTERS = 200;
const MAX_NOTE_CHARACTERS = 5_000;

/**
 * First path segments that the server answers or may answer in a later version, and words that would make a link look official. Only a
 * request for a new alias checks this list, so an alias that was issued before its word was added keeps working.
 */
const RESERVED_ALIASES: ReadonlySet<string> = new Set(
  [
    'v1 v2 v3 v4 api apis api-docs docs hooks healthz readyz livez metrics problems health ready live status ping version',
    'openapi openapi.json openapi.yaml swagger redoc schema schemas graphql webhook webhooks .well-known well-known',
    'favicon.ico robots.txt sitemap.xml manifest.json favicon robots sitemap manifest security.txt index.html index',
    'assets static public media images fonts scripts styles qr qr.svg qr.png preview redirect middle click clicks link links',
    'admin auth oauth login logout signin signup register account accounts session sessions token tokens key keys password',
    'brand brands store stores product products influencer influencers terms tracking-slots coupons order orders order-lines',
    'commission commissions journal payout payouts payee payees reconciliation stats statistics events import export verify',
    'about help support contact legal privacy security error errors daihuo official system null undefined dashboard settings',
  ].flatMap((words) => words.split(' ')),
);

/** Words with a meaning of their own after a code (`/:code/preview`). `qr.svg` and `qr.png` are not valid tags anyway. */
const RESERVED_TAGS: ReadonlySet<string> = new Set(['preview']);

export type AliasCheck = { ok: true } | { ok: false; reason: 'malformed' | 'reserved' };

/** Whether the canonical text has the shape of a generated code: 7 characters of the alphabet, at least one letter and one digit. */
export function isGeneratedCode(text: string): boolean {
  return CODE.test(text);
}

/**
 * The code or alias that a path segment or a pasted text means, in canonical spelling; undefined where it cannot be one.
 *
 * Trims punctuation, symbols, spaces and invisible characters around it, folds full-width forms and lower-cases. The result need not exist
 * in the database.
 */
export function canonicalCode(raw: string): string | undefined {
  if (raw.length > MAX_RAW_CHARACTERS) return undefined;
  const code = /^[^\p{L}\p{N}]*([A-Za-z0-9-]*[A-Za-z0-9])[^\p{L}\p{N}]*$/u.exec(foldWidth(raw))?.[1]?.toLowerCase();
  return code !== undefined && ALIAS.test(code) ? code : undefined;
}

/**
 * Whether an influencer may have this alias: 4–32 of `a-z 0-9 -`, a letter or digit at both ends, because a hyphen there is trimmed as
 * punctuation when the link is read from a caption. `reserved`: a word of the list, even one too short for an alias (`v1`), or the shape of
 * a generated code.
 */
export function checkAlias(text: string): AliasCheck {
  if (RESERVED_ALIASES.has(text) || isGeneratedCode(text)) return { ok: false, reason: 'reserved' };
  return ALIAS.test(text) ? { ok: true } : { ok: false, reason: 'malformed' };
}

/** The tag that the segment after a code means, in canonical spelling; undefined where it cannot be one or is reserved. */
export function canonicalTag(raw: string): string | undefined {
  if (raw.length > MAX_RAW_CHARACTERS) return undefined;
  const tag = /^[^\p{L}\p{N}_-]*([A-Za-z0-9_-]+)[^\p{L}\p{N}_-]*$/u.exec(foldWidth(raw))?.[1]?.toLowerCase();
  return tag !== undefined && TAG.test(tag) && !RESERVED_TAGS.has(tag) ? tag : undefined;
}

/** Whether `canonicalTag(text) === text`, with one regular expression and one set lookup. For the click path. */
export function isCanonicalTag(text: string): boolean {
  return TAG.test(text) && !RESERVED_TAGS.has(text);
}

/**
 * The whole tokens of a buyer's note that could name a link: a bare generated code, or a code or alias after `#` or `＃`.
 *
 * Bare words, bare numbers and bare aliases do not count, because notes contain them for other reasons. Chinese text has no spaces, so any
 * character except a Latin letter, a digit, `-` or `_` ends a token (`用k7q2m8x买的`). A part of a longer Latin word is no token.
 *
 * @returns canonical, unique, in order of appearance, at most 50, from the first 5,000 characters
 */
export function noteTokens(note: string): string[] {
  const tokens = new Set<string>();
  const folded = foldWidth(note.slice(0, MAX_NOTE_CHARACTERS));
  for (const [, mark, run = ''] of folded.matchAll(/(#?)([\p{Script=Latin}\u0300-\u036F\p{Nd}_-]+)/gu)) {
    const token = run.replace(/^[_-]+/, '').replace(/(?<![_-])[_-]+$/, '');
    if (!/^[A-Za-z0-9-]+$/.test(token)) continue;
    const canonical = token.toLowerCase();
    if (mark === '#' ? ALIAS.test(canonical) : isGeneratedCode(canonical)) tokens.add(canonical);
    if (tokens.size === MAX_NOTE_TOKENS) break;
  }
  return [...tokens];
}

/**
 * Full-width ASCII (`Ｋ７`, `＃`, as Chinese keyboards type it) in its plain form. Full NFKC would also replace `①` and `ﬁ` by characters
 * that the visitor did not type.
 */
export function foldWidth(text: string): string {
  return text.replace(/[\uFF01-\uFF5E]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0));
}
