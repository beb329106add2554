/**
 * The postings of money that moves after it was earned: locked for a payout, paid, returned by a failed payout, netted against debt, written
 * off, received from the brand. Each function decides only the postings; the payout feature decides permissions and time.
 */
import assert from 'node:assert/strict';
import type { AccountKind } from '../vocabulary.ts';
import type { Dimensions, EarnedAccount, Posting, LegBalances, OwesAccount, LineEntry } from './accounts.ts';
import { balanceOf, NO_AMOUNTS } from './accounts.ts';

const EARNED_ACCOUNTS: readonly EarnedAccount[] = ['payable', 'fee_earned'];

/** The balances of one payee of one line. */
export interface BookedLeg {
  dimensions: Dimensions;
  leg: LegBalances;
}

/** An amount to move within the balances of one payee of one line, fen, above 0n. */
export interface LegAmount extends BookedLeg {
  amountFen: bigint;
}

/**
 * Locks everything that is payable to one payee of one brand for a payout, less the debt of its other lines. All line entries belong to one
 * journal entry.
 *
 * @param legs  the payee's balances by line, oldest first; debts are recovered from earnings in this order
 * @returns payoutFen, the amount of the payout (0n when the debt takes all of it), and nettedFen, the debt recovered
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
    lineEntries.push(lineEntryOf({ dimensions, leg }, changes));
  }
  return {
    lineEntries: lineEntries.filter((lineEntry) => lineEntry.postings.length > 0),
    payoutFen: earnedFen - nettedFen,
    nettedFen,
  };
}

/**
 * The bank confirmed the payment of a locked amount.
 * @throws AssertionError when more is paid than is locked
 */
export function markPaid(items: readonly LegAmount[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, lockedOf(item.leg));
    return lineEntryOf(item, [
      ['in_payout', item.amountFen],
      ['cash', -item.amountFen],
    ]);
  });
}

/**
 * The payout failed and the locked amount returns. It cancels debt that a refund booked in the meantime first, then a write-off of such debt;
 * the rest is payable again.
 *
 * @param items  each with the account from which it was locked
 * @throws AssertionError when more comes back than is locked
 */
export function failPayout(items: readonly (LegAmount & { earnedAccount: EarnedAccount })[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, lockedOf(item.leg));
    const debtFen = lesser(item.amountFen, balanceOf(item.leg, 'debt'));
    const writtenOffFen = lesser(item.amountFen - debtFen, balanceOf(item.leg, 'written_off'));
    return lineEntryOf(item, [
      ['in_payout', item.amountFen],
      ['debt', -debtFen],
      ['written_off', -writtenOffFen],
      [item.earnedAccount, debtFen + writtenOffFen - item.amountFen],
    ]);
  });
}

/**
 * Writes off debt that will not be recovered. The loss stays in `written_off`; the payee does not bear it.
 * @throws AssertionError when more is written off than `collectableDebtOf` allows
 */
export function writeOff(items: readonly LegAmount[]): LineEntry[] {
  return items.map((item) => {
    assertWithin(item.amountFen, collectableDebtOf(item.leg));
    return lineEntryOf(item, [
      ['debt', -item.amountFen],
      ['written_off', item.amountFen],
    ]);
  });
}

/**
 * The brand (or the platform) paid an amount that it owes a payee. The postings belong to no line, because a transfer does not name its sales.
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
 * The debt that remains even if the line's amount in a payout returns, fen: a failed payout cancels the debt of its own line first.
 */
export function collectableDebtOf(leg: LegBalances): bigint {
  const beyondPayoutFen = balanceOf(leg, 'debt') - lockedOf(leg);
  return beyondPayoutFen > 0n ? beyondPayoutFen : 0n;
}

function earnedOf(leg: LegBalances): bigint {
  return -EARNED_ACCOUNTS.reduce((sum, account) => sum + balanceOf(leg, account), 0n);
}

function lockedOf(leg: LegBalances): bigint {
  return -balanceOf(leg, 'in_payout');
}

function lineEntryOf({ dimensions, leg }: BookedLeg, changes: readonly [AccountKind, bigint][]): LineEntry {
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
