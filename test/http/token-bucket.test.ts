import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { refilled, secondsUntilToken } from '../../src/http/token-bucket.ts';

const LIMITS = { burst: 60, perSecond: 1 };

describe('a token bucket', () => {
  it('fills at its rate and never beyond its burst', () => {
    expect(refilled({ tokens: 0, atMs: 1_000 }, 3_500, LIMITS)).toEqual({ tokens: 2.5, atMs: 3_500 });
    expect(refilled({ tokens: 59, atMs: 0 }, 100_000, LIMITS)).toEqual({ tokens: 60, atMs: 100_000 });
  });

  it('gives and takes nothing when the clock steps back', () => {
    expect(refilled({ tokens: 7, atMs: 5_000 }, 1_000, LIMITS)).toEqual({ tokens: 7, atMs: 5_000 });
  });

  it('says in whole seconds when there is a token again, and then there is one', () => {
    expect(secondsUntilToken({ tokens: 0, atMs: 0 }, LIMITS)).toBe(1);
    expect(secondsUntilToken({ tokens: 0, atMs: 0 }, { burst: 5, perSecond: 0.1 })).toBe(10);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        fc.integer({ min: 1, max: 600 }),
        (tokens, perMinute) => {
          const limits = { burst: 60, perSecond: perMinute / 60 };
          const waitMs = secondsUntilToken({ tokens, atMs: 0 }, limits) * 1_000;
          expect(refilled({ tokens, atMs: 0 }, waitMs, limits).tokens).toBeGreaterThan(0.999_999);
        },
      ),
    );
  });
});
