/** The stored form of events: what is folded before it is stored must be what would be folded from it afterwards. */
import * as fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { OrderEvent } from '../../src/core/orders/order-event.ts';
import { decodeOrderEvent, encodeOrderEvent, fingerprintOf } from '../../src/orders/intake/event-record.ts';
import { foldEvents, foldStoredOrder } from '../../src/orders/intake/fold-orders.ts';
import { canonicalJson, parseJsonText } from '../../src/platforms/json-text.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const fen = fc.bigInt({ min: 0n, max: 10n ** 12n });
const instant = fc.date({ min: new Date('2000-01-01Z'), max: new Date('2099-12-31Z'), noInvalidDate: true });
const lineId = fc.constantFrom('1', '2', '3');

const line = fc.record({
  externalLineId: lineId,
  itemKeys: fc.array(name, { maxLength: 3 }),
  quantity: fc.integer({ min: 1, max: 1_000_000 }),
  paidFen: fen,
  evidence: fc.record(
    { clickId: name, couponCode: name, noteCodes: fc.array(name, { maxLength: 2 }), sls: name, clickedAt: instant },
    { requiredKeys: [] },
  ),
});
const refund = fc.record({
  refundId: name,
  kind: fc.constantFrom('refund', 'exchange'),
  portions: fc.array(fc.record({ lineIds: fc.array(lineId, { maxLength: 2 }), refundedFen: fen }), { maxLength: 2 }),
});
const event: fc.Arbitrary<OrderEvent> = fc.record(
  {
    type: fc.constantFrom(
      'created',
      'paid',
      'received',
      'settled',
      'closed',
      'refunded',
      'refund_requested',
      'refund_closed',
    ),
    externalOrderId: fc.constant('order'),
    version: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    occurredAt: instant,
    createdAt: instant,
    paidAt: instant,
    lines: fc.uniqueArray(line, { selector: ({ externalLineId }) => externalLineId, maxLength: 3 }),
    lineIds: fc.array(lineId, { maxLength: 2 }),
    fullRefund: fc.boolean(),
    refund,
  },
  { requiredKeys: ['type', 'externalOrderId', 'version', 'occurredAt'] },
);

describe('the stored form of an event', () => {
  it('reads back as the event, also through the text that Postgres keeps', () => {
    fc.assert(
      fc.property(event, (fact) => {
        expect(decodeOrderEvent(JSON.parse(JSON.stringify(encodeOrderEvent(fact))))).toEqual(fact);
      }),
    );
  });

  it('has the fingerprint of its text with sorted keys, as every event stored so far', () => {
    fc.assert(
      fc.property(event, (fact) => {
        const stored = encodeOrderEvent(fact);
        const value = parseJsonText(JSON.stringify(stored));
        const text = value === undefined ? '' : canonicalJson(value);
        expect(fingerprintOf(stored)).toEqual(createHash('sha256').update(text).digest());
      }),
    );
  });

  it('folds to the same order as the events it was made of', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.boolean()), { minLength: 1, maxLength: 4 }), (facts) => {
        const rows = facts.map(([fact, makesFacts]) => {
          const stored = encodeOrderEvent(fact);
          return { fact, makesFacts, stored, fingerprint: fingerprintOf(stored) };
        });
        const atHand = foldEvents(rows.map(({ fact, ...row }) => ({ ...row, event: fact })));
        const replayed = foldStoredOrder(
          rows.map(({ stored, ...row }) => ({ ...row, event: JSON.parse(JSON.stringify(stored)) as unknown })),
        );
        expect(atHand).toEqual(replayed);
      }),
    );
  });
});
