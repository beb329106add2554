import type { AccountKind } from '../../core/vocabulary.ts';
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

/** One entry with its journal; line, order and dimensions are null where money moves without a line, sequence while it is not sealed. */
export interface JournalEntryRow {
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
select j.id as "journalId", e.position, j.kind, j.posted_at as "postedAt",
  to_char(j.posted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "postedAtExact", j.brand_id as "brandId", s.sequence,
  e.payee_id as "payeeId", e.account, e.amount_fen as "amountFen", e.reversed_delta_fen as "reversedDeltaFen",
  l.line_id as "lineId", l.order_id as "orderId", l.influencer_id as "influencerId", l.link_id as "linkId", l.product_id as "productId"
from journal_entries j
join postings e on e.brand_id = j.brand_id and e.entry_id = j.id
left join entry_lines l on l.brand_id = e.brand_id and l.entry_id = e.entry_id and l.position = e.line_position
left join entry_seals s on s.brand_id = j.brand_id and s.entry_id = j.id
where ($1::text is null or j.brand_id = $1)
  and ($2::text is null or j.brand_id = $2)
  and ($3::text is null or l.line_id = $3)
  and ($4::text is null or e.payee_id = $4)
  and ($5::text is null or e.account = $5)
  and ($6::timestamptz is null or j.posted_at >= $6)
  and ($7::timestamptz is null or j.posted_at < $7)
  and ($8::timestamptz is null or j.posted_at >= $8)
  and ($8::timestamptz is null or (j.posted_at, j.id, e.position) > ($8, $9::text, $10::integer))
order by j.posted_at, j.id, e.position
limit $11`;

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
    query.after?.postedAtExact ?? null,
    query.after?.journalId ?? null,
    query.after?.position ?? null,
    query.limit,
  ]);
  return rows;
}
