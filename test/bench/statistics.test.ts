import { describe, expect, it } from 'vitest';
import { median, percentile, rounded, summarise } from '../../bench/support/statistics.ts';

describe('medians of rounds', () => {
  it('one disturbed round of three does not move the figure', () => {
    expect(summarise([70, 20, 71])).toEqual({ median: 70, min: 20, max: 71 });
  });

  it('of an even number of rounds it is the mean of the middle two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('values are ordered as numbers, not as texts', () => {
    expect(median([9, 100, 10])).toBe(10);
  });

  it('nothing measured is NaN, never a number somebody could take for one', () => {
    expect(summarise([])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
    expect(percentile([], 0.99)).toBeNaN();
    expect(rounded(Number.NaN, 2)).toBeNaN();
  });

  it('a percentile is one of the values: the least that so many of them do not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile([7], 0.01)).toBe(7);
  });
});
