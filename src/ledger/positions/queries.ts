import type { Dimensions, LineEntry } from '../../core/money/accounts.ts';
import type { AccountKind } from '../../core/vocabulary.ts';
import type { Queryable } from '../../infra/db.ts';

interface BookedRow extends Dimensions {
  lines: number;
  paidFen: bigint;
  refundedFen: bigint;
  payeeId: string | null;
  account: AccountKind | null;
  amountFen: bigint;
  reversedFen: bigint;
}

// What is booked for lines by account, summed by dimensions: one row for the buyers' money (payee null), one for each payee and account beside
// it. The number of rows grows with the dimensions and payees that a line has had, not with its postings. Served by entry_lines_line_idx and
// postings_pkey.
const LIST_BOOKED = `
with touched as materialized (
  select l.entry_id, l.position, l.brand_id, l.line_id, l.order_id, l.store_id, l.product_id, l.platform, l.link_id, l.tag,
    l.influencer_id, l.agency_payee_id, l.method, l.paid_at, l.lines_delta, l.paid_delta_fen, l.refunded_delta_fen
  from entry_lines l
  where l.line_id = any ($1::text[])
)
select t.brand_id as "brandId", t.line_id as "lineId", t.order_id as "orderId", t.store_id as "storeId", t.product_id as "productId",
  t.platform, t.link_id as "linkId", t.tag, t.influencer_id as "influencerId", t.agency_payee_id as "agencyPayeeId", t.method,
  t.paid_at as "paidAt", sum(t.lines_delta)::integer as "lines", sum(t.paid_delta_fen)::bigint as "paidFen",
  sum(t.refunded_delta_fen)::bigint as "refundedFen", null::text as "payeeId", null::text as "account", 0::bigint as "amountFen",
  0::bigint as "reversedFen"
from touched t
group by t.brand_id, t.line_id, t.order_id, t.store_id, t.product_id, t.platform, t.link_id, t.tag, t.influencer_id,
  t.agency_payee_id, t.method, t.paid_at
union all
select t.brand_id, t.line_id, t.order_id, t.store_id, t.product_id, t.platform, t.link_id, t.tag, t.influencer_id, t.agency_payee_id,
  t.method, t.paid_at, 0, 0, 0, p.payee_id, p.account, sum(p.amount_fen)::bigint, sum(p.reversed_delta_fen)::bigint
from touched t
join postings p on p.brand_id = t.brand_id and p.entry_id = t.entry_id and p.line_position = t.position
group by t.brand_id, t.line_id, t.order_id, t.store_id, t.product_id, t.platform, t.link_id, t.tag, t.influencer_id,
  t.agency_payee_id, t.method, t.paid_at, p.payee_id, p.account`;

/** What is booked for lines, as line entries for `sumLineEntries`: line id → parts, to be summed before use. Lines never booked are absent. */
export async function listBooked(db: Queryable, lineIds: readonly string[]): Promise<Map<string, LineEntry[]>> {
  // A new order has no stored line yet: the intake saves a round trip.
  if (lineIds.length === 0) return new Map();
  const { rows } = await db.query<BookedRow>({ name: 'list_booked', text: LIST_BOOKED, values: [lineIds] });
  const lineEntries = rows.map(
    ({ lines, paidFen, refundedFen, payeeId, account, amountFen, reversedFen, ...dimensions }): LineEntry => ({
      dimensions,
      amounts: { lines, paidFen, refundedFen },
      postings: payeeId === null || account === null ? [] : [{ payeeId, account, amountFen, reversedFen }],
    }),
  );
  return Map.groupBy(lineEntries, (lineEntry) => lineEntry.dimensions.lineId);
}

// The ids of lines that were ever booked, in order; each found by a step down entry_lines_line_idx, so that a page costs as many steps as it
// has lines, however many entries touch each.
const LIST_BOOKED_LINE_IDS = `
with recursive page as (
  (select l.line_id, 1 as place from entry_lines l where l.line_id > $1 order by l.line_id limit 1)
  union all
  select next.line_id, p.place + 1
  from page p
  cross join lateral (select l.line_id from entry_lines l where l.line_id > p.line_id order by l.line_id limit 1) next
  where p.place < $2
)
select p.line_id as "lineId" from page p order by p.line_id`;

/** The next ids after `after` of lines that were ever booked. */
export async function listBookedLineIds(db: Queryable, page: { after: string; limit: number }): Promise<string[]> {
  const { rows } = await db.query<{ lineId: string }>(LIST_BOOKED_LINE_IDS, [page.after, page.limit]);
  return rows.map(({ lineId }) => lineId);
}
