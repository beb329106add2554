import { describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../../src/core/orders/order.ts';
import { spreadRefund } from '../../../src/core/orders/refunds.ts';
import { fact, fold, minute, refund, sold } from '../money/money-builders.ts';

const paid = fact({ type: 'paid', occurredAt: minute(5), lines: [sold('1', 10_000), sold('2', 5_000)] });

function refundsOf(...events: Parameters<typeof fold>): string {
  return fold(...events)
    .lines.map((line) => `${line.externalLineId}: ${line.refundedFen} of ${line.paidFen} over ${line.refundExcessFen}`)
    .join(', ');
}

function three(...remaining: bigint[]): { lineId: string; remainingFen: bigint }[] {
  return remaining.map((remainingFen, position) => ({ lineId: `l${position}`, remainingFen }));
}

function openLines(...events: StoredEvent[]): string[] {
  const open = fold(paid, ...events).lines.filter((line) => line.refundOpen);
  return open.map((line) => line.externalLineId);
}

function withdrawn(minutes: number): StoredEvent {
  return fact({ type: 'refund_closed', occurredAt: minute(minutes), ...refund('R1') });
}

describe('refunds', () => {
  it.each([
    ['just below what was paid', 9_999, '1: 9999 of 10000 over 0, 2: 0 of 5000 over 0'],
    ['exactly what was paid', 10_000, '1: 10000 of 10000 over 0, 2: 0 of 5000 over 0'],
    ['one fen more than was paid', 10_001, '1: 10000 of 10000 over 1, 2: 0 of 5000 over 0'],
  ])('of one line: %s', (_, amount, expected) => {
    expect(refundsOf(paid, fact({ type: 'refunded', ...refund('R1', [['1'], amount]) }))).toBe(expected);
  });

  it('several refunds of a line add up, versions of one refund replace each other', () => {
    const events = [
      fact({ type: 'refunded', version: 1, ...refund('R1', [['1'], 4_000]) }),
      fact({ type: 'refunded', version: 2, ...refund('R1', [['1'], 3_000]) }),
      fact({ type: 'refunded', version: 1, ...refund('R2', [['1'], 500]) }),
    ];
    expect(refundsOf(paid, ...events)).toBe('1: 3500 of 10000 over 0, 2: 0 of 5000 over 0');
  });

  it('a later event for line 2 does not take back what the same refund gave for line 1', () => {
    const events = [
      fact({ type: 'refunded', version: 1, ...refund('R1', [['1'], 4_000]) }),
      fact({ type: 'refunded', version: 2, ...refund('R1', [['2'], 700]) }),
    ];
    expect(refundsOf(paid, ...events)).toBe('1: 4000 of 10000 over 0, 2: 700 of 5000 over 0');
  });

  it('a spread amount falls whole once a greater event speaks for one of its lines', () => {
    const events = [
      fact({ type: 'refunded', version: 1, ...refund('R1', [['1', '2'], 3_000]) }),
      fact({ type: 'refunded', version: 2, ...refund('R1', [['2'], 700]) }),
    ];
    expect(refundsOf(paid, ...events)).toBe('1: 0 of 10000 over 0, 2: 700 of 5000 over 0');
  });

  it('a spread amount takes the place of the lesser events of its refund', () => {
    const events = [
      fact({ type: 'refunded', version: 1, ...refund('R1', [['2'], 700]) }),
      fact({ type: 'refunded', version: 2, ...refund('R1', [[], 3_000]) }),
    ];
    expect(refundsOf(paid, ...events)).toBe('1: 2000 of 10000 over 0, 2: 1000 of 5000 over 0');
  });

  it('line-specific amounts come first, spread ones over what remains', () => {
    const events = [
      fact({ type: 'refunded', ...refund('R1', [['1', '2'], 6_000]) }),
      fact({ type: 'refunded', ...refund('R2', [['1'], 7_000]) }),
    ];
    // 3,000 of line 1 and 5,000 of line 2 remain: 6,000 is 2,250 and 3,750.
    expect(refundsOf(paid, ...events)).toBe('1: 9250 of 10000 over 0, 2: 3750 of 5000 over 0');
  });

  it('spread amounts go by refund id, then by their position in the message', () => {
    const three = fact({ type: 'paid', lines: [sold('1', 100), sold('2', 100), sold('3', 100)] });
    const second = fact({ type: 'refunded', version: 9, ...refund('R2', [['2', '3'], 50]) });
    expect(refundsOf(three, second, fact({ type: 'refunded', ...refund('R1', [['1', '2'], 200]) }))).toBe(
      '1: 100 of 100 over 0, 2: 100 of 100 over 0, 3: 50 of 100 over 0',
    );
    const message = refund('R1', [['1', '2'], 200], [['2', '3'], 50]);
    const turned = refund('R1', [['2', '3'], 50], [['1', '2'], 200]);
    expect(refundsOf(three, fact({ type: 'refunded', ...message }))).toBe(
      '1: 100 of 100 over 0, 2: 100 of 100 over 0, 3: 50 of 100 over 0',
    );
    expect(refundsOf(three, fact({ type: 'refunded', ...turned }))).toBe(
      '1: 100 of 100 over 25, 2: 100 of 100 over 0, 3: 25 of 100 over 0',
    );
  });

  it('what does not fit stands on the first line of the set', () => {
    expect(refundsOf(paid, fact({ type: 'refunded', ...refund('R1', [['2', '1'], 15_007]) }))).toBe(
      '1: 10000 of 10000 over 7, 2: 5000 of 5000 over 0',
    );
  });

  it('before the payment are kept and take effect with it', () => {
    const early = fact({ type: 'refunded', ...refund('R1', [['1'], 20_000]) });
    const created = fact({ type: 'created', lines: [sold('1', 10_000)] });
    expect(refundsOf(created, early)).toBe('1: 0 of 0 over 0');
    expect(refundsOf(created, early, paid)).toBe('1: 10000 of 10000 over 10000, 2: 0 of 5000 over 0');
  });

  it('of an unknown line wait for a payment that brings it', () => {
    const early = fact({ type: 'refunded', ...refund('R1', [['3'], 100]) });
    expect(refundsOf(paid, early)).toBe('1: 0 of 10000 over 0, 2: 0 of 5000 over 0');
    const later = fact({ type: 'paid', version: 2, lines: [sold('1', 10_000), sold('3', 300)] });
    expect(refundsOf(paid, early, later)).toBe('1: 0 of 10000 over 0, 2: 0 of 0 over 0, 3: 100 of 300 over 0');
  });

  it('an exchange takes no money back', () => {
    const exchange = refund('R1', [['1'], 4_000]);
    exchange.refund.kind = 'exchange';
    expect(refundsOf(paid, fact({ type: 'refunded', ...exchange }))).toBe(refundsOf(paid));
  });

  it('a request takes no money back', () => {
    expect(refundsOf(paid, fact({ type: 'refund_requested', ...refund('R1', [['1'], 4_000]) }))).toBe(refundsOf(paid));
  });

  it('refuses a negative refund as a bug', () => {
    expect(() => fold(paid, fact({ type: 'refunded', ...refund('R1', [['1'], -1]) }))).toThrow('never negative');
  });
});

describe('spreading', () => {
  it.each([
    ['equal remainders go by line id', 100n, [100n, 100n, 100n], [34n, 33n, 33n], 0n],
    ['what does not fit is excess', 10n, [1n, 2n, 4n], [1n, 2n, 4n], 3n],
    ['the largest remainder is served first', 1n, [1n, 2n, 0n], [0n, 1n, 0n], 0n],
    ['exact parts need no remainder', 7n, [2n, 4n, 8n], [1n, 2n, 4n], 0n],
    ['one below everything', 6n, [1n, 2n, 4n], [1n, 2n, 3n], 0n],
    ['nothing', 0n, [5n, 5n, 5n], [0n, 0n, 0n], 0n],
  ])('%s', (_, amountFen, remaining, shares, excessFen) => {
    const result = spreadRefund({ amountFen, lines: three(...remaining) });
    expect([...result.shares.values()]).toEqual(shares);
    expect(result.excessFen).toBe(excessFen);
  });

  it('over lines of which nothing remains is all excess', () => {
    expect(spreadRefund({ amountFen: 9n, lines: three(0n, 0n) }).excessFen).toBe(9n);
  });
});

describe('an open refund', () => {
  const requested = fact({ type: 'refund_requested', occurredAt: minute(10), ...refund('R1', [['1'], 100]) });

  it('holds the lines it names', () => {
    expect(openLines(requested)).toEqual(['1']);
  });

  it.each([
    ['no portion', refund('R1')],
    ['a portion without lines', refund('R1', [[], 100])],
  ])('with %s holds every line', (_, payload) => {
    expect(openLines(fact({ type: 'refund_requested', ...payload }))).toEqual(['1', '2']);
  });

  it.each([
    ['before the request', 9, ['1']],
    ['at the request', 10, []],
    ['after the request', 11, []],
  ])('a withdrawal %s', (_, minutes, expected) => {
    expect(openLines(requested, withdrawn(minutes))).toEqual(expected);
  });

  it('asked again after a withdrawal is open again', () => {
    const again = fact({ type: 'refund_requested', occurredAt: minute(12), ...refund('R1', [['2'], 100]) });
    expect(openLines(requested, withdrawn(11), again)).toEqual(['2']);
  });

  it.each(['refund', 'exchange'] as const)('ends with a %s, whenever that came', (kind) => {
    const end = refund('R1', [['1'], 1]);
    end.refund.kind = kind;
    expect(openLines(requested, fact({ type: 'refunded', occurredAt: minute(1), ...end }))).toEqual([]);
  });

  it('another refund ends nothing of this one', () => {
    expect(openLines(requested, fact({ type: 'refunded', ...refund('R2', [['1'], 1]) }))).toEqual(['1']);
  });

  it('a wish to exchange holds nothing', () => {
    const exchange = refund('R1', [['1'], 0]);
    exchange.refund.kind = 'exchange';
    expect(openLines(fact({ type: 'refund_requested', ...exchange }))).toEqual([]);
  });
});
