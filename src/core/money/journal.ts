/**
 * The journal of a line, booked by difference: what should stand minus what stands is posted, so every path to the same facts ends in
 * the same balances. A line entry never edits another; money already in a payout is never moved from here.
 */
import assert from 'node:assert/strict';
import { ACCOUNT_KINDS, type AccountKind } from '../vocabulary.ts';
import type { Bucket, Dimensions, Posting, LegBook, Amounts, OwesAccount, LineEntry } from './accounts.ts';
import { balanceOf, bucketKey, NO_AMOUNTS, paidOutOf } from './accounts.ts';
import type { CommissionLeg } from './commission.ts';

/** What should be booked for a line that earns, by the facts and terms known now. */
export interface DesiredLine {
  dimensions: Dimensions;
  /** One line, what the buyer paid for it, and what was given back. */
  amounts: Amounts;
  legs: readonly CommissionLeg[];
  owesAccount: OwesAccount;
  /** Its hold is over: what is not paid out yet stands in `payable` instead of `pending`. */
  released: boolean;
}

/** What one payee should get of a line, its legs taken together. */
interface Claim {
  commissionFen: bigint;
  /** The part of commissionFen earned as the operator. */
  feeFen: bigint;
  reversedFen: bigint;
  owesAccount: OwesAccount;
  released: boolean;
}

/**
 * The line entries that bring the books of one line from what is booked to what is desired.
 *
 * A bucket under other dimensions than the desired ones is taken back whole: what was paid out of it becomes debt. Within the desired
 * bucket, with C a payee's commission and G what already left (in payout, paid out): what is available, C − G, stands in `pending` or
 * `payable`; what was paid beyond C is `debt`. This one rule books the accrual, the release, refunds before and after the payout, and a
 * commission that rises again (which cancels debt first).
 *
 * @param booked   every bucket of the line, each set of dimensions once
 * @param desired  undefined when the line earns nothing for anybody: unattributed, unpaid, or without terms
 * @returns one line entry for each bucket that differs, each summing to 0n for every payee; [] when the books are right already
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
  // Of a line that was never booked there is no bucket to find.
  const desiredKey = desired === undefined || keys.length === 0 ? '' : bucketKey(desired.dimensions);
  assert(new Set(keys).size === keys.length, 'a bucket is read once');

  // What is taken back comes before what is given, as a person would book it.
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
  const books = new Map(bucket.legs.map((leg) => [leg.payeeId, leg]));
  const payeeIds = new Set([...claims.keys(), ...books.keys()]);
  return {
    dimensions: bucket.dimensions,
    amounts: {
      lines: wanted.lines - bucket.amounts.lines,
      paidFen: wanted.paidFen - bucket.amounts.paidFen,
      refundedFen: wanted.refundedFen - bucket.amounts.refundedFen,
    },
    postings: [...payeeIds].flatMap((payeeId) => {
      const leg = books.get(payeeId) ?? { payeeId, balances: new Map(), reversedFen: 0n };
      return entriesFor(leg, claims.get(payeeId) ?? noClaim(leg));
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

/** A payee that should get nothing. What it lost to refunds is taken back on the account that owed it. */
function noClaim(leg: LegBook): Claim {
  const owesAccount = leg.balances.has('platform_owes') ? 'platform_owes' : 'brand_owes';
  return { commissionFen: 0n, feeFen: 0n, reversedFen: 0n, owesAccount, released: false };
}

function entriesFor(leg: LegBook, claim: Claim): Posting[] {
  const targets = targetBalances(leg, claim);
  return ACCOUNT_KINDS.map((account) => ({
    payeeId: leg.payeeId,
    account,
    amountFen: (targets.get(account) ?? balanceOf(leg, account)) - balanceOf(leg, account),
    reversedFen: account === claim.owesAccount ? claim.reversedFen - leg.reversedFen : 0n,
  })).filter((posting) => isNotZero(posting.amountFen) || isNotZero(posting.reversedFen));
}

/**
 * Where each account that a booking may move must stand. `in_payout` and `cash` are absent: only a payout moves them.
 *
 * A write-off holds only while the debt it forgave would: when the commission rises again it is undone after the remaining debt and
 * before anything is payable, so nobody is paid twice for what was forgiven.
 */
function targetBalances(leg: LegBook, claim: Claim): Map<AccountKind, bigint> {
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
