import { describe, expect, it } from 'vitest';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import {
  commissionFor,
  commissionLegs,
  lineCommission,
  payableAt,
  splitCommission,
} from '../../../src/core/money/commission.ts';
import { plainTerms, sharedTerms } from './money-builders.ts';

describe('a rate', () => {
  it.each([
    [19_900n, 1_500, 2_985n],
    [14_900n, 1_500, 2_235n],
    // 0.4999, 0.5 and 1.4999, 1.5 fen: half a fen goes up, less goes down.
    [4_999n, 1, 0n],
    [5_000n, 1, 1n],
    [14_999n, 1, 1n],
    [15_000n, 1, 2n],
    [1n, 4_999, 0n],
    [1n, 5_000, 1n],
    [1n, 9_000, 1n],
    [0n, 9_000, 0n],
    [19_900n, 0, 0n],
    [9_007_199_254_740_993n, 9_000, 8_106_479_329_266_894n],
  ])('of %d fen at %d basis points is %d fen', (netFen, rateBp, expected) => {
    expect(commissionFor({ netFen, rateBp })).toBe(expected);
  });

  it.each([-1, 9_001, 0.5, Number.NaN])('of %d basis points is refused as a bug', (rateBp) => {
    expect(() => commissionFor({ netFen: 1n, rateBp })).toThrow('0 to 9000');
  });

  it('of a negative amount is refused as a bug', () => {
    expect(() => commissionFor({ netFen: -1n, rateBp: 1 })).toThrow('never negative');
  });
});

describe('the commission of a line', () => {
  const platform: Pick<CommissionTerms, 'basis' | 'rate'> = {
    basis: 'platform_commission',
    rate: { kind: 'rate', rateBp: 5_000 },
  };

  it.each([
    ['a rate is taken of what was not refunded', { refundedFen: 5_000n, terms: plainTerms }, 2_235n],
    ['a full refund leaves nothing', { refundedFen: 19_900n, terms: plainTerms }, 0n],
    ['one fen left can still earn', { refundedFen: 19_899n, terms: { ...plainTerms, rate: rate(5_000) } }, 1n],
    ['a flat amount counts per piece', { quantity: 3, terms: flat(700n) }, 2_100n],
    ['a flat amount shrinks in proportion', { paidFen: 300n, refundedFen: 100n, terms: flat(100n) }, 67n],
    ['a flat half fen goes up', { paidFen: 200n, refundedFen: 100n, terms: flat(101n) }, 51n],
    ['a flat third of a fen goes down', { paidFen: 300n, refundedFen: 200n, terms: flat(100n) }, 33n],
    ['a flat amount equal to the net is whole', { paidFen: 700n, terms: flat(700n) }, 700n],
    ['a flat amount above the net is capped', { paidFen: 699n, terms: flat(700n) }, 699n],
    ['a flat amount of a full refund is nothing', { refundedFen: 19_900n, terms: flat(700n) }, 0n],
    ['no piece earns no flat amount', { quantity: 0, terms: flat(700n) }, 0n],
    ['a gift earns nothing', { paidFen: 0n, terms: flat(700n) }, 0n],
    ['half of what the platform paid', { platformCommissionFen: 1_001n, terms: platform }, 501n],
    [
      'what the platform paid, in proportion to the net, first rounded by itself',
      { paidFen: 200n, refundedFen: 100n, platformCommissionFen: 101n, terms: platform },
      26n,
    ],
    ['a platform commission not yet known earns nothing', { terms: platform }, 0n],
    ['a platform commission above the net is capped', { platformCommissionFen: 90_000n, terms: platform }, 19_900n],
  ])('%s', (_, line, expected) => {
    expect(lineCommission({ paidFen: 19_900n, refundedFen: 0n, quantity: 1, ...line })).toBe(expected);
  });

  it.each([
    [{ paidFen: 100n, refundedFen: 101n }, 'at most what was paid'],
    [{ paidFen: 100n, refundedFen: -1n }, 'at most what was paid'],
    [{ paidFen: 100n, refundedFen: 0n, terms: flat(-1n) }, 'never negative'],
    [{ paidFen: 100n, refundedFen: 0n, quantity: 0.5, terms: flat(1n) }, 'whole number'],
    [{ paidFen: 100n, refundedFen: 0n, platformCommissionFen: -1n, terms: platform }, 'never negative'],
  ])('refuses impossible facts as a bug', (line, message) => {
    expect(() => lineCommission({ quantity: 1, terms: plainTerms, ...line })).toThrow(message);
  });
});

