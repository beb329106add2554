import { assert as check, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalCoupon } from '../../../src/core/attribution/coupon.ts';

describe('the canonical form of a coupon code', () => {
  it.each([
    ['save20', 'SAVE20'],
    ['  Save20 ', 'SAVE20'],
    ['ＳＡＶＥ２０', 'SAVE20'],
    ['\u3000双11\u3000', '双11'],
    ['a-b_c', 'A-B_C'],
    ['cafe\u0301', 'CAFÉ'],
    ['x'.repeat(64), 'X'.repeat(64)],
  ])('%j is %j', (raw, code) => {
    expect(canonicalCoupon(raw)).toBe(code);
  });

  it.each(['', '   ', 'SAVE 20', '-SAVE', 'SAVE%20', 'a\0b', 'x'.repeat(65), '\u0301', '😀', 'x'.repeat(10_000)])(
    '%j cannot be a code',
    (raw) => {
      expect(canonicalCoupon(raw)).toBeUndefined();
    },
  );

  it('applying it again changes nothing, and case never matters', () => {
    check(
      property(string({ unit: 'binary', maxLength: 70 }), (raw) => {
        const code = canonicalCoupon(raw);
        if (code === undefined) return;
        expect(canonicalCoupon(code)).toBe(code);
        expect(canonicalCoupon(code.toLowerCase().toUpperCase())).toBe(code);
      }),
      { seed: 20_261_122, numRuns: 20_000 },
    );
  });
});
