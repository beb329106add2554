import { describe, expect, it } from 'vitest';

import { STEP_WINDOW_MS, isStepInTime, parseStepReport } from '../../../src/core/clicks/visit-step.ts';
import { STEPS } from '../../../src/core/vocabulary.ts';

const CLICK_ID = 'AQAAAAABAZ2sdnSAAAAAAAAAAAAAAAAAAAAAAA';
const CLICKED_AT = new Date('2026-11-22T04:00:00Z');

describe('the report of a step', () => {
  it('names a click and a step, and nothing else', () => {
    for (const step of STEPS) expect(parseStepReport(`${CLICK_ID} ${step}`)).toEqual({ clickId: CLICK_ID, step });
    for (const text of [
      '',
      'view',
      `${CLICK_ID} shown`,
      `${CLICK_ID} view more`,
      `${CLICK_ID}x view`,
      `${CLICK_ID} constructor`,
    ])
      expect(parseStepReport(text)).toBeUndefined();
  });

  it.each([
    ['with its click', 0, true],
    ['a day after it', STEP_WINDOW_MS, true],
    ['later', STEP_WINDOW_MS + 1, false],
    ['before it, by another clock', -120_000, true],
    ['earlier', -120_001, false],
  ])('%s', (_, afterMs, expected) => {
    const steppedAt = new Date(CLICKED_AT.getTime() + afterMs);
    expect(isStepInTime({ clickedAt: CLICKED_AT, steppedAt })).toBe(expected);
  });
});
