import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LineEntry } from '../../../src/core/money/accounts.ts';
import { positionOf, sumLineEntries } from '../../../src/core/money/accounts.ts';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import { commissionLegs, lineCommission, splitCommission } from '../../../src/core/money/commission.ts';
import type { DesiredLine } from '../../../src/core/money/journal.ts';
import { bookDifference } from '../../../src/core/money/journal.ts';
import type { FoldedLine, StoredEvent } from '../../../src/core/orders/order.ts';
import { foldOrder } from '../../../src/core/orders/order.ts';
import type { OrderEvent, OrderLineFact } from '../../../src/core/orders/order-event.ts';
import { spreadRefund } from '../../../src/core/orders/refunds.ts';
import { anyAmount, anyTerms, runs } from './money-arbitraries.ts';
import { dimensionsOf, fact, minute, refund, sold, standingOf, sumByPayee } from './money-builders.ts';

const lineIds = fc.subarray(['a', 'b', 'c']);
const portions = fc.array(fc.tuple(lineIds, anyAmount), { maxLength: 2 });

/** Small ranges everywhere, so that equal versions, equal times and repeated ids are common rather than rare. */
const anyFact: fc.Arbitrary<StoredEvent> = fc
  .record({
    type: fc.constantFrom<OrderEvent['type'][]>(
      ...(['created', 'paid', 'paid', 'received', 'settled', 'closed'] as const),
      ...(['refunded', 'refunded', 'refund_requested', 'refund_closed'] as const),
    ),
    version: fc.integer({ min: 1, max: 3 }),
    minutes: fc.integer({ min: 0, max: 5 }),
    createdMinute: fc.option(fc.integer({ min: 0, max: 5 })),
    soldIds: lineIds,
    paid: fc.array(anyAmount, { minLength: 3, maxLength: 3 }),
    quantity: fc.integer({ min: 0, max: 3 }),
    evidence: fc.record(
      { clickId: fc.constantFrom('k1', 'k2'), sls: fc.constantFrom('s1', 's2') },
      { requiredKeys: [] },
    ),
    named: lineIds,
    fullRefund: fc.boolean(),
    refundId: fc.constantFrom('R1', 'R2'),
    kind: fc.constantFrom('refund', 'refund', 'exchange'),
    portions,
  })
  .map((draw) => {
    const { refund: payload } = refund(draw.refundId, ...draw.portions);
    return fact({
      type: draw.type,
      version: draw.version,
      occurredAt: minute(draw.minutes),
      ...(draw.createdMinute === null ? {} : { createdAt: minute(draw.createdMinute) }),
      ...(['created', 'paid'].includes(draw.type) ? { lines: soldLines(draw) } : {}),
      ...(['received', 'settled', 'closed'].includes(draw.type) ? { lineIds: draw.named } : {}),
      ...(draw.type === 'closed' ? { fullRefund: draw.fullRefund } : {}),
      ...(draw.type.startsWith('refund') ? { refund: { ...payload, kind: draw.kind } } : {}),
    });
  });

function soldLines(draw: { soldIds: string[]; paid: number[]; quantity: number; evidence: object }): OrderLineFact[] {
  const { quantity, evidence } = draw;
  return draw.soldIds.map((id, position) => sold(id, draw.paid[position] ?? 0, { quantity, evidence }));
}

const anyFacts = fc.array(anyFact, { minLength: 1, maxLength: 12 });

const anyLine = fc
  .record({
    paidFen: fc.oneof(fc.bigInt({ min: 0n, max: 50n }), fc.bigInt({ min: 0n, max: 2n ** 53n })),
    part: fc.integer({ min: 0, max: 1_000 }),
    quantity: fc.integer({ min: 0, max: 1_000 }),
    platformCommissionFen: fc.option(fc.bigInt({ min: 0n, max: 100_000n }), { nil: undefined }),
  })
  .map(({ paidFen, part, quantity, platformCommissionFen }) => {
    const refundedFen = (paidFen * BigInt(part)) / 1_000n;
    return { paidFen, refundedFen, quantity, platformCommissionFen };
  });

