import { addFinding, type DestinationFinding, nextCheckDelayMs } from '../../../core/catalog/destination-health.ts';
import { type Db, withAdvisoryLock } from '../../../infra/db.ts';
import type { GuardedFetch } from '../../../infra/guarded-fetch.ts';
import { settleAll } from '../../../infra/settle-all.ts';
import { lookAtDestination } from './look-at-destination.ts';
import { type DueDestination, storeDestinationCheck, takeDueDestinations } from './queries.ts';

export interface DestinationCheckDeps {
  db: Db;
  fetch: GuardedFetch;
  now: () => Date;
  /** Told of each look. */
  onResult: (outcome: DestinationFinding['outcome']) => void;
}

/** One process at a time takes, so that the pace by host holds over all of them ("destin" in hex). It holds the lock only for that. */
const TAKE_LOCK = 0x64657374696en;
/** A destination costs two requests and their redirects at most. Slower than a person who reads, so no shop need mind. */
const PER_HOST_AND_MINUTE = 6;
/** At once: nearly all of it is waiting. */
const BATCH = 24;
/** Longer than three requests at their worst. */
const LEASE_MS = 120_000;

/**
 * Looks at destinations that are due, and keeps what it found. It only marks: no link is ever paused by it. Any number of workers may run it.
 *
 * @param signal  ends it early; what was under way is looked at again two minutes later
 */
export async function checkDueDestinations(deps: DestinationCheckDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const limits = { limit: BATCH, perHostAndMinute: PER_HOST_AND_MINUTE, leaseMs: LEASE_MS };
    const due = (await withAdvisoryLock(deps.db, TAKE_LOCK, (tx) => takeDueDestinations(tx, limits))) ?? [];
    await settleAll(due.map((destination) => checkOne(deps, destination, signal)));
    if (due.length < BATCH) return;
  }
}

async function checkOne(deps: DestinationCheckDeps, due: DueDestination, signal: AbortSignal): Promise<void> {
  const { finding, status } = await lookAtDestination(deps.fetch, due, signal);
  // What a process that ends could not finish says nothing of the shop.
  if (signal.aborted) return;
  const { outcome } = finding;
  const checkedAt = deps.now();
  const health = addFinding(due, finding, checkedAt);
  const pauseMs = nextCheckDelayMs(health, finding);
  const { productId, url } = due;
  await storeDestinationCheck(deps.db, { productId, url, checkedAt, outcome, status, ...health, pauseMs });
  deps.onResult(outcome);
}
