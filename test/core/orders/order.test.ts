import { describe, expect, it } from 'vitest';
import { foldOrder } from '../../../src/core/orders/order.ts';
import type { LineEvidence } from '../../../src/core/orders/order-event.ts';
import { fact, fold, lineOf, minute, refund, sold } from '../money/money-builders.ts';

const paid = fact({ type: 'paid', occurredAt: minute(5), lines: [sold('1', 10_000), sold('2', 5_000)] });

describe('which event wins', () => {
  it('no event is no order', () => {
    expect(foldOrder([])).toBeUndefined();
  });

  it('refuses the events of two orders as a bug', () => {
    const other = fact({ type: 'closed', externalOrderId: 'E2' });
    expect(() => foldOrder([paid, other])).toThrow('one fold is one order');
  });

  it('the greater version wins over a later time', () => {
    const order = fold(
      fact({ type: 'paid', version: 2, occurredAt: minute(1), lines: [sold('1', 200)] }),
      fact({ type: 'paid', version: 1, occurredAt: minute(9), lines: [sold('1', 100)] }),
    );
    expect(lineOf(order, '1').paidFen).toBe(200n);
  });

  it('with equal versions the later time wins', () => {
    const order = fold(
      fact({ type: 'paid', occurredAt: minute(1), lines: [sold('1', 100)] }),
      fact({ type: 'paid', occurredAt: minute(2), lines: [sold('1', 200)] }),
    );
    expect(lineOf(order, '1').paidFen).toBe(200n);
  });

  it('with equal versions and times the greater fingerprint wins', () => {
    const order = fold(
      fact({ type: 'paid', lines: [sold('1', 100)] }, 'b'.repeat(64)),
      fact({ type: 'paid', lines: [sold('1', 200)] }, 'a'.repeat(64)),
    );
    expect(lineOf(order, '1').paidFen).toBe(100n);
  });

  it('a creation of a greater version never outranks a payment', () => {
    const order = fold(paid, fact({ type: 'created', version: 99, lines: [sold('1', 77)] }));
    expect(lineOf(order, '1').paidFen).toBe(10_000n);
  });
});

function said(sls: string): { evidence: LineEvidence; itemKeys: string[] } {
  return { evidence: { sls }, itemKeys: [`item:${sls}`] };
}

describe('lines', () => {
  it('nothing is paid before a payment is known, whatever the creation says', () => {
    const order = fold(fact({ type: 'created', lines: [sold('1', 10_000, { quantity: 3 })] }));
    expect(order).toMatchObject({ status: 'created', paidAt: undefined });
    expect(lineOf(order, '1')).toMatchObject({ paidFen: 0n, quantity: 3 });
  });

  it('a line the winning payment leaves out stays known with nothing paid and its last quantity', () => {
    const order = fold(
      fact({ type: 'created', version: 7, lines: [sold('2', 1, { quantity: 9 })] }),
      fact({ type: 'paid', version: 1, lines: [sold('1', 100), sold('2', 50, { quantity: 4 })] }),
      fact({ type: 'paid', version: 2, lines: [sold('1', 100)] }),
    );
    expect(lineOf(order, '2')).toMatchObject({ paidFen: 0n, quantity: 4 });
  });

  it('evidence comes from the payment and, field by field, from the creation', () => {
    const created = { clickId: 'from-created', couponCode: 'C1', noteCodes: ['abc'] };
    const order = fold(
      fact({ type: 'created', lines: [sold('1', 1, { evidence: created, itemKeys: ['item:9'] })] }),
      fact({ type: 'paid', lines: [sold('1', 1, { evidence: { clickId: 'from-paid', sls: 'S' }, itemKeys: [] })] }),
    );
    const { evidence, itemKeys } = lineOf(order, '1');
    expect(evidence).toEqual({ clickId: 'from-paid', couponCode: 'C1', noteCodes: ['abc'], sls: 'S' });
    expect(itemKeys).toEqual(['item:9']);
  });

  it('a line that neither winner mentions keeps what was last said of it; one of them is enough to speak', () => {
    const before = fact({ type: 'paid', version: 1, lines: [sold('2', 50, said('before'))] });
    const winner = fact({ type: 'paid', version: 2, lines: [sold('1', 100)] });
    expect(lineOf(fold(before, winner), '2')).toMatchObject(said('before'));
    const created = fact({ type: 'created', lines: [sold('2', 50, said('created'))] });
    expect(lineOf(fold(before, winner, created), '2')).toMatchObject(said('created'));
  });

  it('lines come ascending by id', () => {
    const order = fold(fact({ type: 'paid', lines: [sold('b', 1), sold('B', 1), sold('10', 1), sold('9', 1)] }));
    expect(order.lines.map((line) => line.externalLineId)).toEqual(['10', '9', 'B', 'b']);
  });
});

describe('times', () => {
  const at = { createdAt: minute(1) };
  it.each([
    ['the creation says so', [fact({ type: 'created', occurredAt: minute(2), ...at }), paid], 1],
    ['else when the creation happened', [fact({ type: 'created', occurredAt: minute(2) }), paid], 2],
    ['else the payment says so', [fact({ type: 'paid', occurredAt: minute(5), ...at })], 1],
    [
      'said by the payment outranks when the creation reached us',
      [fact({ type: 'created', occurredAt: minute(2) }), fact({ type: 'paid', occurredAt: minute(5), ...at })],
      1,
    ],
    ['else any message says so', [paid, fact({ type: 'received', occurredAt: minute(8), ...at })], 1],
    ['else the payment itself', [fact({ type: 'paid', occurredAt: minute(5), paidAt: minute(4) })], 4],
    ['else the first thing known', [fact({ type: 'received', occurredAt: minute(8) }), fact({ type: 'closed' })], 0],
  ])('createdAt: %s', (_, events, expected) => {
    expect(fold(...events).createdAt).toEqual(minute(expected));
  });

  it('paidAt is the pay time of the winning payment, else when it happened', () => {
    expect(fold(paid).paidAt).toEqual(minute(5));
    expect(fold(fact({ type: 'paid', occurredAt: minute(5), paidAt: minute(4) })).paidAt).toEqual(minute(4));
  });
});

