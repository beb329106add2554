import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEligibility, DEFAULT_ELIGIBILITY_RULE } from '../../../src/core/catalog/eligibility.ts';
import type { EligibilityRule, StoreRecord } from '../../../src/core/catalog/eligibility.ts';

const TODAY = '2026-11-22';
const GOOD: StoreRecord = { score: '4.8', scale: '5', openedOn: '2024-01-01' };

function reasonCodes(store: Partial<StoreRecord>, rule: EligibilityRule = DEFAULT_ELIGIBILITY_RULE): string[] {
  const { eligible, reasons } = checkEligibility({ ...GOOD, ...store }, rule, TODAY);
  expect(eligible).toBe(reasons.length === 0);
  return reasons.map(({ code }) => code);
}

describe('checkEligibility', () => {
  it.each([
    ['4', '5', []],
    ['4.0', '5.00', []],
    ['3.999999999999999', '5', ['score_too_low']],
    ['80', '100', []],
    ['79.99', '100', ['score_too_low']],
    ['40000', '50000', []],
    ['39999', '50000', ['score_too_low']],
    ['0.8', '1', []],
    ['2.4', '3', []],
    ['2.39', '3', ['score_too_low']],
    ['5', '5', []],
    ['0', '5', ['score_too_low']],
  ])('a rating of %s of %s gives %j', (score, scale, codes) => {
    expect(reasonCodes({ score, scale })).toEqual(codes);
  });

  it('compares exactly where floating point would not', () => {
    // 0.1 + 0.2 of 1 is 0.30000000000000004 in floats; and 4.35/4.35 of these scales differ only behind the 15th place.
    const rule = { minStars: { score: '0.3', scale: '1' }, minAgeDays: 0 };
    expect(reasonCodes({ score: '0.3', scale: '1.000000000000001' }, rule)).toEqual(['score_too_low']);
    expect(reasonCodes({ score: '0.300000000000001', scale: '1' }, rule)).toEqual([]);
    expect(reasonCodes({ score: '999999999999999', scale: '999999999999999' })).toEqual([]);
  });

  it('judges the same on every scale', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 1_000 }), (hundredths, factor) => {
        const expected = hundredths >= 400 ? [] : ['score_too_low'];
        const score = `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
        expect(reasonCodes({ score, scale: '5' })).toEqual(expected);
        expect(reasonCodes({ score: String(hundredths * factor), scale: String(500 * factor) })).toEqual(expected);
      }),
    );
  });

  it.each([
    ['5.01', '5'],
    ['0', '0'],
    ['-1', '5'],
    ['NaN', '5'],
    ['4,8', '5'],
    ['', '5'],
    ['4.8', '5e0'],
    ['4.', '5'],
  ])('refuses the impossible rating %j of %j', (score, scale) => {
    expect(reasonCodes({ score, scale })).toEqual(['invalid_rating']);
  });

  it.each([
    ['2026-08-24', []],
    ['2026-08-25', ['too_new']],
    ['2026-11-22', ['too_new']],
    ['2026-11-23', ['too_new']],
    ['2026-02-30', ['invalid_opening_day']],
    ['2026-8-4', ['invalid_opening_day']],
    ['yesterday', ['invalid_opening_day']],
  ])('a store that opened on %s gives %j on 2026-11-22', (openedOn, codes) => {
    expect(reasonCodes({ openedOn })).toEqual(codes);
  });

  it('names what is not known, and everything that stands against a store at once', () => {
    expect(reasonCodes({ score: null, scale: null, openedOn: null })).toEqual(['no_rating', 'no_opening_day']);
    expect(
      checkEligibility({ score: '3.9', scale: '5', openedOn: '2026-10-23' }, DEFAULT_ELIGIBILITY_RULE, TODAY),
    ).toEqual({
      eligible: false,
      reasons: [
        { code: 'score_too_low', detail: "The store's rating is 3.9 of 5; at least 4 of 5 is needed." },
        {
          code: 'too_new',
          detail: 'The store opened 30 days ago, on 2026-10-23; at least 90 days of experience are needed.',
        },
      ],
    });
  });

  it('follows a configured rule', () => {
    const rule = { minStars: { score: '4.7', scale: '5' }, minAgeDays: 0 };
    expect(reasonCodes({ score: '4.7', openedOn: TODAY }, rule)).toEqual([]);
    expect(reasonCodes({ score: '4.69', openedOn: TODAY }, rule)).toEqual(['score_too_low']);
    expect(reasonCodes({ openedOn: '2026-11-23' }, rule)).toEqual(['too_new']);
  });

  it('throws on a rule or a day that nobody checked', () => {
    expect(() => checkEligibility(GOOD, { minStars: { score: '4', scale: '0' }, minAgeDays: 90 }, TODAY)).toThrow(
      'fraction',
    );
    expect(() => checkEligibility(GOOD, { ...DEFAULT_ELIGIBILITY_RULE, minAgeDays: 1.5 }, TODAY)).toThrow(
      'number of days',
    );
    expect(() => checkEligibility(GOOD, DEFAULT_ELIGIBILITY_RULE, '2026-02-30')).toThrow('calendar');
  });
});
