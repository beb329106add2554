/**
 * Writes the `Location` of a redirect from a checked destination. The parameters of ours go into the query, before the fragment; every other
 * character of the destination stays as it was checked.
 */
import { PLATFORMS, type Platform } from '../core/vocabulary.ts';
import { checkDestination, type Destination, type RefusedDestination } from './platform.ts';

const CLICK_PARAMETER = 'dh_click';
const SALESMAN_PARAMETER = 'sls';
/** The text after `?` or `&` and before the click id. */
const ENDING = `${CLICK_PARAMETER}=`;

/** Parameters of a redirect: the click id, and the Youzan salesman (`sls`) leased to the influencer. */
export interface DestinationParameters {
  clickId?: string | undefined;
  sls?: string | undefined;
}

/** A destination split at the place of the click id, so that answering a click is one concatenation. A process caches 100,000 of them. */
export interface SplitDestination {
  /** False for opaque links: `before` is their whole Location, for every click id. */
  takesClickId: boolean;
  /** The text up to the click id; ends with the name of the parameter where one is taken. */
  before: string;
  after: string;
}

/**
 * The URL to send a visitor to.
 *
 * An existing `dh_click` is always removed, also without a new click id: one pasted from an address bar belongs to another visitor's click. An
 * existing `sls` is replaced only when one is leased, because a brand may carry its own. Opaque links are returned unchanged.
 *
 * @param destination as `checkDestination` returns it
 */
export function buildDestination(destination: Destination, parameters: DestinationParameters): string {
  const split = splitDestination(destination, { sls: parameters.sls });
  return locationOf(split, parameters.clickId === undefined ? undefined : queryValue(parameters.clickId));
}

/**
 * Prepares a destination for many clicks: `before + clickId + after` equals `buildDestination` for every click id of the base64url
 * alphabet.
 */
export function splitDestination(
  destination: Destination,
  { sls }: Pick<DestinationParameters, 'sls'> = {},
): SplitDestination {
  const { href, opaque } = destination;
  if (opaque) return { takesClickId: false, before: compact(href), after: '' };
  const fragmentAt = href.includes('#') ? href.indexOf('#') : href.length;
  const after = href.slice(fragmentAt);
  const address = href.slice(0, fragmentAt);
  const queryAt = address.includes('?') ? address.indexOf('?') : address.length;
  const path = address.slice(0, queryAt);
  const replaced = sls === undefined ? [CLICK_PARAMETER] : [CLICK_PARAMETER, SALESMAN_PARAMETER];
  const kept = partsOf(address.slice(queryAt + 1)).filter((part) => !replaced.includes(nameOf(part)));
  if (sls !== undefined) kept.push(`${SALESMAN_PARAMETER}=${queryValue(sls)}`);
  const before = kept.length === 0 ? `${path}?${ENDING}` : `${path}?${kept.join('&')}&${ENDING}`;
  return { takesClickId: true, before: compact(before), after: compact(after) };
}

/** The Location for one click; `clickId` must be of the base64url alphabet. */
export function locationOf(split: SplitDestination, clickId: string | undefined): string {
  if (!split.takesClickId) return split.before;
  if (clickId === undefined) return split.before.slice(0, -(ENDING.length + 1)) + split.after;
  return split.before + clickId + split.after;
}

/**
 * A copy of the text in its own memory. A slice or a concatenation keeps the strings that it was made of in memory. URLs of destinations are
 * ASCII.
 */
function compact(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** The value as the URL parser writes it, with an escaped apostrophe, so the result does not change when it is parsed again. */
function queryValue(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll("'", '%27');
}

function partsOf(query: string): string[] {
  return query === '' ? [] : query.split('&');
}

/** The name that the receiving server reads: `dh%5Fclick` is `dh_click` too. */
function nameOf(part: string): string {
  const equalsAt = part.indexOf('=');
  const written = equalsAt === -1 ? part : part.slice(0, equalsAt);
  const [name] = new URLSearchParams(`${written}=`).keys();
  return name ?? '';
}

/** The Location of a page that carries no click id, by the rules of every destination; undefined where the page is not allowed. */
export function plainLocation(page: { platform: Platform; url: string }): string | undefined {
  const checked = checkDestination(page);
  return checked.ok ? locationOf(splitDestination(checked.destination), undefined) : undefined;
}

/** Checks that a URL may be a brand's own page: a destination on any platform. @returns the URL normalised, or the first refusal */
export function checkBrandPage(url: string): { ok: true; href: string } | RefusedDestination {
  let refusal: RefusedDestination | undefined;
  for (const platform of PLATFORMS) {
    const checked = checkDestination({ platform, url });
    if (checked.ok) return { ok: true, href: checked.destination.href };
    refusal ??= checked;
    // A marketplace that is refused by name is refused on every platform, with its name in the detail.
    if (checked.code === 'platform_not_supported') return checked;
  }
  if (refusal === undefined) throw new Error('there is no platform');
  return { ...refusal, detail: 'The address is not one of a marketplace that is served (Taobao, Tmall, Youzan).' };
}

/** The Location of a brand's own page; undefined where it is not allowed, or not any more. */
export function brandPageLocation(url: string): string | undefined {
  for (const platform of PLATFORMS) {
    const location = plainLocation({ platform, url });
    if (location !== undefined) return location;
  }
  return undefined;
}
