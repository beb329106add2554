import type { DestinationFinding } from '../../../core/catalog/destination-health.ts';
import type { Platform } from '../../../core/vocabulary.ts';
import type { FetchOutcome, GuardedFetch } from '../../../infra/guarded-fetch.ts';
import { isMissingItemPage } from '../../../platforms/taobao/missing-item.ts';

export interface Look {
  finding: DestinationFinding;
  /** Of the last answer; undefined where there was none. */
  status: number | undefined;
}

const LOOK_MS = 8_000;
/** The beginning proves that the page is there; what stands in it is nobody's business. */
const FIRST_BYTES = 4_096;
const LIMITS = { allowsHttp: true, maxBytes: FIRST_BYTES, whenLonger: 'cut', timeoutMs: LOOK_MS } as const;

/** Where a platform has certainly somebody who answers: tells a name that is gone from names that cannot be looked up here. */
const FRONT_DOORS: Readonly<Record<Platform, string>> = {
  taobao: 'https://www.taobao.com/',
  tmall: 'https://www.tmall.com/',
  youzan: 'https://www.youzan.com/',
};

/**
 * Asks for a destination as a browser would come to it: HEAD, and where that does not say it is well, GET (many shops answer HEAD wrongly).
 *
 * Clear facts only: 404, 410, a redirect to the platform's page for missing items, and a host name that does not exist while the platform's
 * own does. A log-in page, a challenge, an error of the server or of the network are `unknown`.
 */
export async function lookAtDestination(
  fetch: GuardedFetch,
  { url, platform }: { url: string; platform: Platform },
  signal: AbortSignal,
): Promise<Look> {
  const ask = async (method: 'HEAD' | 'GET'): Promise<FetchOutcome> => fetch({ url, method, ...LIMITS, signal });
  const head = await ask('HEAD');
  const isSettled = isWell(head) || head.visited.some(isMissingItemPage) || isUnanswered(head);
  const outcome = isSettled ? head : await ask('GET');
  const status = outcome.ok ? outcome.status : undefined;
  if (isNameless(outcome)) {
    const frontDoor = await fetch({ url: FRONT_DOORS[platform], method: 'HEAD', ...LIMITS, signal });
    return { finding: isNameless(frontDoor) ? UNKNOWN : { outcome: 'missing', failure: 'no_such_host' }, status };
  }
  return { finding: judge(outcome), status };
}

const UNKNOWN: DestinationFinding = { outcome: 'unknown' };

function judge(outcome: FetchOutcome): DestinationFinding {
  if (outcome.visited.some(isMissingItemPage)) return { outcome: 'missing', failure: 'item_missing' };
  if (!outcome.ok) return UNKNOWN;
  if (outcome.status === 404) return { outcome: 'missing', failure: 'not_found' };
  if (outcome.status === 410) return { outcome: 'missing', failure: 'gone' };
  return isWell(outcome) ? { outcome: 'reachable' } : UNKNOWN;
}

/** A page, and on the host that was asked for: elsewhere it may be a log-in or a challenge. */
function isWell({ visited, ...outcome }: FetchOutcome): boolean {
  if (!outcome.ok || outcome.status < 200 || outcome.status > 299) return false;
  return hostOf(visited[0]) === hostOf(visited.at(-1));
}

/** Asking again at once would not be answered either. */
function isUnanswered(outcome: FetchOutcome): boolean {
  return !outcome.ok && outcome.reason !== 'unreachable';
}

/** The destination's own name does not exist; one that it redirects to says less. */
function isNameless(outcome: FetchOutcome): boolean {
  return !outcome.ok && outcome.reason === 'no_such_host' && outcome.visited.length === 1;
}

function hostOf(address: string | undefined): string | undefined {
  return URL.parse(address ?? '')?.hostname;
}