describe('the fold', () => {
  it('any permutation and any duplication of the same events gives the same order', () => {
    const histories = anyFacts.chain((facts) =>
      fc.record({
        facts: fc.constant(facts),
        shuffled: fc.shuffledSubarray(facts, { minLength: facts.length }),
        again: fc.array(fc.constantFrom(...facts), { maxLength: 6 }),
      }),
    );
    fc.assert(
      fc.property(histories, ({ facts, shuffled, again }) => {
        expect(foldOrder([...again, ...shuffled, ...again])).toEqual(foldOrder(facts));
      }),
      runs(3_000),
    );
  });

  it('what was given back is between nothing and what was paid, and a closed line is given back in full', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        for (const line of foldOrder(facts)?.lines ?? []) {
          expect(line.refundedFen >= 0n && line.refundedFen <= line.paidFen && line.refundExcessFen >= 0n).toBe(true);
          expect(!line.closed || line.refundedFen === line.paidFen).toBe(true);
        }
      }),
      runs(2_000),
    );
  });

  it('every fen of a refund is either given back or excess, whatever its shape', () => {
    const refunds = fc.array(fc.tuple(lineIds, anyAmount), { minLength: 1, maxLength: 6 });
    const paid = fc.tuple(anyAmount, anyAmount, anyAmount);
    fc.assert(
      fc.property(paid, refunds, ([a, b, c], drawn) => {
        const order = foldOrder([
          fact({ type: 'paid', lines: [sold('a', a), sold('b', b), sold('c', c)] }),
          ...drawn.map((portion, position) => fact({ type: 'refunded', ...refund(`R${position}`, portion) })),
        ]);
        const asked = drawn.reduce((sum, [, fen]) => sum + BigInt(fen), 0n);
        const booked = order?.lines.reduce((sum, line) => sum + line.refundedFen + line.refundExcessFen, 0n);
        expect(booked).toBe(asked);
      }),
      runs(2_000),
    );
  });

  it('partial refunds of R leave the commission of P − min(R, P), in any order', () => {
    const story = fc.tuple(anyAmount, fc.array(anyAmount, { maxLength: 5 }), anyTerms);
    fc.assert(
      fc.property(story, ([paid, refunds, terms]) => {
        const facts = [
          fact({ type: 'paid', lines: [sold('a', paid)] }),
          ...refunds.map((fen, position) => fact({ type: 'refunded', ...refund(`R${position}`, [['a'], fen]) })),
        ];
        const [line] = foldOrder(facts.toReversed())?.lines ?? [];
        const [paidFen, asked] = [BigInt(paid), BigInt(refunds.reduce((sum, fen) => sum + fen, 0))];
        const refundedFen = asked < paidFen ? asked : paidFen;
        expect(line).toMatchObject({ paidFen, refundedFen, refundExcessFen: asked - refundedFen });
        const commission = lineCommission({ paidFen, refundedFen, quantity: 1, terms });
        expect(refundedFen === paidFen ? commission : 0n).toBe(0n);
      }),
      runs(1_000),
    );
  });
});

describe('spreading a refund', () => {
  it('shares and excess sum to the anyAmount, and each share is its exact part within one fen', () => {
    const lines = fc
      .array(fc.bigInt({ min: 0n, max: 10_000n }), { minLength: 1, maxLength: 6 })
      .map((remaining) => remaining.map((remainingFen, position) => ({ lineId: `l${position}`, remainingFen })));
    fc.assert(
      fc.property(lines, fc.bigInt({ min: 0n, max: 30_000n }), (lines, amountFen) => {
        const { shares, excessFen } = spreadRefund({ amountFen, lines });
        const totalFen = lines.reduce((sum, line) => sum + line.remainingFen, 0n);
        const spreadFen = [...shares.values()].reduce((sum, share) => sum + share, 0n);
        expect(spreadFen + excessFen).toBe(amountFen);
        expect(excessFen).toBe(amountFen > totalFen ? amountFen - totalFen : 0n);
        for (const { lineId, remainingFen } of lines) {
          const share = shares.get(lineId) ?? 0n;
          const offBy = share * totalFen - spreadFen * remainingFen;
          expect(share <= remainingFen && offBy <= totalFen && -offBy <= totalFen).toBe(true);
        }
      }),
      runs(2_000),
    );
  });
});

