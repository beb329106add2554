import { addFinding, type DestinationFinding, nextCheckDelayMs } from '../../../core/catalog/destination-health.ts';
import type { Platform } from '../../../core/vocabulary.ts';
import { type Db, withAdvisoryLock } from '../../../infra/db.ts';
import type { RequestOutcome, GuardedRequest } from '../../../infra/guarded-request.ts';
import { allOrThrow } from '../../../infra/all-or-throw.ts';
import { isMissingItemPage } from '../../../platforms/taobao/marketplace.ts';
import { type DueDestination, storeDestinationCheck, takeDueDestinations } from './queries.ts';

export interface DestinationCheckDeps {
  db: Db;
  fetch: GuardedRequest;
  now: () => Date;
  /** Runs after each check. */
  onResult: (outcome: DestinationFinding['outcome']) => void;
}

/** One process at a time takes due destinations, so that the pace by host holds over all processes ("destin" in hex). */
const TAKE_LOCK = 0x64657374696en;
/** A destination costs at most two requests and their redirects. Six a minute are slower than a person who reads, so they burden no shop. */
const PER_HOST_AND_MINUTE = 6;
/** Destinations checked at once; nearly all of the time is waiting. */
const BATCH = 24;
/** Longer than three requests at their worst. */
const LEASE_MS = 120_000;

/**
 * Checks the destinations that are due and stores the findings. A finding is only a mark: it pauses no link. Any number of workers may run it.
 *
 * @param signal  ends it early; destinations under way are checked again two minutes later
 */
export async function checkDueDestinations(deps: DestinationCheckDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const limits = { limit: BATCH, perHostAndMinute: PER_HOST_AND_MINUTE, leaseMs: LEASE_MS };
    const due = (await withAdvisoryLock(deps.db, TAKE_LOCK, (tx) => takeDueDestinations(tx, limits))) ?? [];
    await allOrThrow(due.map((destination) => checkOne(deps, destination, signal)));
    if (due.length < BATCH) return;
  }
}

async function checkOne(deps: DestinationCheckDeps, due: DueDestination, signal: AbortSignal): Promise<void> {
  const { finding, status } = await lookAtDestination(deps.fetch, due, signal);
  // A check that the end of the process cut short says nothing about the shop.
  if (signal.aborted) return;
  const { outcome } = finding;
  const checkedAt = deps.now();
  const health = addFinding(due, finding, checkedAt);
  const pauseMs = nextCheckDelayMs(health, finding);
  const { productId, url } = due;
  await storeDestinationCheck(deps.db, { productId, url, checkedAt, outcome, status, ...health, pauseMs });
  deps.onResult(outcome);
}

export interface Look {
  finding: DestinationFinding;
  /** The status of the last answer; undefined without an answer. */
  status: number | undefined;
}

const LOOK_MS = 8_000;
/** The first bytes prove that the page exists; its content is not needed. */
const FIRST_BYTES = 4_096;
const LIMITS = { allowsHttp: true, maxBytes: FIRST_BYTES, whenLonger: 'cut', timeoutMs: LOOK_MS } as const;

/** A host of each platform that certainly exists: if it cannot be looked up either, the fault is here and not at the shop. */
const FRONT_DOORS: Readonly<Record<Platform, string>> = {
  taobao: 'https://www.taobao.com/',
  tmall: 'https://www.tmall.com/',
  youzan: 'https://www.youzan.com/',
};

/**
 * Requests a destination as a browser would: HEAD, and where that finds no page, GET, because many shops answer HEAD wrongly.
 *
 * Only clear facts count as missing: 404, 410, a redirect to the platform's page for missing items, and a host name that does not exist while
 * the platform's own does. A log-in page, a challenge, an error of the server or of the network are `unknown`.
 */
export async function lookAtDestination(
  fetch: GuardedRequest,
  { url, platform }: { url: string; platform: Platform },
  signal: AbortSignal,
): Promise<Look> {
  const request = async (method: 'HEAD' | 'GET'): Promise<RequestOutcome> => fetch({ url, method, ...LIMITS, signal });
  const head = await request('HEAD');
  const isSettled = isWell(head) || head.visited.some(isMissingItemPage) || isUnanswered(head);
  const outcome = isSettled ? head : await request('GET');
  const status = outcome.ok ? outcome.status : undefined;
  if (isNameless(outcome)) {
    const frontDoor = await fetch({ url: FRONT_DOORS[platform], method: 'HEAD', ...LIMITS, signal });
    return { finding: isNameless(frontDoor) ? UNKNOWN : { outcome: 'missing', failure: 'no_such_host' }, status };
  }
  return { finding: judge(outcome), status };
}

const UNKNOWN: DestinationFinding = { outcome: 'unknown' };

function judge(outcome: RequestOutcome): DestinationFinding {
  if (outcome.visited.some(isMissingItemPage)) return { outcome: 'missing', failure: 'item_missing' };
  if (!outcome.ok) return UNKNOWN;
  if (outcome.status === 404) return { outcome: 'missing', failure: 'not_found' };
  if (outcome.status === 410) return { outcome: 'missing', failure: 'gone' };
  return isWell(outcome) ? { outcome: 'reachable' } : UNKNOWN;
}

/** A page on the requested host; on another host it may be a log-in or a challenge. */
function isWell({ visited, ...outcome }: RequestOutcome): boolean {
  if (!outcome.ok || outcome.status < 200 || outcome.status > 299) return false;
  return hostOf(visited[0]) === hostOf(visited.at(-1));
}

/** A second request at once would get no answer either. */
function isUnanswered(outcome: RequestOutcome): boolean {
  return !outcome.ok && outcome.reason !== 'unreachable';
}

/** The destination's own host name does not exist. The name of a redirect target proves nothing about the destination. */
function isNameless(outcome: RequestOutcome): boolean {
  return !outcome.ok && outcome.reason === 'no_such_host' && outcome.visited.length === 1;
}

function hostOf(address: string | undefined): string | undefined {
  return URL.parse(address ?? '')?.hostname;
}
