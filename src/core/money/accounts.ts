/**
 * The books of one order line: who is owed what, and where it stands. An account is (brand, payee, kind); debits are positive.
 *
 * Every payee's part of a line balances by itself, so `brand_owes` is kept per payee too. The operator's fee waits in `fee_pending`
 * instead of `pending` and is earned in `fee_earned` instead of `payable`; from there on it goes the way of every other payee's money.
 */
import assert from 'node:assert/strict';

export const ACCOUNT_KINDS = [
  'brand_owes',
  'platform_owes',
  'pending',
  'payable',
  'fee_pending',
  'fee_earned',
  'in_payout',
  'cash',
  'debt',
  'written_off',
] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];
export type OwesAccount = 'brand_owes' | 'platform_owes';
/** Where money stands that may be paid out: `fee_earned` for the operator, `payable` for everybody else. */
export type EarnedAccount = 'payable' | 'fee_earned';

/** What totals are grouped by, as it was when the journal was posted. Null: the sale has none. */
export interface Dimensions {
  brandId: string;
  lineId: string;
  orderId: string;
  storeId: string;
  productId: string;
  platform: string;
  linkId: string;
  tag: string | null;
  influencerId: string;
  agencyPayeeId: string | null;
  method: string;
  paidAt: Date;
}

/** The buyer's money behind a commission, fen; in a line entry, the change of it. */
export interface Amounts {
  lines: number;
  paidFen: bigint;
  refundedFen: bigint;
}

export const NO_AMOUNTS: Amounts = { lines: 0, paidFen: 0n, refundedFen: 0n };

export interface Posting {
  payeeId: string;
  account: AccountKind;
  /** Debit positive, fen. 0n only where the posting carries a change of reversedFen alone. */
  amountFen: bigint;
  /** Change of the commission lost to refunds, fen; stands on an owing account. */
  reversedFen: bigint;
}

/** The part of a journal that concerns one line under one set of dimensions. A journal is one or more line entries and sums to 0n. */
export interface LineEntry {
  dimensions: Dimensions;
  amounts: Amounts;
  postings: Posting[];
}

/** What is booked for one payee: the sum of its postings. */
export interface LegBook {
  payeeId: string;
  balances: ReadonlyMap<AccountKind, bigint>;
  reversedFen: bigint;
}

/** What is booked for one line under one set of dimensions: the sum of its line entries. */
export interface Bucket {
  dimensions: Dimensions;
  amounts: Amounts;
  legs: LegBook[];
}

/** Where commission stands, fen. Always: commission = pending + payable + inPayout + paidOut − debt. */
export interface Position {
  commissionFen: bigint;
  pendingFen: bigint;
  payableFen: bigint;
  inPayoutFen: bigint;
  paidOutFen: bigint;
  debtFen: bigint;
  reversedFen: bigint;
}

export type Stage = 'pending' | 'payable' | 'in_payout' | 'paid' | 'none';

/** Equal exactly for equal dimensions, the instant of payment included. */
export function bucketKey(dimensions: Dimensions): string {
  const { brandId, lineId, orderId, storeId, productId, platform, linkId, tag, influencerId, agencyPayeeId, method } =
    dimensions;
  const texts = [
    brandId,
    lineId,
    orderId,
    storeId,
    productId,
    platform,
    linkId,
    tag,
    influencerId,
    agencyPayeeId,
    method,
  ];
  return JSON.stringify([...texts, dimensions.paidAt.toISOString()]);
}

/** What line entries add up to, one bucket for each set of dimensions, in the order of their first line entry. */
export function sumLineEntries(lineEntries: readonly LineEntry[]): Bucket[] {
  const groups = Map.groupBy(lineEntries, (lineEntry) => bucketKey(lineEntry.dimensions));
  return [...groups.values()].map((group) => {
    const [first] = group;
    assert(first !== undefined, 'a group has a member');
    const byPayee = Map.groupBy(
      group.flatMap((lineEntry) => lineEntry.postings),
      (posting) => posting.payeeId,
    );
    return {
      dimensions: first.dimensions,
      amounts: group.map((lineEntry) => lineEntry.amounts).reduce(addAmounts, NO_AMOUNTS),
      legs: [...byPayee].map(([payeeId, postings]) => sumPostingsOf(payeeId, postings)),
    };
  });
}

/** The balance of one account, debit positive, fen; 0n for an account never used. */
export function balanceOf(leg: Pick<LegBook, 'balances'>, account: AccountKind): bigint {
  return leg.balances.get(account) ?? 0n;
}

/**
 * Where the commission of some buckets stands, for one payee or for all. The view `posting_figures` and the function `line_stage` of the
 * database say the same for reports; a test compares them with this and `stageOf`.
 *
 * paidOutFen is what left `payable` and `in_payout` for cash or netting, minus what was recovered of the debt: the sum of the line's own
 * accounts. Debt written off counts as recovered there; `written_off` keeps the loss, which whoever writes it off bears and the payee
 * does not, so cash paid = paidOutFen + what was written off, and the identity of `Position` holds as before.
 */
export function positionOf(buckets: readonly Bucket[], payeeId?: string): Position {
  const legs = buckets
    .flatMap((bucket) => bucket.legs)
    .filter((leg) => payeeId === undefined || leg.payeeId === payeeId);
  const total = (account: AccountKind): bigint => legs.reduce((sum, leg) => sum + balanceOf(leg, account), 0n);
  return {
    commissionFen: total('brand_owes') + total('platform_owes'),
    pendingFen: -(total('pending') + total('fee_pending')),
    payableFen: -(total('payable') + total('fee_earned')),
    inPayoutFen: -total('in_payout'),
    paidOutFen: legs.reduce((sum, leg) => sum + paidOutOf(leg), 0n),
    debtFen: total('debt'),
    reversedFen: legs.reduce((sum, leg) => sum + leg.reversedFen, 0n),
  };
}

/** What left a leg for good, fen: see `positionOf`. */
export function paidOutOf(leg: Pick<LegBook, 'balances'>): bigint {
  const ownAccounts = ACCOUNT_KINDS.filter((account) => account !== 'cash' && account !== 'written_off');
  return ownAccounts.reduce((sum, account) => sum + balanceOf(leg, account), 0n);
}

/** The stage of a line: the one where money is nearest to the payee and still on its way. */
export function stageOf(position: Position): Stage {
  if (position.inPayoutFen > 0n) return 'in_payout';
  if (position.payableFen > 0n) return 'payable';
  if (position.pendingFen > 0n) return 'pending';
  return position.paidOutFen > 0n ? 'paid' : 'none';
}

function sumPostingsOf(payeeId: string, postings: readonly Posting[]): LegBook {
  const balances = new Map<AccountKind, bigint>();
  let reversedFen = 0n;
  for (const posting of postings) {
    balances.set(posting.account, (balances.get(posting.account) ?? 0n) + posting.amountFen);
    reversedFen += posting.reversedFen;
  }
  return { payeeId, balances, reversedFen };
}

function addAmounts(left: Amounts, right: Amounts): Amounts {
  return {
    lines: left.lines + right.lines,
    paidFen: left.paidFen + right.paidFen,
    refundedFen: left.refundedFen + right.refundedFen,
  };
}