describe('commission', () => {
  it('is never below zero nor above what the buyer did not get back, and nothing of a full refund', () => {
    fc.assert(
      fc.property(anyLine, anyTerms, (line, terms) => {
        const earned = lineCommission({ ...line, terms });
        expect(earned >= 0n && earned <= line.paidFen - line.refundedFen).toBe(true);
        expect(lineCommission({ ...line, refundedFen: line.paidFen, terms })).toBe(0n);
      }),
      runs(3_000),
    );
  });

  it('legs sum to the whole, and what refunds took of each leg is never negative', () => {
    fc.assert(
      fc.property(anyLine, anyTerms, (line, terms) => {
        const legs = commissionLegs(line, terms);
        const sum = legs.reduce((total, leg) => total + leg.commissionFen, 0n);
        const reversed = legs.reduce((total, leg) => total + leg.reversedFen, 0n);
        expect(sum).toBe(lineCommission({ ...line, terms }));
        expect(sum + reversed).toBe(lineCommission({ ...line, refundedFen: 0n, terms }));
        expect(legs.every((leg) => leg.commissionFen >= 0n && leg.reversedFen >= 0n)).toBe(true);
      }),
      runs(3_000),
    );
  });

  it('no part of the split rises when the total falls by any amount', () => {
    const bp = fc.integer({ min: 0, max: 10_000 });
    const totals = fc.oneof(
      fc.tuple(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 3n })),
      fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 0n, max: 10n ** 12n })),
    );
    fc.assert(
      fc.property(totals, bp, bp, ([lower, more], platformFeeBp, agencyShareBp) => {
        const small = splitCommission({ totalFen: lower, platformFeeBp, agencyShareBp });
        const large = splitCommission({ totalFen: lower + more, platformFeeBp, agencyShareBp });
        expect(small.feeFen + small.agencyFen + small.influencerFen).toBe(lower);
        expect(small.feeFen <= large.feeFen).toBe(true);
        expect(small.agencyFen <= large.agencyFen).toBe(true);
        expect(small.influencerFen <= large.influencerFen && small.influencerFen >= 0n).toBe(true);
      }),
      runs(3_000),
    );
  });
});

function desiredOf(line: FoldedLine, terms: CommissionTerms, more: { paidAt: Date; released: boolean }): DesiredLine {
  const { externalLineId, paidFen, refundedFen, quantity } = line;
  return {
    dimensions: dimensionsOf(externalLineId, { paidAt: more.paidAt }),
    amounts: { lines: 1, paidFen, refundedFen },
    legs: commissionLegs({ paidFen, refundedFen, quantity, platformCommissionFen: 90n }, terms),
    owesAccount: terms.basis === 'order_amount' ? 'brand_owes' : 'platform_owes',
    released: more.released,
  };
}

/** Posts what one state of the events asks for, every line of the order; a line earns only once it is paid for. */
function bookOrder(before: LineEntry[], facts: StoredEvent[], terms: CommissionTerms, released: boolean): LineEntry[] {
  const order = foldOrder(facts);
  const lineEntries = [...before];
  for (const lineId of ['a', 'b', 'c']) {
    const line = order?.lines.find(({ externalLineId }) => externalLineId === lineId);
    const paidAt = order?.paidAt;
    const earns = line !== undefined && paidAt !== undefined && line.paidFen > 0n;
    const desired = earns ? desiredOf(line, terms, { paidAt, released }) : undefined;
    const booked = sumLineEntries(before).filter(({ dimensions }) => dimensions.lineId === lineId);
    const difference = bookDifference({ booked, desired });
    const sums = difference.flatMap((lineEntry) => [...sumByPayee([lineEntry]).values()]);
    assert(
      sums.every((sum) => sum === 0n),
      'every lineEntry sums to 0 for every payee',
    );
    lineEntries.push(...difference);
  }
  return lineEntries;
}

describe('the journal', () => {
  it('booking after every event, in any order, ends as booking once', () => {
    const histories = anyFacts.chain((facts) =>
      fc.tuple(fc.constant(facts), fc.shuffledSubarray(facts, { minLength: facts.length }), anyTerms),
    );
    fc.assert(
      fc.property(histories, ([facts, shuffled, terms]) => {
        let lineEntries: LineEntry[] = [];
        for (let count = 1; count <= shuffled.length; count += 1) {
          lineEntries = bookOrder(lineEntries, shuffled.slice(0, count), terms, false);
        }
        lineEntries = bookOrder(lineEntries, shuffled, terms, true);
        expect(standingOf(lineEntries)).toEqual(standingOf(bookOrder([], facts, terms, true)));
        expect(bookOrder(lineEntries, facts, terms, true)).toHaveLength(lineEntries.length);
      }),
      runs(1_000),
    );
  });

  it('a full refund before the payout ends at zero for everybody', () => {
    fc.assert(
      fc.property(anyFacts, anyTerms, (facts, terms) => {
        const full = fact({ type: 'closed', version: 9, occurredAt: minute(9), fullRefund: true });
        const lineEntries = bookOrder(bookOrder([], facts, terms, true), [...facts, full], terms, true);
        const { reversedFen, ...money } = positionOf(sumLineEntries(lineEntries));
        expect(Object.values(money)).toEqual([0n, 0n, 0n, 0n, 0n, 0n]);
        expect(reversedFen >= 0n).toBe(true);
      }),
      runs(1_000),
    );
  });
});
