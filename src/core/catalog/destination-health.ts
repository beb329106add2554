/** What repeated looks at a product's destination add up to. Shops answer robots with log-in and challenge pages, so most answers say nothing. */
import type { DestinationFailure } from '../vocabulary.ts';

/** What one look found. `unknown`: nothing can be concluded. */
export type DestinationFinding =
  | { outcome: 'reachable' }
  | { outcome: 'unknown' }
  | { outcome: 'missing'; failure: DestinationFailure };

/** What is known after all looks so far. */
export interface DestinationHealth {
  /** Clear failures since it was last seen reachable. */
  failures: number;
  /** Of the last failure; all four are null where `failures` is 0. */
  failure: DestinationFailure | null;
  firstFailedAt: Date | null;
  lastFailedAt: Date | null;
  /** Set once it counts as broken: when the first of these failures was seen. */
  brokenSince: Date | null;
}

export const UNHARMED: DestinationHealth = {
  failures: 0,
  failure: null,
  firstFailedAt: null,
  lastFailedAt: null,
  brokenSince: null,
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** One failure may be a deployment; broken is what fails three times in a row, over an hour at least. */
const FAILURES_OF_BROKEN = 3;
const SHORTEST_BREAKAGE_MS = HOUR_MS;
/** A failure that could not be seen again for so long proves nothing of today. */
const FAILURE_LASTS_MS = 7 * DAY_MS;

/** `failing`: three looks at such pauses span a little more than the hour. */
const PAUSE_MS = { well: DAY_MS, failing: 31 * MINUTE_MS, doubtful: 6 * HOUR_MS };

/**
 * Adds one look to what is known.
 *
 * A failure counts; three in a row over an hour or more make it broken, since the first of them. Reachable clears everything. Unknown changes
 * nothing, but for failures that were last seen more than seven days before.
 */
export function addFinding(before: DestinationHealth, finding: DestinationFinding, at: Date): DestinationHealth {
  if (finding.outcome === 'reachable') return UNHARMED;
  if (finding.outcome === 'unknown') {
    const isStale = before.lastFailedAt !== null && at.getTime() - before.lastFailedAt.getTime() > FAILURE_LASTS_MS;
    return isStale ? UNHARMED : before;
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
 * How long to wait before the next look, ms: a day where nothing speaks against the destination; half an hour while a failure waits to be
 * confirmed; six hours once broken, or where the last look could neither confirm nor clear a failure.
 */
export function pauseBeforeNextLookMs(
  { failures, brokenSince }: DestinationHealth,
  { outcome }: DestinationFinding,
): number {
  if (failures === 0) return PAUSE_MS.well;
  return brokenSince === null && outcome === 'missing' ? PAUSE_MS.failing : PAUSE_MS.doubtful;
}

/** What the API says of a product or link: nothing, or that its destination is broken. */
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

/** @param health  both null where nothing was found, or nothing looked */
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
