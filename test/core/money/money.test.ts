import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fenToJson, formatFenAsYuan, parseYuanToFen } from '../../../src/core/money/money.ts';

describe('parseYuanToFen', () => {
  it.each([
    ['0', 0n, false],
    ['0.00', 0n, false],
    ['0.01', 1n, false],
    ['0.1', 10n, false],
    ['12.5', 1250n, false],
    ['199.00', 19900n, false],
    ['49.9000', 4990n, false],
    ['007.10', 710n, false],
    ['17.955', 1796n, true],
    ['0.0049', 0n, true],
    ['0.0050', 1n, true],
    ['0.0051', 1n, true],
    ['0.9949', 99n, true],
    ['0.9950', 100n, true],
    ['9999999999999.99', 999_999_999_999_999n, false],
  ] as const)('reads %s exactly', (text, fen, rounded) => {
    expect(parseYuanToFen(text)).toEqual({ ok: true, fen, rounded });
  });

  it.each(
    [
      '',
      ' ',
      '-1',
      '+1',
      '-0.01',
      '1e3',
      '1E3',
      '.5',
      '5.',
      '1,000',
      '1.2.3',
      ' 1',
      '1 ',
      '1\n',
      '１２',
      '0x10',
      'NaN',
      'null',
      '￥1',
    ].concat(['10000000000000', '--', '1_000', '٣']),
  )('refuses %j', (text) => {
    expect(parseYuanToFen(text)).toEqual({ ok: false, reason: 'not_an_amount' });
  });

  it('refuses more than four decimals even when they are zeros', () => {
    expect(parseYuanToFen('1.00000')).toEqual({ ok: false, reason: 'too_many_decimals' });
  });

  it('gives back every amount that formatFenAsYuan wrote', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999_999n }), (fen) => {
        expect(parseYuanToFen(formatFenAsYuan(fen))).toEqual({ ok: true, fen, rounded: false });
      }),
    );
  });

  it('never answers anything but a whole, non-negative amount, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.stringMatching(/^[-+0-9.eE]{0,20}$/)), (text) => {
        const parsed = parseYuanToFen(text);
        expect(parsed.ok ? parsed.fen >= 0n && /^[0-9.]+$/.test(text) : parsed.reason !== undefined).toBe(true);
      }),
    );
  });
});

describe('fenToJson', () => {
  it('passes every amount up to 2^53 − 1 either way', () => {
    expect(fenToJson(9_007_199_254_740_991n)).toBe(9_007_199_254_740_991);
    expect(fenToJson(-9_007_199_254_740_991n)).toBe(-9_007_199_254_740_991);
    expect(fenToJson(0n)).toBe(0);
  });

  it('throws instead of rounding beyond that', () => {
    expect(() => fenToJson(9_007_199_254_740_992n)).toThrow(RangeError);
    expect(() => fenToJson(-9_007_199_254_740_992n)).toThrow(RangeError);
  });
});

describe('formatFenAsYuan', () => {
  it.each([
    [0n, '0.00'],
    [1n, '0.01'],
    [99n, '0.99'],
    [100n, '1.00'],
    [2985n, '29.85'],
    [-1n, '-0.01'],
    [-2985n, '-29.85'],
  ] as const)('writes %s as %s', (fen, text) => {
    expect(formatFenAsYuan(fen)).toBe(text);
  });
});
