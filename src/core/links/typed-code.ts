/**
 * What a person typed or pasted, read as generously as can be: from the box of the landing page, or from an address that an app cut out of
 * a caption together with what stood beside it. The result is always the canonical spelling, or nothing: no guess at what was meant.
 */
import { canonicalCode, canonicalTag, foldWidth, isGeneratedCode, noteTokens } from './link-code.ts';

/** What a box shows again of a text: enough for any code. */
export const MAX_BOX_CHARACTERS = 32;
/** A whole caption may be pasted; what is longer is cut. */
const MAX_TYPED_CHARACTERS = 2_000;

/** White space, and what no keyboard shows: zero-width characters, direction marks, variation selectors. */
const UNSEEN = /[\s\p{Cf}\p{Mn}]+/gu;
/** A short link inside a pasted text, with a scheme or a domain in front: the code, then perhaps a tag. */
const PASTED_LINK =
  /(?:https?:\/\/[^\s/]+|(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d{1,5})?)\/([^\s/?#]{1,200})(?:\/([^\s/?#]{1,200}))?/i;
const ESCAPED_BYTE = /%([0-9a-f]{2})/gi;

export interface TypedLink {
  code: string;
  tag?: string;
}

/**
 * The code that a text means beyond what `canonicalCode` reads: with spaces or invisible characters inside (codes are read out in
 * groups), or as the only generated code among other words (`k7q2m8x快来看`). Aliases have no shape that tells them from words, so they
 * must stand alone.
 */
export function readTypedCode(text: string): string | undefined {
  const plain = canonicalCode(text);
  if (plain !== undefined) return plain;
  const typed = text.slice(0, MAX_TYPED_CHARACTERS);
  const joined = canonicalCode(typed.replace(UNSEEN, ''));
  if (joined !== undefined && isGeneratedCode(joined)) return joined;
  const codes = noteTokens(typed).filter(isGeneratedCode);
  return codes.length === 1 ? codes[0] : undefined;
}

/** The link that a text in the box means: a code in any spelling, or a short link of any host with its tag, alone or inside a caption. */
export function readTypedLink(text: string): TypedLink | undefined {
  const typed = foldWidth(text.slice(0, MAX_TYPED_CHARACTERS));
  const [, rawCode, rawTag] = PASTED_LINK.exec(typed) ?? [];
  const pasted = rawCode === undefined ? undefined : readTypedCode(readAddressText(rawCode));
  if (pasted !== undefined) {
    const tag = rawTag === undefined ? undefined : canonicalTag(readAddressText(rawTag));
    return tag === undefined ? { code: pasted } : { code: pasted, tag };
  }
  const code = readTypedCode(typed);
  return code === undefined ? undefined : { code };
}

/**
 * A piece of an address as text, whatever the web view made of it: percent-escaped or plain bytes (which Node shows as Latin-1), UTF-8 or,
 * where they are not UTF-8, GBK. Never throws; what is text already stays as it is.
 */
export function readAddressText(piece: string): string {
  // Beyond Latin-1 it was decoded already.
  if (/[^\0-\u00ff]/.test(piece)) return piece;
  const bytes = Buffer.from(
    piece.replace(ESCAPED_BYTE, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}

/**
 * What the box of the "check the code" page is filled with: the letters, digits and hyphens of what was asked for, at most 32. It follows
 * from the request alone, so the page says nothing of which codes exist; and nobody can make our page show words of theirs.
 */
export function boxTextOf(text: string): string {
  return foldWidth(text.slice(0, MAX_TYPED_CHARACTERS))
    .replace(/[^A-Za-z0-9-]+/g, '')
    .toLowerCase()
    .replace(/^-+/, '')
    .slice(0, MAX_BOX_CHARACTERS);
}
