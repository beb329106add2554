/**
 * The accounts of an order line: what each payee is owed, and the stage of that money. An account is (brand, payee, kind); debits are
 * positive.
 *
 * Words of an accountant: a journal entry consists of postings, one for each account it changes, and sums to 0n. The part of an entry that
 * concerns one order line is a line entry.
 *
 * The postings of each payee to a line balance by themselves, so `brand_owes` is kept per payee too. The operator's fee waits in
 * `fee_pending` instead of `pending`, and is earned in `fee_earned` instead of `payable`; then it is paid out like any payee's money.
 */
import assert from 'node:assert/strict';
import { ACCOUNT_KINDS, type AccountKind, type Stage } from '../vocabulary.ts';

export type OwesAccount = 'brand_owes' | 'platform_owes';
/** The account of money that may be paid out: `fee_earned` for the operator, `payable` for every other payee. */
export type EarnedAccount = 'payable' | 'fee_earned';

/** The fields that totals are grouped by, as of the time of posting. Null: the sale has none. */
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

/** The buyer's money behind a commission, fen. In a line entry: the change. */
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
  /** Change of the commission lost to refunds, fen. Not 0n on an owing account only. */
  reversedFen: bigint;
}

/** The part of a journal entry that concerns one order line under one set of dimensions. Its postings sum to 0n. */
export interface LineEntry {
  dimensions: Dimensions;
  amounts: Amounts;
  postings: Posting[];
}

/** The balances of one payee: the sums of its postings. */
export interface LegBalances {
  payeeId: string;
  balances: ReadonlyMap<AccountKind, bigint>;
  reversedFen: bigint;
}

/** The balances of one line under one set of dimensions: the sum of its line entries. */
export interface Bucket {
  dimensions: Dimensions;
  amounts: Amounts;
  legs: LegBalances[];
}

/** A commission by stage, fen. Always: commission = pending + payable + inPayout + paidOut − debt. */
export interface Position {
  commissionFen: bigint;
  pendingFen: bigint;
  payableFen: bigint;
  inPayoutFen: bigint;
  paidOutFen: bigint;
  debtFen: bigint;
  reversedFen: bigint;
}

/** A text that is equal for two sets of dimensions exactly when all fields are equal, the instant of payment included. */
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

/** Sums line entries into one bucket for each set of dimensions, in the order of its first line entry. */
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
export function balanceOf(leg: Pick<LegBalances, 'balances'>, account: AccountKind): bigint {
  return leg.balances.get(account) ?? 0n;
}

/**
 * The commission of some buckets by stage, for one payee or for all. Reports use the view `posting_figures` and the function `line_stage` of
 * the database instead; a test compares them with this function and `stageOf`.
 *
 * paidOutFen is the amount that left `payable` and `in_payout` for cash or for netting, minus the debt recovered. It equals the sum of all
 * accounts but `cash` and `written_off`. Debt written off counts as recovered; the loss stays in `written_off` and is not the payee's. So
 * cash paid = paidOutFen + the amount written off, and the identity of `Position` holds.
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

/** The amount that left a payee's accounts for good, fen; see `positionOf`. */
export function paidOutOf(leg: Pick<LegBalances, 'balances'>): bigint {
  const ownAccounts = ACCOUNT_KINDS.filter((account) => account !== 'cash' && account !== 'written_off');
  return ownAccounts.reduce((sum, account) => sum + balanceOf(leg, account), 0n);
}

/** The stage of a line: of the stages that hold money, the one nearest to the payee; `paid` when nothing is on its way any more. */
export function stageOf(position: Position): Stage {
  if (position.inPayoutFen > 0n) return 'in_payout';
  if (position.payableFen > 0n) return 'payable';
  if (position.pendingFen > 0n) return 'pending';
  return position.paidOutFen > 0n ? 'paid' : 'none';
}

function sumPostingsOf(payeeId: string, postings: readonly Posting[]): LegBalances {
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
