/**
 * The marketplaces we serve, and the rule that keeps every redirect on them.
 *
 * A product's URL is checked when it is registered and again when a visitor is answered. The check and the `Location` header use the
 * same parser (WHATWG `URL`), so there is no second opinion about what a text means; everything two parsers could disagree about
 * (backslashes, tabs, userinfo, encoded or non-ASCII hosts) is refused outright instead of repaired.
 */
import { PLATFORMS, type Platform } from '../core/vocabulary.ts';
import { findAlibabaHost, findUnsupportedMarketplace, findYouzanHost } from './platform-hosts.ts';

/** What a visitor reads. */
export const PLATFORM_NAMES: Readonly<Record<Platform, string>> = { taobao: '淘宝', tmall: '天猫', youzan: '有赞' };

export interface Destination {
  /** Normalised, pure ASCII, at most 2,000 characters. */
  href: string;
  /** A short or converted link: it gets no parameter of ours. */
  opaque: boolean;
}

export type RefusedDestination = {
  ok: false;
  code: 'platform_not_supported' | 'destination_not_allowed';
  /** One sentence for the person who registers the product; holds no text of theirs. */
  detail: string;
};

export type CheckedDestination = { ok: true; destination: Destination & { itemKeys: string[] } } | RefusedDestination;

const MAX_URL_LENGTH = 2000;
/** Scheme and authority as plain as they can be written: no userinfo, no port but the default, no escape, no non-ASCII letter. */
const PLAIN_ORIGIN = /^https:\/\/([a-z0-9.-]+)(?::443)?(?=[/?#]|$)/i;
/** Blanks, controls and backslashes: parsers drop or turn them, each in its own way. */
const TREACHEROUS = /[\p{Cc}\p{Z}\ufeff\\]/u;
const ENCODED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;
const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;
const ALIBABA_ITEM_PATH = /^\/i(\d{1,20})\.htm$/;
const YOUZAN_ITEM_PATH = /\/(?:goods|detail)\/([A-Za-z0-9_-]{1,64})(?:\/|$)/;
const ITEM_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Names of platforms as a caller writes them.
 *
 * @returns the platform, or `platform_not_supported` for JD, WeChat shops and everything else we do not serve
 */
export function readPlatform(name: string): { ok: true; platform: Platform } | RefusedDestination {
  const platform = PLATFORMS.find((known) => known === name);
  if (platform !== undefined) return { ok: true, platform };
  return { ok: false, code: 'platform_not_supported', detail: `Supported platforms are ${PLATFORMS.join(', ')}.` };
}

/**
 * Whether a URL may be the destination of a product on this platform.
 *
 * Allowed: https, default port, no userinfo, an ASCII host on the platform's list of exact hosts (or a Youzan shop's own host).
 * `itemKeys` are the names under which an order may mention the item (`item:600000000001`, `alias:2exampleali0001`); empty when the
 * URL does not tell.
 *
 * @returns the normalised destination, or the refusal: `platform_not_supported` for JD and WeChat shop addresses whatever else is
 *   wrong with them, `destination_not_allowed` for the rest
 */
export function checkDestination({ platform, url }: { platform: Platform; url: string }): CheckedDestination {
  const unsupported = unsupportedMarketplaceOf(url);
  if (unsupported !== undefined) {
    return { ok: false, code: 'platform_not_supported', detail: `${unsupported} is not supported.` };
  }
  if (url.length > MAX_URL_LENGTH) return refused(`The URL is longer than ${MAX_URL_LENGTH} characters.`);
  if (TREACHEROUS.test(url) || !url.isWellFormed())
    return refused('The URL contains a blank, a control character or a backslash.');
  const writtenHost = PLAIN_ORIGIN.exec(url)?.[1]?.toLowerCase();
  if (writtenHost === undefined)
    return refused('The URL must begin with https:// and a plain host name, without user name or port.');
  const parsed = URL.parse(url);
  if (parsed === null || !isPlainHttps(parsed, writtenHost)) return refused('The URL cannot be read without doubt.');
  const rule = platform === 'youzan' ? findYouzanHost(parsed.hostname) : findAlibabaHost(parsed.hostname);
  if (rule === undefined) return refused(`The host does not belong to ${PLATFORM_NAMES[platform]}.`);
  if (!isStable(parsed.href))
    return refused('The URL contains an encoded control character or is too long once encoded.');
  const itemKeys = rule.opaque ? [] : itemKeysOf(platform, parsed);
  return { ok: true, destination: { href: parsed.href, opaque: rule.opaque, itemKeys } };
}

function refused(detail: string): RefusedDestination {
  return { ok: false, code: 'destination_not_allowed', detail };
}

function isPlainHttps(parsed: URL, writtenHost: string): boolean {
  return (
    parsed.protocol === 'https:' &&
    parsed.port === '' &&
    parsed.username === '' &&
    parsed.password === '' &&
    parsed.hostname === writtenHost
  );
}

/** The text we store is the text that goes into `Location`: printable, bounded, and unchanged by one more parse. */
function isStable(href: string): boolean {
  return (
    href.length <= MAX_URL_LENGTH &&
    PRINTABLE_ASCII.test(href) &&
    !ENCODED_CONTROL.test(href) &&
    URL.parse(href)?.href === href
  );
}

/** People paste JD and WeChat addresses in every form (http, no scheme, app schemes); all get the same clear answer. */
function unsupportedMarketplaceOf(url: string): string | undefined {
  const text = url.slice(0, MAX_URL_LENGTH).trim();
  if (text.startsWith('#小程序://')) return '微信小店 (WeChat shop)';
  const parsed = URL.parse(text) ?? URL.parse(`https://${text}`);
  return parsed === null ? undefined : findUnsupportedMarketplace(parsed);
}

function itemKeysOf(platform: Platform, url: URL): string[] {
  const name = platform === 'youzan' ? youzanAliasOf(url) : alibabaItemIdOf(url);
  return name === undefined ? [] : [`${platform === 'youzan' ? 'alias' : 'item'}:${name}`];
}

function alibabaItemIdOf(url: URL): string | undefined {
  if (url.hostname === 'a.m.taobao.com') return ALIBABA_ITEM_PATH.exec(url.pathname)?.[1];
  return soleParameter(url, 'id');
}

/** The path wins over the query: it decides which page opens, `alias=` may be left over from sharing. */
function youzanAliasOf(url: URL): string | undefined {
  return YOUZAN_ITEM_PATH.exec(url.pathname)?.[1] ?? soleParameter(url, 'alias');
}

/** Two different values would name two items, and we could not tell which one opens. */
function soleParameter(url: URL, name: string): string | undefined {
  const values = new Set(url.searchParams.getAll(name));
  const [value] = values;
  return values.size === 1 && value !== undefined && ITEM_NAME.test(value) ? value : undefined;
}
