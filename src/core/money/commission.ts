/**
 * The commission of a line, its split between payees, and the time from which it is payable. Integer fen and basis points only; every
 * division rounds half up.
 */
import assert from 'node:assert/strict';
import { addDays } from '../calendar.ts';
import type { CommissionBasis, PayeeKind } from '../vocabulary.ts';

/** The highest rate a brand may offer, basis points (90 %). */
export const MAX_RATE_BP = 9_000;
const WHOLE_BP = 10_000;

export type CommissionRate = { kind: 'rate'; rateBp: number } | { kind: 'flat'; flatFen: bigint };

/** The terms copied onto a line when it is priced first; used for every later refund of that line. */
export interface CommissionTerms {
  termsId: string;
  basis: CommissionBasis;
  rate: CommissionRate;
  windowDays: number;
  holdDays: number;
  /** The operator's fee, off the top of the commission, basis points. */
  platformFeeBp: number;
  /** The agency's share of what the fee leaves, basis points. */
  agency?: { payeeId: string; shareBp: number } | undefined;
  influencerPayeeId: string;
  operatorPayeeId: string;
}

/** The facts of a line that its commission depends on; money in fen. */
export interface LineAmounts {
  paidFen: bigint;
  /** 0n to paidFen. */
  refundedFen: bigint;
  quantity: number;
  /** What the platform paid us for the whole line. Used by basis `platform_commission` only; absent: not known yet, and the line earns 0n. */
  platformCommissionFen?: bigint | undefined;
}

/** One payee's part of a line's commission. */
export interface CommissionLeg {
  payeeId: string;
  role: PayeeKind;
  /** The commission on the net amount (paid − refunded), fen. */
  commissionFen: bigint;
  /** The commission that refunds took from this leg, fen, >= 0n: the commission on everything paid, minus commissionFen. */
  reversedFen: bigint;
}

/**
 * Commission at a rate.
 *
 * @param netFen  what the buyer paid after discounts and refunds, fen, ≥ 0n
 * @param rateBp  basis points, 0 to 9,000 (1,500 = 15 %)
 * @returns fen, half up: (netFen × rateBp + 5000) / 10000
 * @throws AssertionError on a negative amount or a rate out of range: a bug, never user input
 */
export function commissionFor({ netFen, rateBp }: { netFen: bigint; rateBp: number }): bigint {
  assert(Number.isInteger(rateBp) && rateBp >= 0 && rateBp <= MAX_RATE_BP, 'a rate is 0 to 9000 basis points');
  return shareOf({ amountFen: netFen, shareBp: rateBp });
}

/**
 * Commission of a line on its net amount (paid − refunded). It never exceeds the net, and never rises when a refund is added.
 *
 * A rate applies to the net, or to the platform's commission in proportion to the net. A flat amount counts per piece, in proportion to the
 * net.
 *
 * @returns fen, >= 0n; 0n for a gift, a fully refunded line, and a platform commission that is not known yet
 * @throws AssertionError on negative amounts, refunds above what was paid, or a rate out of range: bugs, never user input
 */
export function lineCommission(line: LineAmounts & { terms: Pick<CommissionTerms, 'basis' | 'rate'> }): bigint {
  const { paidFen, refundedFen, terms } = line;
  assert(refundedFen >= 0n && refundedFen <= paidFen, 'a refund takes at most what was paid');
  if (paidFen === 0n) return 0n;
  const netFen = paidFen - refundedFen;
  const earnedFen =
    terms.rate.kind === 'flat' ? flatCommission(line, terms.rate) : rateCommission(line, terms, terms.rate);
  return earnedFen < netFen ? earnedFen : netFen;
}

/**
 * Splits a line's commission in cascade: the platform fee off the top, the agency's share of the rest, the remainder to the influencer.
 *
 * @returns three parts that sum to totalFen exactly; each step half up, so no part rises when the total falls
 * @throws AssertionError on a negative total or a share outside 0 to 10,000 basis points
 */
export function splitCommission({
  totalFen,
  platformFeeBp,
  agencyShareBp,
}: {
  totalFen: bigint;
  platformFeeBp: number;
  agencyShareBp: number;
}): { feeFen: bigint; agencyFen: bigint; influencerFen: bigint } {
  const feeFen = shareOf({ amountFen: totalFen, shareBp: platformFeeBp });
  const restFen = totalFen - feeFen;
  const agencyFen = shareOf({ amountFen: restFen, shareBp: agencyShareBp });
  return { feeFen, agencyFen, influencerFen: restFen - agencyFen };
}

