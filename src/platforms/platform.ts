/**
 * The table of the marketplaces that links can lead to, and the rule that keeps every redirect on them.
 *
 * A product's URL is checked when it is registered and again when a visitor is answered. The check and the `Location` header use the same
 * parser (WHATWG `URL`), so both read a text alike. A text that two parsers could read differently (backslashes, tabs, userinfo, encoded or
 * non-ASCII hosts) is refused, not repaired.
 */
import { PLATFORMS, type Platform } from '../core/vocabulary.ts';
import type { AppOpening, HostRule, Marketplace } from './marketplace.ts';
import { PLAIN } from './marketplace.ts';
import { findRefusedMarketplace } from './refused-marketplaces.ts';
import { TAOBAO, TMALL } from './taobao/marketplace.ts';
import { YOUZAN } from './youzan/marketplace.ts';

const MARKETPLACES: Readonly<Record<Platform, Marketplace>> = { taobao: TAOBAO, tmall: TMALL, youzan: YOUZAN };

/** The Chinese name of each platform, for visitors and influencers. */
export const PLATFORM_NAMES = Object.fromEntries(
  PLATFORMS.map((platform) => [platform, MARKETPLACES[platform].name]),
) as Readonly<Record<Platform, string>>;

/** The hosts of short and converted links, of all platforms. */
export const OPAQUE_HOSTS: readonly string[] = PLATFORMS.flatMap((platform) =>
  [...MARKETPLACES[platform].hosts].flatMap(([host, { opaque }]) => (opaque ? [host] : [])),
);

export interface Destination {
  /** Normalised, pure ASCII, at most 2,000 characters. */
  href: string;
  /** A short or converted link: it gets no added parameter. */
  opaque: boolean;
}

export type RefusedDestination = {
  ok: false;
  code: 'platform_not_supported' | 'destination_not_allowed';
  /** One sentence for the person that registers the product. It contains no text of the input. */
  detail: string;
};

export type CheckedDestination = { ok: true; destination: Destination & { itemKeys: string[] } } | RefusedDestination;

const MAX_URL_LENGTH = 2000;
/** Scheme and authority in their plainest form: no userinfo, no port but the default, no escape, no non-ASCII letter. */
const PLAIN_ORIGIN = /^https:\/\/([a-z0-9.-]+)(?::443)?(?=[/?#]|$)/i;
/** Blanks, control characters and backslashes: each parser drops or replaces them differently. */
const TREACHEROUS = /[\p{Cc}\p{Z}\ufeff\\]/u;
const ENCODED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;
const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * Reads a platform's name as a caller writes it.
 *
 * @returns the platform, or `platform_not_supported` for JD, WeChat shops and every other name
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
 * `itemKeys` are the names under which an order may mention the item (`item:600000000001`, `alias:2exampleali0001`); [] where the URL names
 * none.
 *
 * @returns the normalised destination, or the refusal: `platform_not_supported` for every JD and WeChat shop address,
 *   `destination_not_allowed` for other faults
 */
export function checkDestination({ platform, url }: { platform: Platform; url: string }): CheckedDestination {
  const marketplace = findRefusedMarketplace(url.slice(0, MAX_URL_LENGTH).trim());
  if (marketplace !== undefined) {
    return { ok: false, code: 'platform_not_supported', detail: `${marketplace} is not supported.` };
  }
  if (url.length > MAX_URL_LENGTH) return refused(`The URL is longer than ${MAX_URL_LENGTH} characters.`);
  if (TREACHEROUS.test(url) || !url.isWellFormed())
    return refused('The URL contains a blank, a control character or a backslash.');
  const writtenHost = PLAIN_ORIGIN.exec(url)?.[1]?.toLowerCase();
  if (writtenHost === undefined)
    return refused('The URL must begin with https:// and a plain host name, without user name or port.');
  const parsed = URL.parse(url);
  if (parsed === null || !isPlainHttps(parsed, writtenHost)) return refused('The URL cannot be read without doubt.');
  const rule = findHostRule(platform, parsed.hostname);
  if (rule === undefined) return refused(`The host does not belong to ${PLATFORM_NAMES[platform]}.`);
  if (!isStable(parsed.href))
    return refused('The URL contains an encoded control character or is too long once encoded.');
  const itemKeys = rule.opaque ? [] : MARKETPLACES[platform].itemKeysOf(parsed);
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

/** Whether the stored text can go into `Location` as it is: printable, bounded, and unchanged when it is parsed again. */
function isStable(href: string): boolean {
  return (
    href.length <= MAX_URL_LENGTH &&
    PRINTABLE_ASCII.test(href) &&
    !ENCODED_CONTROL.test(href) &&
    URL.parse(href)?.href === href
  );
}

function findHostRule(platform: Platform, hostname: string): HostRule | undefined {
  const { hosts, shopHost } = MARKETPLACES[platform];
  return hosts.get(hostname) ?? (shopHost?.test(hostname) === true ? PLAIN : undefined);
}

/** Whether the platform has an app that opens its pages. */
export function hasApp(platform: Platform): boolean {
  return MARKETPLACES[platform].appLinkOf !== undefined;
}

/**
 * The address that opens a page in the platform's app, for a tap on the middle page; undefined where the platform has no app.
 *
 * @param location  a Location of ours, so on the platform's own hosts
 */
export function appLinkOf(
  platform: Platform,
  { opening, location }: { opening: AppOpening; location: string },
): string | undefined {
  return MARKETPLACES[platform].appLinkOf?.(location, opening);
}
