import type { Position } from '../../core/money/accounts.ts';
import type { Queryable } from '../../infra/db.ts';

export interface BalanceRow extends Position {
  brandId: string;
}

// A payee's money by brand, from every posting of a line that it has: a brand's payment without a line is not the payee's. Served by
// postings_payee_idx.
const SUM_BALANCES = `
select f.brand_id as "brandId", sum(f.commission_fen)::bigint as "commissionFen", sum(f.pending_fen)::bigint as "pendingFen",
  sum(f.payable_fen)::bigint as "payableFen", sum(f.in_payout_fen)::bigint as "inPayoutFen", sum(f.paid_out_fen)::bigint as "paidOutFen",
  sum(f.debt_fen)::bigint as "debtFen", sum(f.reversed_fen)::bigint as "reversedFen"
from posting_figures f
where f.payee_id = $1
  and ($2::text is null or f.brand_id = $2)
  and ($3::timestamptz is null
    or exists (select from entry_seals s where s.brand_id = f.brand_id and s.entry_id = f.entry_id and s.sealed_at <= $3))
group by f.brand_id
order by f.brand_id`;

/** One row for each brand in which the payee ever had a commission, by what was sealed at `asOf` (null: everything committed). */
export async function listBalances(
  db: Queryable,
  query: { payeeId: string; brandScope: string | null; asOf: Date | null },
): Promise<BalanceRow[]> {
  const { rows } = await db.query<BalanceRow>(SUM_BALANCES, [query.payeeId, query.brandScope, query.asOf]);
  return rows;
}

// A payee that the caller may know of: an influencer its own, a key of one brand those that ever earned in it. Served by payees_pkey,
// influencers_payee_key and postings_payee_idx.
const FIND_PAYEE = `
select p.id
from payees p
where p.id = $1
  and ($2::text is null or exists (select from influencers i where i.id = $2 and i.payee_id = p.id))
  and ($3::text is null or exists (select from postings o where o.payee_id = p.id and o.brand_id = $3))`;

/** Whether a payee exists for the caller. */
export async function payeeExists(
  db: Queryable,
  query: { payeeId: string; influencerScope: string | null; brandScope: string | null },
): Promise<boolean> {
  const { rows } = await db.query(FIND_PAYEE, [query.payeeId, query.influencerScope, query.brandScope]);
  return rows.length > 0;
}
