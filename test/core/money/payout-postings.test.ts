import { describe, expect, it } from 'vitest';
import { failPayout, lockPayout, markPaid, writeOff } from '../../../src/core/money/payout-postings.ts';
import { dimensionsOf, jot } from './money-builders.ts';
import { desire, paidOut, Story, tenPercent } from './money-story.ts';

describe('payouts', () => {
  it('a payout that fails makes the money payable again', () => {
    const story = new Story();
    story.book(desire({ released: true }));
    story.lock();
    const failed = failPayout([{ ...story.leg(2_985n), earnedAccount: 'payable' }]);
    expect(story.post(failed)).toEqual(['in_payout +2985', 'payable -2985']);
    expect(story.book(desire({ released: true }))).toEqual([]);
  });

  it('a refund while the payout is under way is debt, which a failed payout cancels first', () => {
    const story = new Story();
    story.book(desire({ released: true }));
    story.lock();
    expect(story.book(desire({ released: true, refundedFen: 5_000n }))).toEqual(['brand_owes -750', 'debt +750']);
    const failed = failPayout([{ ...story.leg(2_985n), earnedAccount: 'payable' }]);
    expect(story.post(failed)).toEqual(['in_payout +2985', 'debt -750', 'payable -2235']);
    expect(story.book(desire({ released: true, refundedFen: 5_000n }))).toEqual([]);
  });

  it('a payout that fails undoes a write-off that its money makes needless, before anything is payable', () => {
    const story = paidOut();
    story.book(desire({ released: true, paidFen: 39_800n }));
    story.lock();
    // 5,970 left, of which 2,985 may yet come back; 2,235 is earned: 750 is lost whatever happens, and written off.
    story.book(desire({ released: true, paidFen: 14_900n }));
    story.post(writeOff([story.leg(750n)]));
    const now = failPayout([{ ...story.leg(2_985n), earnedAccount: 'payable' }]);
    expect(now.flatMap(({ postings }) => jot(postings))).toEqual(['in_payout +2985', 'debt -2985']);
    const earns = desire({ released: true, paidFen: 34_800n });
    expect(story.book(earns)).toEqual(['brand_owes +2985', 'debt -2985']);
    const failed = failPayout([{ ...story.leg(2_985n), earnedAccount: 'payable' }]);
    expect(story.post(failed)).toEqual(['in_payout +2985', 'written_off -750', 'payable -2235']);
    expect(story.book(earns)).toEqual([]);
  });

  it('debt of money still in a payout is not taken off other lines: the payout may yet fail', () => {
    const story = new Story();
    story.book(desire({ released: true }));
    story.lock();
    story.book(desire({ released: true, refundedFen: 5_000n }));
    story.book(desire({ lineId: 'L2', paidFen: 10_000n, terms: tenPercent, released: true }));
    expect(lockPayout(story.legs())).toMatchObject({ payoutFen: 1_000n, nettedFen: 0n });
    story.post(markPaid([story.leg(2_985n)]));
    expect(lockPayout(story.legs())).toMatchObject({ payoutFen: 250n, nettedFen: 750n });
  });

  it.each([
    [4_990n, 0n, 499n],
    [5_000n, 0n, 500n],
    [5_010n, 1n, 500n],
  ])('debt of 500 against %d fen of sales leaves %d to pay', (paidFen, payoutFen, nettedFen) => {
    const story = paidOut();
    story.book(desire({ released: true, paidFen: 16_567n }));
    expect(story.position().debtFen).toBe(500n);
    story.book(desire({ lineId: 'L2', paidFen, terms: tenPercent, released: true }));
    const lock = lockPayout(story.legs());
    expect(lock).toMatchObject({ payoutFen, nettedFen });
    story.post(lock.lineEntries);
    expect(story.position()).toMatchObject({ debtFen: 500n - nettedFen, payableFen: 0n, inPayoutFen: payoutFen });
  });

  it('debt larger than the earnings is taken off as far as they go', () => {
    const story = paidOut();
    story.book(desire({ released: true, refundedFen: 19_900n }));
    story.book(desire({ lineId: 'L2', paidFen: 10_000n, terms: tenPercent, released: true }));
    expect(story.lock()).toEqual(['debt -1000', 'L2 payable +1000']);
    expect(story.position()).toMatchObject({ debtFen: 1_985n, inPayoutFen: 0n });
  });

  it('debt nets only inside its brand and its payee', () => {
    const leg = { payeeId: 'pye_lin', balances: new Map(), reversedFen: 0n };
    const here = { dimensions: dimensionsOf('L1'), leg };
    const otherBrand = { dimensions: dimensionsOf('L2', { brandId: 'brd_2' }), leg };
    expect(() => lockPayout([here, otherBrand])).toThrow('inside its brand');
    expect(() => lockPayout([here, { ...here, leg: { ...leg, payeeId: 'pye_wu' } }])).toThrow('one payee');
  });

  it('nothing is locked of what is pending, or of nothing', () => {
    const story = new Story();
    story.book(desire());
    expect(lockPayout(story.legs())).toEqual({ lineEntries: [], payoutFen: 0n, nettedFen: 0n });
    expect(lockPayout([])).toEqual({ lineEntries: [], payoutFen: 0n, nettedFen: 0n });
  });

  it.each([0n, 2_986n])('refuses to pay or fail %d of 2,985 locked as a bug', (amountFen) => {
    const story = new Story();
    story.book(desire({ released: true }));
    story.lock();
    expect(() => markPaid([story.leg(amountFen)])).toThrow('within what stands');
    expect(() => failPayout([{ ...story.leg(amountFen), earnedAccount: 'payable' }])).toThrow('within what stands');
  });
});

/** 2,985 paid out, of which a refund made 750 debt. */
function withDebt(): Story {
  const story = paidOut();
  story.book(desire({ released: true, refundedFen: 5_000n }));
  return story;
}

describe('a write-off', () => {
  it('ends the debt; the loss stands on written_off and the identity holds', () => {
    const story = withDebt();
    expect(story.post(writeOff([story.leg(750n)]))).toEqual(['debt -750', 'written_off +750']);
    expect(story.position()).toMatchObject({ commissionFen: 2_235n, paidOutFen: 2_235n, debtFen: 0n });
    expect(story.book(desire({ released: true, refundedFen: 5_000n }))).toEqual([]);
  });

  it('is undone before anything is payable when the commission rises again', () => {
    const story = withDebt();
    story.post(writeOff([story.leg(500n)]));
    const partly = desire({ released: true, refundedFen: 3_000n });
    expect(story.book(partly)).toEqual(['brand_owes +300', 'debt -250', 'written_off -50']);
    expect(story.book(desire({ released: true }))).toEqual(['brand_owes +450', 'written_off -450']);
    expect(story.position()).toMatchObject({ commissionFen: 2_985n, paidOutFen: 2_985n, payableFen: 0n });
  });

  it('of more than the debt, or of debt still in a payout, is refused as a bug', () => {
    expect(() => writeOff([withDebt().leg(751n)])).toThrow('within what stands');
    const story = new Story();
    story.book(desire({ released: true }));
    story.lock();
    story.book(desire({ released: true, refundedFen: 5_000n }));
    expect(() => writeOff([story.leg(1n)])).toThrow('within what stands');
  });
});