function flat(flatFen: bigint): Pick<CommissionTerms, 'basis' | 'rate'> {
  return { basis: 'order_amount', rate: { kind: 'flat', flatFen } };
}

function rate(rateBp: number): CommissionTerms['rate'] {
  return { kind: 'rate', rateBp };
}

describe('the split', () => {
  it.each([
    ['nobody but the influencer', 2_985n, 0, 0, [0n, 0n, 2_985n]],
    ['the fee is taken first, the agency shares the rest', 3_980n, 1_000, 3_000, [398n, 1_075n, 2_507n]],
    ['half a fen goes to the fee', 5n, 1_000, 0, [1n, 0n, 4n]],
    ['less than half does not', 4n, 1_000, 0, [0n, 0n, 4n]],
    ['half a fen of the rest goes to the agency', 1n, 0, 5_000, [0n, 1n, 0n]],
    ['the agency may take all', 100n, 1_000, 10_000, [10n, 90n, 0n]],
    ['the operator may take all', 100n, 10_000, 5_000, [100n, 0n, 0n]],
    ['nothing is split into nothing', 0n, 1_000, 3_000, [0n, 0n, 0n]],
  ])('%s', (_, totalFen, platformFeeBp, agencyShareBp, expected) => {
    const { feeFen, agencyFen, influencerFen } = splitCommission({ totalFen, platformFeeBp, agencyShareBp });
    expect([feeFen, agencyFen, influencerFen]).toEqual(expected);
  });

  it.each([-1, 10_001, 1.5])('refuses a share of %d basis points as a bug', (shareBp) => {
    expect(() => splitCommission({ totalFen: 1n, platformFeeBp: shareBp, agencyShareBp: 0 })).toThrow('0 to 10000');
    expect(() => splitCommission({ totalFen: 1n, platformFeeBp: 0, agencyShareBp: shareBp })).toThrow('0 to 10000');
  });
});

describe('legs', () => {
  it('each payee has what it keeps and what refunds took from it', () => {
    expect(commissionLegs({ paidFen: 19_900n, refundedFen: 5_000n, quantity: 1 }, sharedTerms)).toEqual([
      { payeeId: 'pye_operator', role: 'operator', commissionFen: 298n, reversedFen: 100n },
      { payeeId: 'pye_agency', role: 'agency', commissionFen: 805n, reversedFen: 270n },
      { payeeId: 'pye_lin', role: 'influencer', commissionFen: 1_877n, reversedFen: 630n },
    ]);
  });

  it('nobody without a share has a leg', () => {
    const agency = { payeeId: 'pye_agency', shareBp: 0 };
    expect(commissionLegs({ paidFen: 19_900n, refundedFen: 19_900n, quantity: 1 }, { ...plainTerms, agency })).toEqual([
      { payeeId: 'pye_lin', role: 'influencer', commissionFen: 0n, reversedFen: 2_985n },
    ]);
  });
});

const receivedAt = new Date('2026-11-01T04:00:00.000Z');
const after = (days: number, ms = 0): Date => new Date(receivedAt.getTime() + days * 86_400_000 + ms);

describe('payableAt', () => {
  it.each([
    { holdDays: 15, seen: undefined, due: after(15) },
    { holdDays: 0, seen: undefined, due: receivedAt },
    { holdDays: 0, seen: after(0, 2000), due: receivedAt },
    // Exactly a day later is on time, a millisecond more is late.
    { holdDays: 0, seen: after(1), due: receivedAt },
    { holdDays: 0, seen: after(1, 1), due: after(2, 1) },
    { holdDays: 15, seen: after(2), due: after(15) },
    { holdDays: 15, seen: after(14), due: after(15) },
    { holdDays: 15, seen: after(14, 1), due: after(15, 1) },
    { holdDays: 15, seen: after(30), due: after(31) },
    // A shop's clock that runs ahead of ours is no late receipt.
    { holdDays: 15, seen: after(-1), due: after(15) },
  ])('hold $holdDays days, seen $seen: due $due', ({ holdDays, seen, due }) => {
    expect(payableAt({ receivedAt, receivedSeenAt: seen, holdDays })).toEqual(due);
  });
});
