/**
 * Writes the `Location` of a redirect from a checked destination. Our parameters go into the query, before the fragment; every
 * other character of the destination stays as it was checked.
 */
import type { Destination } from './platform.ts';

const CLICK_PARAMETER = 'dh_click';
const SALESMAN_PARAMETER = 'sls';
/** Behind `?` or `&`, in front of the click id. */
const ENDING = `${CLICK_PARAMETER}=`;

/** Parameters of a redirect: the click id, and the Youzan salesman (`sls`) leased to the influencer. */
export interface DestinationParameters {
  clickId?: string | undefined;
  sls?: string | undefined;
}

/** A destination cut open where the click id belongs, so that answering a click is one concatenation. Processes keep 100,000 of them. */
export interface SplitDestination {
  /** False for opaque links: `before` is their whole Location, whatever the click id. */
  takesClickId: boolean;
  /** Up to the click id: where one is taken, it ends with the name of the parameter. */
  before: string;
  after: string;
}

/**
 * The URL to send a visitor to.
 *
 * `dh_click` replaces every one already there, also when there is no click id: one pasted in from an address bar belongs to another
 * visitor's click. `sls` replaces what is there only when one is leased, since a brand may carry its own. Opaque links are returned as
 * they are.
 *
 * @param destination as `checkDestination` answered it
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

/** The Location for one click; `clickId` must be of the base64url alphabet, as minted. */
export function locationOf(split: SplitDestination, clickId: string | undefined): string {
  if (!split.takesClickId) return split.before;
  if (clickId === undefined) return split.before.slice(0, -(ENDING.length + 1)) + split.after;
  return split.before + clickId + split.after;
}

/**
 * A copy that stands for itself. Pieces and joints of strings refer to what they were made of, which would stay in memory with them. URLs of
 * destinations are ASCII.
 */
function compact(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** As the URL parser would write it, which also escapes the apostrophe; so the result does not change when it is parsed again. */
function queryValue(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll("'", '%27');
}

function partsOf(query: string): string[] {
  return query === '' ? [] : query.split('&');
}

/** The name the receiving server will see: `dh%5Fclick` is `dh_click` too. */
function nameOf(part: string): string {
  const equalsAt = part.indexOf('=');
  const written = equalsAt === -1 ? part : part.slice(0, equalsAt);
  const [name] = new URLSearchParams(`${written}=`).keys();
  return name ?? '';
}
