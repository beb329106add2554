import { describe, expect, it } from 'vitest';
import { bucketKey, positionOf, stageOf, sumLineEntries } from '../../../src/core/money/accounts.ts';
import type { CommissionLeg } from '../../../src/core/money/commission.ts';
import { bookDifference } from '../../../src/core/money/journal.ts';
import { lockPayout, markPaid, receiveFromBrand } from '../../../src/core/money/payout-postings.ts';
import { dimensionsOf, jot, minute, plainTerms, sharedTerms, standingOf } from './money-builders.ts';
import { desire, nothing, paidOut, Story, tenPercent } from './money-story.ts';

describe('199.00 at 15 %, as the design tells it', () => {
  it('accrue, release, lock, pay', () => {
    const story = new Story();
    expect(story.book(desire())).toEqual(['brand_owes +2985', 'pending -2985']);
    expect(stageOf(story.position())).toBe('pending');
    expect(story.book(desire({ released: true }))).toEqual(['pending +2985', 'payable -2985']);
    expect(stageOf(story.position())).toBe('payable');
    expect(story.lock()).toEqual(['payable +2985', 'in_payout -2985']);
    expect(stageOf(story.position())).toBe('in_payout');
    expect(story.post(markPaid([story.leg(2_985n)]))).toEqual(['in_payout +2985', 'cash -2985']);
    expect(stageOf(story.position())).toBe('paid');
    expect(story.position()).toEqual({
      commissionFen: 2_985n,
      pendingFen: 0n,
      payableFen: 0n,
      inPayoutFen: 0n,
      paidOutFen: 2_985n,
      debtFen: 0n,
      reversedFen: 0n,
    });
  });

  it('a refund of 50.00 before the payout is taken from pending or payable', () => {
    const early = new Story();
    early.book(desire());
    expect(early.book(desire({ refundedFen: 5_000n }))).toEqual(['brand_owes -750', 'pending +750']);
    const late = new Story();
    late.book(desire({ released: true }));
    expect(late.book(desire({ released: true, refundedFen: 5_000n }))).toEqual(['brand_owes -750', 'payable +750']);
    expect(late.position()).toMatchObject({ commissionFen: 2_235n, payableFen: 2_235n, reversedFen: 750n });
  });

  it('the same refund after the payout is debt, and the next batch takes it off line 2', () => {
    const story = paidOut();
    expect(story.book(desire({ released: true, refundedFen: 5_000n }))).toEqual(['brand_owes -750', 'debt +750']);
    story.book(desire({ lineId: 'L2', paidFen: 10_000n, terms: tenPercent, released: true }));
    const { lineEntries, payoutFen, nettedFen } = lockPayout(story.legs());
    expect([payoutFen, nettedFen]).toEqual([250n, 750n]);
    expect(story.post(lineEntries)).toEqual(['debt -750', 'L2 payable +1000', 'L2 in_payout -250']);
    story.post(markPaid([story.leg(250n, 'L2')]));
    expect(story.position('L1')).toMatchObject({ commissionFen: 2_235n, paidOutFen: 2_235n, debtFen: 0n });
    expect(story.position('L2')).toMatchObject({ commissionFen: 1_000n, paidOutFen: 1_000n, debtFen: 0n });
  });

  it('the brand pays what it owes, on no line', () => {
    const receipt = { payeeId: 'pye_lin', owesAccount: 'brand_owes', amountFen: 2_985n } as const;
    expect(jot(receiveFromBrand(receipt))).toEqual(['cash +2985', 'brand_owes -2985']);
    expect(() => receiveFromBrand({ ...receipt, amountFen: 0n })).toThrow('above zero');
  });
});

