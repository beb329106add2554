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
  after: { postedAtExact: string; journalId: string; position: number } | null;
  limit: number;
}

/** A posting with its entry; line, order and dimensions are null where money moves without a line, sequence while it is not sealed. */
export interface JournalRow {
  journalId: string;
  position: number;
  kind: string;
  postedAt: Date;
  /** `postedAt` to the microsecond, for the cursor. */
  postedAtExact: string;
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

// Postings in the order of the journal: by the time of their entry, then by its id, then by position. Sent unnamed, so that it is planned with
// its values. Served by journal_entries_posted_idx, or entry_lines_line_idx where a line is given.
const LIST_JOURNAL = `
select e.id as "journalId", p.position, e.kind, e.posted_at as "postedAt",
  to_char(e.posted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "postedAtExact", e.brand_id as "brandId", s.sequence,
  p.payee_id as "payeeId", p.account, p.amount_fen as "amountFen", p.reversed_delta_fen as "reversedDeltaFen",
  l.line_id as "lineId", l.order_id as "orderId", l.influencer_id as "influencerId", l.link_id as "linkId", l.product_id as "productId"
from journal_entries e
join postings p on p.brand_id = e.brand_id and p.entry_id = e.id
left join entry_lines l on l.brand_id = p.brand_id and l.entry_id = p.entry_id and l.position = p.line_position
left join entry_seals s on s.brand_id = e.brand_id and s.entry_id = e.id
where ($1::text is null or e.brand_id = $1)
  and ($2::text is null or e.brand_id = $2)
  and ($3::text is null or l.line_id = $3)
  and ($4::text is null or p.payee_id = $4)
  and ($5::text is null or p.account = $5)
  and ($6::timestamptz is null or e.posted_at >= $6)
  and ($7::timestamptz is null or e.posted_at < $7)
  and ($8::timestamptz is null or e.posted_at >= $8)
  and ($8::timestamptz is null or (e.posted_at, e.id, p.position) > ($8, $9::text, $10::integer))
order by e.posted_at, e.id, p.position
limit $11`;

/** A page of postings, oldest first. */
export async function listJournal(db: Queryable, query: JournalQuery): Promise<JournalRow[]> {
  const { rows } = await db.query<JournalRow>(LIST_JOURNAL, [
    query.brandScope,
    query.brandId,
    query.lineId,
    query.payeeId,
    query.account,
    query.from,
    query.to,
    query.after?.postedAtExact ?? null,
    query.after?.journalId ?? null,
    query.after?.position ?? null,
    query.limit,
  ]);
  return rows;
}
