import { canonicalTag } from '../core/links/link-code.ts';
import { readAddressText, readTypedCode } from '../core/links/typed-code.ts';

const MAX_ADDRESS_CHARACTERS = 1_000;
const ONE_OR_TWO_SEGMENTS = /^\/([^/?#]+)(?:\/([^/?#]*))?(?:[?#]|$)/;

function isReadable(path: string): boolean {
  // No address holds bare bytes; HTTP's own parser refuses them.
  if (/[^\0-\u007f]/.test(path)) return false;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The canonical address of a short link that holds bare bytes, or escapes that are no UTF-8, so that neither the parser nor the router can
 * take it: old web views send the punctuation behind a link in GBK, or do not escape it. Undefined for every other address. It is made of the text alone, whether such a link
 * exists or not, and always a path of this host.
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
