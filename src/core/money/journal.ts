/**
 * Booking by difference: the desired balances of a line minus its booked balances are posted, so every path to the same facts ends in the
 * same balances. Entries are only added, never edited. Money in a payout is not moved here; `payout-postings.ts` moves it.
 */
import assert from 'node:assert/strict';
import { ACCOUNT_KINDS, type AccountKind } from '../vocabulary.ts';
import type { Bucket, Dimensions, Posting, LegBalances, Amounts, OwesAccount, LineEntry } from './accounts.ts';
import { balanceOf, bucketKey, NO_AMOUNTS, paidOutOf } from './accounts.ts';
import type { CommissionLeg } from './commission.ts';

/** The balances that a line should have, by the facts and terms known now. Exists only for a line that earns. */
export interface DesiredLine {
  dimensions: Dimensions;
  /** `lines` is 1, with the amount paid and the amount refunded. */
  amounts: Amounts;
  legs: readonly CommissionLeg[];
  owesAccount: OwesAccount;
  /** The hold is over: money that is not paid out yet stands in `payable` instead of `pending`. */
  released: boolean;
}

/** The desired balances of one payee of a line, the sum of its legs. */
interface Claim {
  commissionFen: bigint;
  /** The part of commissionFen that is the operator's fee. */
  feeFen: bigint;
  reversedFen: bigint;
  owesAccount: OwesAccount;
  released: boolean;
}

/**
 * The line entries that bring the balances of one line from the booked to the desired ones.
 *
 * A bucket under other dimensions than the desired ones is reversed as a whole; the amount already paid out of it becomes debt. In the
 * desired bucket, let C be a payee's commission and G the amount that already left (in payout or paid out). C − G stands in `pending` or
 * `payable`; the amount paid beyond C is `debt`. This one rule books the accrual, the release, refunds before and after the payout, and a
 * commission that rises again (debt is cancelled first).
 *
 * @param booked   every bucket of the line, each set of dimensions once
 * @param desired  undefined when the line earns nothing: unattributed, unpaid, or without terms
 * @returns one line entry for each bucket that differs; the postings of each payee sum to 0n; [] when nothing differs
 * @throws AssertionError on buckets of another line, a repeated bucket or a negative leg: bugs, never user input
 */
export function bookDifference({
  booked,
  desired,
}: {
  booked: readonly Bucket[];
  desired: DesiredLine | undefined;
}): LineEntry[] {
  assertOneLine([...booked, ...(desired === undefined ? [] : [desired])]);
  const keys = booked.map((bucket) => bucketKey(bucket.dimensions));
  // A line that was never booked has no bucket, so its key is not needed.
  const desiredKey = desired === undefined || keys.length === 0 ? '' : bucketKey(desired.dimensions);
  assert(new Set(keys).size === keys.length, 'a bucket is read once');

  // Reversals come before bookings, as an accountant would write them.
  const lineEntries = booked
    .filter((_, position) => keys[position] !== desiredKey)
    .map((bucket) => differenceOf(bucket, undefined));
  if (desired !== undefined) {
    const bucket = booked[keys.indexOf(desiredKey)];
    lineEntries.push(
      differenceOf(bucket ?? { dimensions: desired.dimensions, amounts: NO_AMOUNTS, legs: [] }, desired),
    );
  }
  return lineEntries.filter(({ postings, amounts }) => postings.length > 0 || Object.values(amounts).some(isNotZero));
}

function differenceOf(bucket: Bucket, desired: DesiredLine | undefined): LineEntry {
  const claims = claimsOf(desired);
  const wanted = desired?.amounts ?? NO_AMOUNTS;
  const balances = new Map(bucket.legs.map((leg) => [leg.payeeId, leg]));
  const payeeIds = new Set([...claims.keys(), ...balances.keys()]);
  return {
    dimensions: bucket.dimensions,
    amounts: {
      lines: wanted.lines - bucket.amounts.lines,
      paidFen: wanted.paidFen - bucket.amounts.paidFen,
      refundedFen: wanted.refundedFen - bucket.amounts.refundedFen,
    },
    postings: [...payeeIds].flatMap((payeeId) => {
      const leg = balances.get(payeeId) ?? { payeeId, balances: new Map(), reversedFen: 0n };
      return postingsFor(leg, claims.get(payeeId) ?? noClaim(leg));
    }),
  };
}

