/**
 * The health of a product's destination, from repeated checks. Shops answer robots with log-in and challenge pages, so most answers allow no
 * conclusion.
 */
import type { DestinationFailure } from '../vocabulary.ts';

/** The finding of one check. `unknown`: the answer allows no conclusion. */
export type DestinationFinding =
  | { outcome: 'reachable' }
  | { outcome: 'unknown' }
  | { outcome: 'missing'; failure: DestinationFailure };

/** The state after all checks so far. */
export interface DestinationHealth {
  /** Proofs of failure since the destination was last reachable. */
  failures: number;
  /** The last failure. This and the next three fields are null where `failures` is 0. */
  failure: DestinationFailure | null;
  firstFailedAt: Date | null;
  lastFailedAt: Date | null;
  /** Set when the destination counts as broken: the time of the first of these failures. */
  brokenSince: Date | null;
}

export const HEALTHY: DestinationHealth = {
  failures: 0,
  failure: null,
  firstFailedAt: null,
  lastFailedAt: null,
  brokenSince: null,
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** One failure may be a deployment, so a destination is broken after three failures in a row over at least an hour. */
const FAILURES_OF_BROKEN = 3;
const SHORTEST_BREAKAGE_MS = HOUR_MS;
/** A failure that no check confirmed for seven days is discarded. */
const FAILURE_LASTS_MS = 7 * DAY_MS;

/** `failing`: three checks at this interval span a little more than an hour. */
const CHECK_INTERVAL_MS = { well: DAY_MS, failing: 31 * MINUTE_MS, doubtful: 6 * HOUR_MS };

/**
 * Adds the finding of one check to the state.
 *
 * Three failures in a row over an hour or more make the destination broken since the first of them. `reachable` clears the state. `unknown`
 * leaves it, except that failures last seen more than seven days before are cleared.
 */
export function addFinding(before: DestinationHealth, finding: DestinationFinding, at: Date): DestinationHealth {
  if (finding.outcome === 'reachable') return HEALTHY;
  if (finding.outcome === 'unknown') {
    const isStale = before.lastFailedAt !== null && at.getTime() - before.lastFailedAt.getTime() > FAILURE_LASTS_MS;
    return isStale ? HEALTHY : before;
  }
  const failures = before.failures + 1;
  const firstFailedAt = before.firstFailedAt ?? at;
  const isBroken = failures >= FAILURES_OF_BROKEN && at.getTime() - firstFailedAt.getTime() >= SHORTEST_BREAKAGE_MS;
  return {
    failures,
    failure: finding.failure,
    firstFailedAt,
    lastFailedAt: at,
    brokenSince: before.brokenSince ?? (isBroken ? firstFailedAt : null),
  };
}

/**
 * The time until the next check, ms: a day for a destination without failures; 31 minutes while a failure waits for confirmation; six hours for
 * a broken one, or when the last check neither confirmed nor cleared a failure.
 */
export function nextCheckDelayMs(
  { failures, brokenSince }: DestinationHealth,
  { outcome }: DestinationFinding,
): number {
  if (failures === 0) return CHECK_INTERVAL_MS.well;
  return brokenSince === null && outcome === 'missing' ? CHECK_INTERVAL_MS.failing : CHECK_INTERVAL_MS.doubtful;
}

/** A problem that the API shows on a product or link: its destination is broken. */
export interface DestinationProblem {
  code: 'destination_broken';
  since: Date;
  detail: string;
}

const SENTENCES: Readonly<Record<DestinationFailure, string>> = {
  not_found: 'The shop answers that the page does not exist (404).',
  gone: 'The shop answers that the page is gone (410).',
  item_missing: 'The shop shows its page for items that no longer exist.',
  no_such_host: 'The host name of the page does not exist.',
};

/** The problems of a destination, [] where it is not broken. @param health  both fields null where no failure is known or no check was made */
export function destinationProblems({
  brokenSince,
  failure,
}: {
  brokenSince: Date | null;
  failure: DestinationFailure | null;
}): DestinationProblem[] {
  if (brokenSince === null || failure === null) return [];
  return [{ code: 'destination_broken', since: brokenSince, detail: SENTENCES[failure] }];
}
