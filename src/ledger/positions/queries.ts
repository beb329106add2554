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

// What is booked for lines, summed by dimensions: one row for the buyers' money (payee null), one for each payee and account beside it.
// Sums are whole, so the answer is as long as a line has had dimensions and payees, not postings. Served by entry_lines_line_idx and
// postings_pkey.
const LIST_BOOKED = `
with posted as materialized (
  select j.entry_id, j.position, j.brand_id, j.line_id, j.order_id, j.store_id, j.product_id, j.platform, j.link_id, j.tag,
    j.influencer_id, j.agency_payee_id, j.method, j.paid_at, j.lines_delta, j.paid_delta_fen, j.refunded_delta_fen
  from entry_lines j
  where j.line_id = any ($1::text[])
)
select p.brand_id as "brandId", p.line_id as "lineId", p.order_id as "orderId", p.store_id as "storeId", p.product_id as "productId",
  p.platform, p.link_id as "linkId", p.tag, p.influencer_id as "influencerId", p.agency_payee_id as "agencyPayeeId", p.method,
  p.paid_at as "paidAt", sum(p.lines_delta)::integer as "lines", sum(p.paid_delta_fen)::bigint as "paidFen",
  sum(p.refunded_delta_fen)::bigint as "refundedFen", null::text as "payeeId", null::text as "account", 0::bigint as "amountFen",
  0::bigint as "reversedFen"
from posted p
group by p.brand_id, p.line_id, p.order_id, p.store_id, p.product_id, p.platform, p.link_id, p.tag, p.influencer_id,
  p.agency_payee_id, p.method, p.paid_at
union all
select p.brand_id, p.line_id, p.order_id, p.store_id, p.product_id, p.platform, p.link_id, p.tag, p.influencer_id, p.agency_payee_id,
  p.method, p.paid_at, 0, 0, 0, e.payee_id, e.account, sum(e.amount_fen)::bigint, sum(e.reversed_delta_fen)::bigint
from posted p
join postings e on e.brand_id = p.brand_id and e.entry_id = p.entry_id and e.line_position = p.position
group by p.brand_id, p.line_id, p.order_id, p.store_id, p.product_id, p.platform, p.link_id, p.tag, p.influencer_id,
  p.agency_payee_id, p.method, p.paid_at, e.payee_id, e.account`;

/** What is booked for lines, as line entries for `sumLineEntries`: line id → parts, to be summed before use. Lines never booked are absent. */
export async function listBooked(db: Queryable, lineIds: readonly string[]): Promise<Map<string, LineEntry[]>> {
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
