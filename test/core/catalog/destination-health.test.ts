import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HEALTHY,
  addFinding,
  destinationProblems,
  nextCheckDelayMs,
} from '../../../src/core/catalog/destination-health.ts';
import type { DestinationFinding, DestinationHealth } from '../../../src/core/catalog/destination-health.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const START = Date.parse('2026-11-22T00:00:00Z');
const at = (minutes: number): Date => new Date(START + minutes * MINUTE_MS);
const MISSING: DestinationFinding = { outcome: 'missing', failure: 'not_found' };
const UNKNOWN: DestinationFinding = { outcome: 'unknown' };
const REACHABLE: DestinationFinding = { outcome: 'reachable' };

/** Looks at so many minutes after the start. */
function after(...looks: readonly [minutes: number, finding: DestinationFinding][]): DestinationHealth {
  let health = HEALTHY;
  for (const [minutes, finding] of looks) health = addFinding(health, finding, at(minutes));
  return health;
}

describe('a destination', () => {
  it('is broken after three failures in a row over an hour, since the first of them', () => {
    const health = after([0, MISSING], [31, MISSING], [60, { outcome: 'missing', failure: 'gone' }]);
    expect(health).toEqual({
      failures: 3,
      failure: 'gone',
      firstFailedAt: at(0),
      lastFailedAt: at(60),
      brokenSince: at(0),
    });
  });

  it('is not broken a minute before the hour, nor by two failures over a day', () => {
    expect(after([0, MISSING], [30, MISSING], [59, MISSING]).brokenSince).toBeNull();
    expect(after([0, MISSING], [1_440, MISSING]).brokenSince).toBeNull();
    expect(after([0, MISSING], [30, MISSING], [59, MISSING], [60, MISSING]).brokenSince).toEqual(at(0));
  });

  it('that is seen again owes nothing to what was before', () => {
    expect(after([0, MISSING], [31, MISSING], [62, MISSING], [400, REACHABLE])).toEqual(HEALTHY);
    expect(after([0, MISSING], [31, MISSING], [40, REACHABLE], [62, MISSING]).failures).toBe(1);
  });

  it('keeps what is known through looks that say nothing, for seven days', () => {
    const broken = after([0, MISSING], [31, MISSING], [62, MISSING]);
    expect(addFinding(broken, UNKNOWN, at(63))).toBe(broken);
    expect(addFinding(broken, UNKNOWN, new Date(at(62).getTime() + 7 * DAY_MS))).toBe(broken);
    expect(addFinding(broken, UNKNOWN, new Date(at(62).getTime() + 7 * DAY_MS + 1))).toEqual(HEALTHY);
    expect(after([0, MISSING], [31, UNKNOWN], [62, MISSING], [93, MISSING]).brokenSince).toEqual(at(0));
  });

  it('is looked at daily; a failure is confirmed within half an hour, a broken one seen after six', () => {
    expect(nextCheckDelayMs(HEALTHY, REACHABLE)).toBe(DAY_MS);
    expect(nextCheckDelayMs(HEALTHY, UNKNOWN)).toBe(DAY_MS);
    expect(nextCheckDelayMs(after([0, MISSING]), MISSING)).toBe(31 * MINUTE_MS);
    expect(nextCheckDelayMs(after([0, MISSING]), UNKNOWN)).toBe(360 * MINUTE_MS);
    expect(nextCheckDelayMs(after([0, MISSING], [31, MISSING], [62, MISSING]), MISSING)).toBe(360 * MINUTE_MS);
  });

  it('followed at the pauses it asks for, is known as broken after the third failure', () => {
    const first = after([0, MISSING]);
    const second = addFinding(first, MISSING, new Date(START + nextCheckDelayMs(first, MISSING)));
    expect(second.brokenSince).toBeNull();
    const third = addFinding(second, MISSING, new Date(START + 2 * nextCheckDelayMs(second, MISSING)));
    expect(third.brokenSince).toEqual(at(0));
  });

  it('whatever is found: broken means at least three failures over an hour, and failures are whole', () => {
    const look = fc.tuple(fc.nat({ max: 3_000 }), fc.constantFrom(MISSING, MISSING, UNKNOWN, REACHABLE));
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), (looks) => {
        let minutes = 0;
        let health = HEALTHY;
        for (const [pause, finding] of looks) {
          minutes += pause;
          health = addFinding(health, finding, at(minutes));
          const { failures, failure, firstFailedAt, lastFailedAt, brokenSince } = health;
          expect([failure, firstFailedAt, lastFailedAt].filter((value) => value === null)).toHaveLength(
            failures === 0 ? 3 : 0,
          );
          if (brokenSince === null) continue;
          expect(failures).toBeGreaterThanOrEqual(3);
          expect(Number(lastFailedAt) - Number(firstFailedAt)).toBeGreaterThanOrEqual(60 * MINUTE_MS);
          expect(brokenSince).toEqual(firstFailedAt);
        }
      }),
    );
  });
});

describe('what is said of it', () => {
  it('is nothing unless it is broken, and then since when and why', () => {
    expect(destinationProblems({ brokenSince: null, failure: null })).toEqual([]);
    expect(destinationProblems({ brokenSince: null, failure: 'gone' })).toEqual([]);
    expect(destinationProblems({ brokenSince: at(0), failure: 'item_missing' })).toEqual([
      {
        code: 'destination_broken',
        since: at(0),
        detail: 'The shop shows its page for items that no longer exist.',
      },
    ]);
  });
});