describe('receipt', () => {
  it('a later receipt of line 2 does not take back the receipt of line 1', () => {
    const first = fact({ type: 'received', occurredAt: minute(10), lineIds: ['1'] });
    const second = fact({ type: 'received', version: 2, occurredAt: minute(20), lineIds: ['2'] });
    expect(fold(paid, first)).toMatchObject({ status: 'paid', receivedAt: undefined });
    const order = fold(paid, first, second);
    expect(order).toMatchObject({ status: 'received', receivedAt: minute(20) });
    const earlier = fact({ type: 'received', version: 3, occurredAt: minute(7), lineIds: ['2'] });
    expect(fold(paid, first, earlier).receivedAt).toEqual(minute(10));
    expect(lineOf(order, '1').receivedAt).toEqual(minute(10));
  });

  it('a receipt that names no line is a receipt of all', () => {
    const order = fold(paid, fact({ type: 'received', occurredAt: minute(10), lineIds: [] }));
    expect(order.lines.map((line) => line.receivedAt)).toEqual([minute(10), minute(10)]);
  });

  it('a settlement counts as the receipt only where there is none', () => {
    const settled = fact({ type: 'settled', occurredAt: minute(30) });
    const received = fact({ type: 'received', occurredAt: minute(10), lineIds: ['1'] });
    const order = fold(paid, settled, received);
    expect(order.lines.map((line) => line.receivedAt)).toEqual([minute(10), minute(30)]);
  });

  it('a receipt before the payment is kept and counts when the payment comes', () => {
    const received = fact({ type: 'received', occurredAt: minute(10) });
    expect(fold(received)).toMatchObject({ status: 'created', lines: [] });
    expect(fold(received, fact({ type: 'created', lines: [sold('1', 5)] })).status).toBe('created');
    expect(fold(received, paid).status).toBe('received');
  });

  it('an order whose lines are not known yet is paid, not received', () => {
    expect(fold(fact({ type: 'paid' }), fact({ type: 'received' }))).toMatchObject({ status: 'paid', lines: [] });
  });

  it('an order of gifts alone can be received', () => {
    const gifts = fact({ type: 'paid', lines: [sold('1', 0)] });
    expect(fold(gifts).status).toBe('paid');
    expect(fold(gifts, fact({ type: 'received' })).status).toBe('received');
  });
});

describe('close', () => {
  const received = fact({ type: 'received', occurredAt: minute(10), lineIds: ['1'] });

  it('zeroes what was not received, and spares what was, whenever the receipt came', () => {
    const close = fact({ type: 'closed', occurredAt: minute(9) });
    const order = fold(close, received, paid);
    expect(order).toMatchObject({ status: 'received', receivedAt: minute(10), closedAt: undefined });
    expect(lineOf(order, '1')).toMatchObject({ closed: false, refundedFen: 0n });
    expect(lineOf(order, '2')).toMatchObject({ closed: true, refundedFen: 5_000n, refundExcessFen: 0n });
  });

  it('with a full refund zeroes received lines too', () => {
    const order = fold(paid, received, fact({ type: 'closed', occurredAt: minute(11), fullRefund: true }));
    expect(order).toMatchObject({ status: 'closed', closedAt: minute(11), receivedAt: undefined });
    expect(order.lines.map((line) => line.refundedFen)).toEqual([10_000n, 5_000n]);
  });

  it('that names lines touches no other', () => {
    const order = fold(paid, fact({ type: 'closed', lineIds: ['2'] }));
    expect(order.lines.map((line) => line.closed)).toEqual([false, true]);
    expect(order.status).toBe('paid');
  });

  it('of an unpaid order closes it', () => {
    const order = fold(fact({ type: 'created', lines: [sold('1', 1)] }), fact({ type: 'closed' }));
    expect(order).toMatchObject({ status: 'closed' });
    expect(lineOf(order, '1')).toMatchObject({ closed: true, paidFen: 0n, refundedFen: 0n });
  });

  it('alone, before anything else is known, is a closed order without lines', () => {
    expect(fold(fact({ type: 'closed', occurredAt: minute(3) }))).toMatchObject({
      status: 'closed',
      lines: [],
      closedAt: minute(3),
    });
  });

  it('a gift that stays does not keep an order open whose paid lines are all closed', () => {
    const withGift = fact({ type: 'paid', lines: [sold('1', 0), sold('2', 5_000)] });
    expect(fold(withGift, received, fact({ type: 'closed' })).status).toBe('closed');
  });

  it('after a refund that was booked already takes the rest and no excess', () => {
    const refunded = fact({ type: 'refunded', ...refund('R1', [[], 15_000]) });
    const order = fold(paid, refunded, fact({ type: 'closed', fullRefund: true }));
    expect(order.lines.map((line) => [line.refundedFen, line.refundExcessFen])).toEqual([
      [10_000n, 0n],
      [5_000n, 0n],
    ]);
  });
});
