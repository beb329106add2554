/**
 * Reads a code that a person typed or pasted: into the box of the landing page, or as an address that an app cut out of a caption together
 * with the text beside it. The result is a canonical spelling or undefined; a text that allows two readings is never guessed.
 */
import { canonicalCode, canonicalTag, foldWidth, isGeneratedCode, noteTokens } from './link-code.ts';

/** Characters of the typed text that the box repeats: enough for any code. */
export const MAX_BOX_CHARACTERS = 32;
/** A visitor may paste a whole caption; longer text is cut. */
const MAX_TYPED_CHARACTERS = 2_000;

/** White space and invisible characters: zero-width characters, direction marks, variation selectors. */
const UNSEEN = /[\s\p{Cf}\p{Mn}]+/gu;
/** A short link inside a pasted text, with a scheme or a domain in front: the code, then an optional tag. */
const PASTED_LINK =
  /(?:https?:\/\/[^\s/]+|(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d{1,5})?)\/([^\s/?#]{1,200})(?:\/([^\s/?#]{1,200}))?/i;
const ESCAPED_BYTE = /%([0-9a-f]{2})/gi;

export interface TypedLink {
  code: string;
  tag?: string;
}

/**
 * The code that a text means, including what `canonicalCode` does not accept: spaces or invisible characters inside a code (people read
 * codes out in groups), or one generated code among other words (`k7q2m8x快来看`). An alias has no shape that distinguishes it from a word, so
 * it must stand alone.
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

/** The link that the text in the box means: a code in any spelling, or a short link of any host with its tag, alone or inside a caption. */
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
 * A piece of an address as text. Web views send percent-escaped or plain bytes (which Node shows as Latin-1), in UTF-8 or, where the bytes
 * are not UTF-8, in GBK. Never throws; text that is decoded already is returned unchanged.
 */
export function readAddressText(piece: string): string {
  // A character beyond Latin-1 means that the text is decoded already.
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
 * The content of the box on the "check the code" page: the letters, digits and hyphens of the requested code, at most 32. It depends on the
 * request alone, so the page does not reveal which codes exist, and a crafted address cannot make the page show foreign text.
 */
export function boxTextOf(text: string): string {
  return foldWidth(text.slice(0, MAX_TYPED_CHARACTERS))
    .replace(/[^A-Za-z0-9-]+/g, '')
    .toLowerCase()
    .replace(/^-+/, '')
    .slice(0, MAX_BOX_CHARACTERS);
}

const MAX_ADDRESS_CHARACTERS = 1_000;
const ONE_OR_TWO_SEGMENTS = /^\/([^/?#]+)(?:\/([^/?#]*))?(?:[?#]|$)/;

/** Whether HTTP parsers and the router accept the path: no bare bytes, and escapes that are UTF-8. */
function isReadable(path: string): boolean {
  if (/[^\0-\u007f]/.test(path)) return false;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The canonical path of a short link whose address neither the HTTP parser nor the router accepts, because it holds bare bytes or escapes that
 * are not UTF-8: old web views send the punctuation behind a link in GBK, or unescaped. Undefined for every other address. The path depends on
 * the text alone, not on whether the link exists, and never leaves this host.
 */
export function mendedAddress(url: string): string | undefined {
  if (url.length > MAX_ADDRESS_CHARACTERS) return undefined;
  const [, rawCode, rawTag = ''] = ONE_OR_TWO_SEGMENTS.exec(url) ?? [];
  if (rawCode === undefined || isReadable(`${rawCode}/${rawTag}`)) return undefined;
  const code = readTypedCode(readAddressText(rawCode));
  if (code === undefined) return undefined;
  const tag = canonicalTag(readAddressText(rawTag));
  return tag === undefined ? `/${code}` : `/${code}/${tag}`;
}