function claimsOf(desired: DesiredLine | undefined): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  if (desired === undefined) return claims;
  const { owesAccount, released } = desired;
  for (const leg of desired.legs) {
    assert(leg.commissionFen >= 0n && leg.reversedFen >= 0n, 'a leg is never negative');
    const before = claims.get(leg.payeeId) ?? { commissionFen: 0n, feeFen: 0n, reversedFen: 0n };
    claims.set(leg.payeeId, {
      commissionFen: before.commissionFen + leg.commissionFen,
      feeFen: before.feeFen + (leg.role === 'operator' ? leg.commissionFen : 0n),
      reversedFen: before.reversedFen + leg.reversedFen,
      owesAccount,
      released,
    });
  }
  return claims;
}

/** The claim of a payee that should get nothing. Its reversedFen is taken back on the account that owed the commission. */
function noClaim(leg: LegBalances): Claim {
  const owesAccount = leg.balances.has('platform_owes') ? 'platform_owes' : 'brand_owes';
  return { commissionFen: 0n, feeFen: 0n, reversedFen: 0n, owesAccount, released: false };
}

function postingsFor(leg: LegBalances, claim: Claim): Posting[] {
  const targets = targetBalances(leg, claim);
  return ACCOUNT_KINDS.map((account) => ({
    payeeId: leg.payeeId,
    account,
    amountFen: (targets.get(account) ?? balanceOf(leg, account)) - balanceOf(leg, account),
    reversedFen: account === claim.owesAccount ? claim.reversedFen - leg.reversedFen : 0n,
  })).filter((posting) => isNotZero(posting.amountFen) || isNotZero(posting.reversedFen));
}

/**
 * The desired balance of each account that a booking may change. `in_payout` and `cash` are absent: only a payout changes them.
 *
 * A write-off stands only as long as the debt it forgave would stand. When the commission rises again, the remaining debt is cancelled first,
 * then the write-off, and only the rest is payable; so the payee is not paid again for a debt that was forgiven.
 */
function targetBalances(leg: LegBalances, claim: Claim): Map<AccountKind, bigint> {
  const writtenOffFen = balanceOf(leg, 'written_off');
  const leftFen = paidOutOf(leg) - balanceOf(leg, 'in_payout') + writtenOffFen;
  const availableFen = atLeastZero(claim.commissionFen - leftFen);
  const shortfallFen = atLeastZero(leftFen - claim.commissionFen);
  const stillWrittenOffFen = lesser(writtenOffFen, shortfallFen);
  const feeFen = lesser(availableFen, claim.feeFen);
  const shareFen = availableFen - feeFen;
  return new Map<AccountKind, bigint>([
    ['brand_owes', claim.owesAccount === 'brand_owes' ? claim.commissionFen : 0n],
    ['platform_owes', claim.owesAccount === 'platform_owes' ? claim.commissionFen : 0n],
    ['pending', claim.released ? 0n : -shareFen],
    ['payable', claim.released ? -shareFen : 0n],
    ['fee_pending', claim.released ? 0n : -feeFen],
    ['fee_earned', claim.released ? -feeFen : 0n],
    ['debt', shortfallFen - stillWrittenOffFen],
    ['written_off', stillWrittenOffFen],
  ]);
}

function assertOneLine(parts: readonly { dimensions: Dimensions }[]): void {
  const [first] = parts;
  const same = parts.every(
    ({ dimensions }) =>
      dimensions.lineId === first?.dimensions.lineId && dimensions.brandId === first.dimensions.brandId,
  );
  assert(same, 'one difference is booked for one line of one brand');
}

function isNotZero(value: bigint | number): boolean {
  return typeof value === 'bigint' ? value !== 0n : value !== 0;
}

function atLeastZero(valueFen: bigint): bigint {
  return valueFen > 0n ? valueFen : 0n;
}

function lesser(leftFen: bigint, rightFen: bigint): bigint {
  return leftFen < rightFen ? leftFen : rightFen;
}
