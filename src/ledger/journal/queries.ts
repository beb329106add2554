import type { AccountKind } from '../../core/money/accounts.ts';
import type { Queryable } from '../../infra/db.ts';

export interface JournalQuery {
  brandScope: string | null;
  brandId: string | null;
  lineId: string | null;
  payeeId: string | null;
  account: string | null;
  /** By posting time; inclusive. */
  from: Date | null;
  /** Exclusive. */
  to: Date | null;
  after: { number: bigint; position: number } | null;
  limit: number;
}

/** One entry with its journal; line, order and dimensions are null where money moves without a line, sequence while it is not sealed. */
export interface JournalEntryRow {
  journalId: string;
  number: bigint;
  position: number;
  kind: string;
  postedAt: Date;
  brandId: string;
  sequence: bigint | null;
  payeeId: string;
  account: AccountKind;
  amountFen: bigint;
  reversedDeltaFen: bigint;
  lineId: string | null;
  orderId: string | null;
  influencerId: string | null;
  linkId: string | null;
  productId: string | null;
}

// Entries in the order they were posted. Served by journals_number_key, or journal_lines_line_idx where a line is asked for.
const LIST_JOURNAL = `
select j.id as "journalId", j.number, e.position, j.kind, j.posted_at as "postedAt", j.brand_id as "brandId", s.sequence,
  e.payee_id as "payeeId", e.account, e.amount_fen as "amountFen", e.reversed_delta_fen as "reversedDeltaFen",
  l.line_id as "lineId", l.order_id as "orderId", l.influencer_id as "influencerId", l.link_id as "linkId", l.product_id as "productId"
from journals j
join journal_entries e on e.journal_id = j.id
left join journal_lines l on l.journal_id = e.journal_id and l.position = e.line_position
left join journal_seals s on s.journal_id = j.id
where ($1::text is null or j.brand_id = $1)
  and ($2::text is null or j.brand_id = $2)
  and ($3::text is null or l.line_id = $3)
  and ($4::text is null or e.payee_id = $4)
  and ($5::text is null or e.account = $5)
  and ($6::timestamptz is null or j.posted_at >= $6)
  and ($7::timestamptz is null or j.posted_at < $7)
  and ($8::bigint is null or (j.number, e.position) > ($8, $9::integer))
order by j.number, e.position
limit $10`;

/** A page of journal entries, oldest first. */
export async function listJournal(db: Queryable, query: JournalQuery): Promise<JournalEntryRow[]> {
  const { rows } = await db.query<JournalEntryRow>(LIST_JOURNAL, [
    query.brandScope,
    query.brandId,
    query.lineId,
    query.payeeId,
    query.account,
    query.from,
    query.to,
    query.after?.number ?? null,
    query.after?.position ?? null,
    query.limit,
  ]);
  return rows;
}

export interface BalanceRow {
  brandId: string;
  commissionFen: bigint;
  pendingFen: bigint;
  payableFen: bigint;
  inPayoutFen: bigint;
  paidOutFen: bigint;
  debtFen: bigint;
  reversedFen: bigint;
}

// A payee's money by brand, from every entry of a line it has (what a brand paid in without a line is not the payee's). Served by
// journal_entries_payee_idx.
const SUM_BALANCES = `
select e.brand_id as "brandId",
  coalesce(sum(e.amount_fen) filter (where e.account in ('brand_owes', 'platform_owes')), 0)::bigint as "commissionFen",
  (-coalesce(sum(e.amount_fen) filter (where e.account in ('pending', 'fee_pending')), 0))::bigint as "pendingFen",
  (-coalesce(sum(e.amount_fen) filter (where e.account in ('payable', 'fee_earned')), 0))::bigint as "payableFen",
  (-coalesce(sum(e.amount_fen) filter (where e.account = 'in_payout'), 0))::bigint as "inPayoutFen",
  coalesce(sum(e.amount_fen) filter (where e.account not in ('cash', 'written_off')), 0)::bigint as "paidOutFen",
  coalesce(sum(e.amount_fen) filter (where e.account = 'debt'), 0)::bigint as "debtFen",
  coalesce(sum(e.reversed_delta_fen), 0)::bigint as "reversedFen"
from journal_entries e
where e.payee_id = $1 and e.line_position is not null
  and ($2::text is null or e.brand_id = $2)
  and ($3::timestamptz is null
    or exists (select from journal_seals s where s.journal_id = e.journal_id and s.sealed_at <= $3))
group by e.brand_id
order by e.brand_id`;

/** One row for each brand in which the payee ever had a commission, by what was sealed at `asOf` (null: everything committed). */
export async function listBalances(
  db: Queryable,
  query: { payeeId: string; brandScope: string | null; asOf: Date | null },
): Promise<BalanceRow[]> {
  const { rows } = await db.query<BalanceRow>(SUM_BALANCES, [query.payeeId, query.brandScope, query.asOf]);
  return rows;
}

// A payee as far as the caller may know of it: an influencer only its own, a key of one brand only those that ever earned in it.
const FIND_PAYEE = `
select p.id
from payees p
where p.id = $1
  and ($2::text is null or exists (select from influencers i where i.id = $2 and i.payee_id = p.id))
  and ($3::text is null or exists (select from journal_entries e where e.payee_id = p.id and e.brand_id = $3))`;

/** Whether a payee exists for the caller. */
export async function payeeExists(
  db: Queryable,
  query: { payeeId: string; influencerScope: string | null; brandScope: string | null },
): Promise<boolean> {
  const { rows } = await db.query(FIND_PAYEE, [query.payeeId, query.influencerScope, query.brandScope]);
  return rows.length > 0;
}
