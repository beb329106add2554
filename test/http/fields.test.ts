import { assert, bigInt, pre, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { count, day, dayOrInstant, fen, instant, isStorableText, prefixedId, text } from '../../src/http/fields.ts';

const reads = (schema: z.ZodType, value: unknown): unknown => {
  const result = schema.safeParse(value);
  return result.success ? result.data : 'refused';
};

describe('fen', () => {
  it('reads JSON integers of 0 to 2^53 - 1 and nothing else', () => {
    expect(reads(fen, 0)).toBe(0n);
    expect(reads(fen, 9_007_199_254_740_991)).toBe(9_007_199_254_740_991n);
    for (const bad of [-1, 1.5, 9_007_199_254_740_992, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null]) {
      expect(reads(fen, bad)).toBe('refused');
    }
  });

  it('writes any amount that fits, also a negative one in a total, and refuses what would be rounded', () => {
    expect(z.encode(fen, -750n)).toBe(-750);
    expect(() => z.encode(fen, 9_007_199_254_740_992n)).toThrow('does not fit');
  });

  it('what is written reads back the same', () => {
    assert(
      property(bigInt({ min: 0n, max: 9_007_199_254_740_991n }), (amountFen) => {
        expect(fen.parse(JSON.parse(JSON.stringify(z.encode(fen, amountFen))))).toBe(amountFen);
        expect(count.parse(z.encode(count, amountFen))).toBe(amountFen);
      }),
    );
  });
});

describe('times', () => {
  it('an instant needs a zone and is written in UTC', () => {
    expect(reads(instant, '2026-11-22T11:04:05+08:00')).toEqual(new Date('2026-11-22T03:04:05Z'));
    expect(z.encode(instant, new Date('2026-11-22T03:04:05Z'))).toBe('2026-11-22T03:04:05.000Z');
    for (const bad of ['2026-11-22T03:04:05', '2026-02-30T00:00:00Z', '2026-11-22', '0001-01-01T00:00:00Z', 5, '']) {
      expect(reads(instant, bad)).toBe('refused');
    }
  });

  it('a day of from and to is its 00:00 in Shanghai', () => {
    expect(reads(dayOrInstant, '2026-11-22')).toEqual(new Date('2026-11-21T16:00:00Z'));
    expect(reads(dayOrInstant, '2026-11-22T00:00:00Z')).toEqual(new Date('2026-11-22T00:00:00Z'));
    for (const bad of ['2026-11-31', '2026-13-01', '22.11.2026', '', ['2026-11-22', '2026-11-23']]) {
      expect(reads(dayOrInstant, bad)).toBe('refused');
    }
    expect(reads(day, '2026-02-29')).toBe('refused');
  });
});

describe('text', () => {
  it('is trimmed, bounded, and never holds what Postgres refuses', () => {
    expect(reads(text(3), ' 带货 ')).toBe('带货');
    for (const bad of ['', '   ', 'abcd', 'a\0', '\ud800', '\udc00\ud800']) expect(reads(text(3), bad)).toBe('refused');
  });

  it('whatever is accepted survives UTF-8 unchanged', () => {
    assert(
      property(string({ unit: 'binary' }), (candidate) => {
        pre(isStorableText(candidate));
        expect(Buffer.from(candidate, 'utf8').toString('utf8')).toBe(candidate);
        expect(candidate).not.toContain('\0');
      }),
    );
  });
});

it('an id needs its own prefix', () => {
  expect(reads(prefixedId('brd'), 'brd_0a9z')).toBe('brd_0a9z');
  for (const bad of ['brd_', 'str_0a9z', 'brd_A', 'brd_0a\n', 'brd_%', `brd_${'a'.repeat(49)}`, 7]) {
    expect(reads(prefixedId('brd'), bad)).toBe('refused');
  }
});
