/**
 * The line entries of money that moves after it was earned: locked for a payout, paid, come back, netted against debt, written off, received
 * from the brand. Each function only decides what to post; who may ask for it, and when, is the payout feature's business.
 */
import assert from 'node:assert/strict';
import type { AccountKind } from '../vocabulary.ts';
import type { Dimensions, EarnedAccount, Posting, LegBook, OwesAccount, LineEntry } from './accounts.ts';
import { balanceOf, NO_AMOUNTS } from './accounts.ts';

const EARNED_ACCOUNTS: readonly EarnedAccount[] = ['payable', 'fee_earned'];

/** One payee's books of one line. */
export interface BookedLeg {
  dimensions: Dimensions;
  leg: LegBook;
}

/** An amount of one payee's books of one line, fen, above 0n. */
export interface LegAmount extends BookedLeg {
  amountFen: bigint;
}

/**
 * Locks everything payable to one payee of one brand for a payout, after taking off the debt of its other lines. One journal.
 *
 * @param legs  the payee's legs, oldest first: debts are taken off, and earnings used for it, in this order
 * @returns payoutFen, what goes into the payout (0n when debt swallows it all), and nettedFen, the debt taken off
 * @throws AssertionError on legs of two payees or two brands: debt nets only inside its brand
 */
export function lockPayout(legs: readonly BookedLeg[]): {
  lineEntries: LineEntry[];
  payoutFen: bigint;
  nettedFen: bigint;
} {
  const [first] = legs;
  for (const { dimensions, leg } of legs) {
    assert(leg.payeeId === first?.leg.payeeId, 'a payout is locked for one payee');
    assert(dimensions.brandId === first.dimensions.brandId, 'debt nets only inside its brand');
  }
  const earnedFen = legs.reduce((sum, { leg }) => sum + earnedOf(leg), 0n);
  const owedFen = legs.reduce((sum, { leg }) => sum + collectableDebtOf(leg), 0n);
  const nettedFen = lesser(earnedFen, owedFen);

  let fromEarningsFen = nettedFen;
  let offDebtFen = nettedFen;
  const lineEntries: LineEntry[] = [];
  for (const { dimensions, leg } of legs) {
    const nettedHereFen = lesser(earnedOf(leg), fromEarningsFen);
    const recoveredFen = lesser(collectableDebtOf(leg), offDebtFen);
    fromEarningsFen -= nettedHereFen;
    offDebtFen -= recoveredFen;
    const changes: [AccountKind, bigint][] = [
      ...EARNED_ACCOUNTS.map((account): [AccountKind, bigint] => [account, -balanceOf(leg, account)]),
      ['in_payout', nettedHereFen - earnedOf(leg)],
      ['debt', -recoveredFen],
    ];
    lineEntries.push(postingOf({ dimensions, leg }, changes));
  }
  return {
    lineEntries: lineEntries.filter((lineEntry) => lineEntry.postings.length > 0),
    payoutFen: earnedFen - nettedFen,
    nettedFen,
  };
}

/**
 * The bank confirmed: what was locked is paid.
 * @throws AssertionError when more is paid than is locked
 */
export function markPaid(items: readonly LegAmount[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, lockedOf(item.leg));
    return postingOf(item, [
      ['in_payout', item.amountFen],
      ['cash', -item.amountFen],
    ]);
  });
}

/**
 * The payout failed: what was locked comes back. It first cancels debt that a refund booked meanwhile, then a write-off of such debt;
 * the rest is payable again.
 *
 * @param items  each with the account it had been locked from
 * @throws AssertionError when more comes back than is locked
 */
export function failPayout(items: readonly (LegAmount & { earnedAccount: EarnedAccount })[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, lockedOf(item.leg));
    const debtFen = lesser(item.amountFen, balanceOf(item.leg, 'debt'));
    const writtenOffFen = lesser(item.amountFen - debtFen, balanceOf(item.leg, 'written_off'));
    return postingOf(item, [
      ['in_payout', item.amountFen],
      ['debt', -debtFen],
      ['written_off', -writtenOffFen],
      [item.earnedAccount, debtFen + writtenOffFen - item.amountFen],
    ]);
  });
}

/**
 * Gives up debt that will not be recovered. `written_off` keeps the loss, which is not the payee's.
 * @throws AssertionError when more is written off than `collectableDebtOf` allows
 */
export function writeOff(items: readonly LegAmount[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, collectableDebtOf(item.leg));
    return postingOf(item, [
      ['debt', -item.amountFen],
      ['written_off', item.amountFen],
    ]);
  });
}

/**
 * The brand (or the platform) paid what it owes a payee. Belongs to no line: a transfer names an amount, not the sales behind it.
 * @throws AssertionError unless amountFen > 0n
 */
export function receiveFromBrand(receipt: { payeeId: string; owesAccount: OwesAccount; amountFen: bigint }): Posting[] {
  const { payeeId, owesAccount, amountFen } = receipt;
  assert(amountFen > 0n, 'a receipt is above zero');
  return [
    { payeeId, account: 'cash', amountFen, reversedFen: 0n },
    { payeeId, account: owesAccount, amountFen: -amountFen, reversedFen: 0n },
  ];
}

/**
 * The debt that stands whatever becomes of money still in a payout, fen: if that payout fails, it cancels its own line's debt first.
 */
export function collectableDebtOf(leg: LegBook): bigint {
  const beyondPayoutFen = balanceOf(leg, 'debt') - lockedOf(leg);
  return beyondPayoutFen > 0n ? beyondPayoutFen : 0n;
}

function earnedOf(leg: LegBook): bigint {
  return -EARNED_ACCOUNTS.reduce((sum, account) => sum + balanceOf(leg, account), 0n);
}

function lockedOf(leg: LegBook): bigint {
  return -balanceOf(leg, 'in_payout');
}

function postingOf({ dimensions, leg }: BookedLeg, changes: readonly [AccountKind, bigint][]): LineEntry {
  const postings = changes
    .filter(([, amountFen]) => amountFen !== 0n)
    .map(([account, amountFen]) => ({ payeeId: leg.payeeId, account, amountFen, reversedFen: 0n }));
  return { dimensions, amounts: NO_AMOUNTS, postings };
}

function assertWithin(amountFen: bigint, limitFen: bigint): void {
  assert(amountFen > 0n && amountFen <= limitFen, 'an amount is above zero and within what stands');
}

function lesser(leftFen: bigint, rightFen: bigint): bigint {
  return leftFen < rightFen ? leftFen : rightFen;
}