describe('booking by difference', () => {
  it('writes nothing when the books are right', () => {
    const story = new Story();
    story.book(desire());
    expect(story.book(desire())).toEqual([]);
    expect(bookDifference({ booked: [], desired: undefined })).toEqual([]);
  });

  it('carries the dimensions and the change of lines, paid and refunded', () => {
    const [accrual] = bookDifference({ booked: [], desired: desire() });
    expect(accrual).toMatchObject({
      dimensions: dimensionsOf('L1'),
      amounts: { lines: 1, paidFen: 19_900n, refundedFen: 0n },
    });
    const [refunded] = bookDifference({
      booked: sumLineEntries(accrual === undefined ? [] : [accrual]),
      desired: desire({ refundedFen: 5_000n }),
    });
    expect(refunded?.amounts).toEqual({ lines: 0, paidFen: 0n, refundedFen: 5_000n });
    expect(refunded?.postings.map((posting) => posting.reversedFen)).toEqual([750n, 0n]);
  });

  it('is posted also when no money moves', () => {
    const free = { ...plainTerms, rate: { kind: 'rate', rateBp: 0 } } as const;
    expect(bookDifference({ booked: [], desired: desire({ terms: free }) })).toEqual([
      { dimensions: dimensionsOf('L1'), amounts: { lines: 1, paidFen: 19_900n, refundedFen: 0n }, postings: [] },
    ]);
  });

  it('a line first seen after its full refund carries what was lost on a posting of 0', () => {
    const [lineEntry] = bookDifference({ booked: [], desired: desire({ refundedFen: 19_900n }) });
    expect(lineEntry?.postings).toEqual([
      { payeeId: 'pye_lin', account: 'brand_owes', amountFen: 0n, reversedFen: 2_985n },
    ]);
  });

  it('a full refund before the payout ends at zero everywhere', () => {
    const story = new Story();
    story.book(desire({ released: true }));
    story.book(desire({ released: true, refundedFen: 19_900n }));
    expect(story.position()).toEqual({ ...nothing, reversedFen: 2_985n });
    expect(stageOf(story.position())).toBe('none');
  });

  it('a line that earns nothing any more is taken back whole, what was lost to refunds included', () => {
    const story = new Story();
    story.book(desire({ refundedFen: 5_000n }));
    expect(story.book(undefined)).toEqual(['brand_owes -2235', 'pending +2235']);
    expect(standingOf(story.lineEntries)).toEqual([]);
  });

  it('a commission that rises again cancels debt first', () => {
    const story = paidOut();
    story.book(desire({ released: true, refundedFen: 5_000n }));
    expect(story.book(desire({ released: true, refundedFen: 3_000n }))).toEqual(['brand_owes +300', 'debt -300']);
    const more = desire({ released: true, paidFen: 20_000n });
    expect(story.book(more)).toEqual(['brand_owes +465', 'payable -15', 'debt -450']);
  });

  it('another influencer: taken back from one, given to the other', () => {
    const story = new Story();
    story.book(desire({ released: true }));
    const other = { influencerId: 'inf_wu', terms: { ...plainTerms, influencerPayeeId: 'pye_wu' } };
    const lineEntries = bookDifference({ booked: sumLineEntries(story.lineEntries), desired: desire(other) });
    expect(
      lineEntries.map(({ dimensions, amounts, postings }) => [dimensions.influencerId, amounts.lines, jot(postings)]),
    ).toEqual([
      ['inf_lin', -1, ['brand_owes -2985', 'payable +2985']],
      ['inf_wu', 1, ['brand_owes +2985', 'pending -2985']],
    ]);
  });

  it('another influencer after the payout: the first owes it back', () => {
    const story = paidOut();
    const other = { influencerId: 'inf_wu', terms: { ...plainTerms, influencerPayeeId: 'pye_wu' }, released: true };
    expect(story.book(desire(other))).toEqual(['brand_owes -2985', 'debt +2985', 'brand_owes +2985', 'payable -2985']);
    expect(positionOf(sumLineEntries(story.lineEntries), 'pye_lin')).toMatchObject({
      commissionFen: 0n,
      debtFen: 2_985n,
    });
    expect(positionOf(sumLineEntries(story.lineEntries), 'pye_wu')).toMatchObject({ payableFen: 2_985n, debtFen: 0n });
  });

  it("the operator's leg stands in the fee accounts and counts as pending and payable", () => {
    const story = new Story();
    story.book(desire({ terms: sharedTerms }));
    const leg = (payeeId: string): string[] =>
      jot(story.lineEntries.flatMap(({ postings }) => postings.filter((posting) => posting.payeeId === payeeId)));
    expect(leg('pye_operator')).toEqual(['brand_owes +398', 'fee_pending -398']);
    expect(leg('pye_agency')).toEqual(['brand_owes +1075', 'pending -1075']);
    expect(story.position()).toMatchObject({ commissionFen: 3_980n, pendingFen: 3_980n });
    story.book(desire({ terms: sharedTerms, released: true }));
    expect(story.position()).toMatchObject({ commissionFen: 3_980n, payableFen: 3_980n, pendingFen: 0n });
    const lock = lockPayout(story.legs('pye_operator'));
    expect(lock.lineEntries.flatMap(({ postings }) => jot(postings))).toEqual(['fee_earned +398', 'in_payout -398']);
  });

  it('a payee with two legs on one line has one balance', () => {
    const twice: CommissionLeg[] = [
      { payeeId: 'pye_lin', role: 'operator', commissionFen: 100n, reversedFen: 5n },
      { payeeId: 'pye_lin', role: 'influencer', commissionFen: 900n, reversedFen: 45n },
    ];
    const story = new Story();
    expect(story.book({ ...desire(), legs: twice })).toEqual(['brand_owes +1000', 'pending -900', 'fee_pending -100']);
    expect(story.position()).toMatchObject({ commissionFen: 1_000n, reversedFen: 50n });
    expect(story.book({ ...desire(), legs: twice.slice(1) })).toEqual(['brand_owes -100', 'fee_pending +100']);
  });

  it('who owes may change with the basis, and is taken back where it stood', () => {
    const story = new Story();
    story.book(desire({ refundedFen: 5_000n }));
    const byPlatform = { ...desire({ refundedFen: 5_000n }), owesAccount: 'platform_owes' } as const;
    expect(story.book(byPlatform)).toEqual(['brand_owes -2235', 'platform_owes +2235']);
    expect(story.position()).toMatchObject({ commissionFen: 2_235n, pendingFen: 2_235n, paidOutFen: 0n });
    expect(story.book(undefined)).toEqual(['platform_owes -2235', 'pending +2235']);
    expect(standingOf(story.lineEntries)).toEqual([]);
  });

  it('refuses books of two lines, a bucket read twice and a negative leg as bugs', () => {
    const [bucket] = sumLineEntries(bookDifference({ booked: [], desired: desire() }));
    const booked = bucket === undefined ? [] : [bucket];
    expect(() => bookDifference({ booked, desired: desire({ lineId: 'L2' }) })).toThrow('one line');
    expect(() => bookDifference({ booked: [...booked, ...booked], desired: desire() })).toThrow('read once');
    const negative = { payeeId: 'pye_lin', role: 'influencer', commissionFen: -1n, reversedFen: 0n } as const;
    expect(() => bookDifference({ booked, desired: { ...desire(), legs: [negative] } })).toThrow('never negative');
  });

  it('buckets differ by every dimension', () => {
    const texts = ['brandId', 'lineId', 'orderId', 'storeId', 'productId', 'platform', 'linkId', 'tag', 'influencerId'];
    const others = [...texts, 'agencyPayeeId', 'method'].map((name): [string, unknown] => [name, 'x']);
    const keys = [...others, ['paidAt', minute(6)] as const].map(([name, value]) =>
      bucketKey({ ...dimensionsOf('L1'), [name]: value }),
    );
    expect(new Set([bucketKey(dimensionsOf('L1')), ...keys]).size).toBe(13);
    expect(bucketKey(dimensionsOf('L1', { paidAt: minute(5) }))).toBe(bucketKey(dimensionsOf('L1')));
  });
});

describe('the stage', () => {
  it.each([
    [{ inPayoutFen: 1n, payableFen: 1n, pendingFen: 1n, paidOutFen: 1n }, 'in_payout'],
    [{ payableFen: 1n, pendingFen: 1n, paidOutFen: 1n }, 'payable'],
    [{ pendingFen: 1n, paidOutFen: 1n }, 'pending'],
    [{ paidOutFen: 1n }, 'paid'],
    [{ debtFen: 1n }, 'none'],
  ])('of %o is %s', (position, stage) => {
    expect(stageOf({ ...nothing, ...position })).toBe(stage);
  });
});