/**
 * The part of each payee of a line's commission, and what refunds took from it. Both follow from the facts alone, so the order in which
 * refunds arrive has no influence.
 *
 * @returns the operator's leg and the agency's leg where the terms give them a share, then always the influencer's
 * @throws AssertionError as `lineCommission` and `splitCommission`
 */
export function commissionLegs(line: LineAmounts, terms: CommissionTerms): CommissionLeg[] {
  const agencyShareBp = terms.agency?.shareBp ?? 0;
  const split = (amounts: LineAmounts): ReturnType<typeof splitCommission> =>
    splitCommission({
      totalFen: lineCommission({ ...amounts, terms }),
      platformFeeBp: terms.platformFeeBp,
      agencyShareBp,
    });
  const net = split(line);
  const gross = split({ ...line, refundedFen: 0n });
  const leg = (payeeId: string, role: PayeeKind, part: keyof typeof net): CommissionLeg => ({
    payeeId,
    role,
    commissionFen: net[part],
    reversedFen: gross[part] - net[part],
  });
  const legs = [leg(terms.influencerPayeeId, 'influencer', 'influencerFen')];
  if (terms.agency !== undefined && agencyShareBp > 0) legs.unshift(leg(terms.agency.payeeId, 'agency', 'agencyFen'));
  if (terms.platformFeeBp > 0) legs.unshift(leg(terms.operatorPayeeId, 'operator', 'feeFen'));
  return legs;
}

/** A receipt that reaches us more than this many days after it happened is late. */
const LATE_AFTER_DAYS = 1;
/** A late receipt waits this long from its arrival, so that refunds of the same delivery are applied before the money is payable. */
const LATE_WAIT_DAYS = 1;

/**
 * The instant from which a line may be paid: its receipt plus `holdDays`. A receipt that reached us more than a day after it happened makes
 * the line payable a day after its arrival at the earliest. With `holdDays` 0 and a receipt in time, the line is payable at the receipt.
 *
 * @param line.receivedAt  when the buyer received the line
 * @param line.receivedSeenAt  when the receipt first reached us; absent: at `receivedAt`
 */
export function payableAt(line: { receivedAt: Date; receivedSeenAt?: Date | undefined; holdDays: number }): Date {
  const holdOverAt = addDays(line.receivedAt, line.holdDays);
  const seenAt = line.receivedSeenAt ?? line.receivedAt;
  if (seenAt <= addDays(line.receivedAt, LATE_AFTER_DAYS)) return holdOverAt;
  const waitedAt = addDays(seenAt, LATE_WAIT_DAYS);
  return waitedAt > holdOverAt ? waitedAt : holdOverAt;
}

function flatCommission(line: LineAmounts, rate: { flatFen: bigint }): bigint {
  assert(rate.flatFen >= 0n, 'a flat commission is never negative');
  assert(Number.isSafeInteger(line.quantity) && line.quantity >= 0, 'a quantity is a whole number');
  const wholeFen = rate.flatFen * BigInt(line.quantity);
  return divideHalfUp(wholeFen * (line.paidFen - line.refundedFen), line.paidFen);
}

function rateCommission(line: LineAmounts, terms: Pick<CommissionTerms, 'basis'>, rate: { rateBp: number }): bigint {
  const netFen = line.paidFen - line.refundedFen;
  if (terms.basis === 'order_amount') return commissionFor({ netFen, rateBp: rate.rateBp });
  const platformFen = line.platformCommissionFen ?? 0n;
  assert(platformFen >= 0n, 'a platform commission is never negative');
  return commissionFor({ netFen: divideHalfUp(platformFen * netFen, line.paidFen), rateBp: rate.rateBp });
}

function shareOf({ amountFen, shareBp }: { amountFen: bigint; shareBp: number }): bigint {
  assert(Number.isInteger(shareBp) && shareBp >= 0 && shareBp <= WHOLE_BP, 'a share is 0 to 10000 basis points');
  assert(amountFen >= 0n, 'an amount that is shared is never negative');
  return divideHalfUp(amountFen * BigInt(shareBp), BigInt(WHOLE_BP));
}

/** numerator / denominator, half up, for numbers that are not negative. */
function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  return (2n * numerator + denominator) / (2n * denominator);
}
