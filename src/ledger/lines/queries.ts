import type { Queryable } from '../../infra/db.ts';
import type { CommissionFilter, Figures } from '../figures.ts';

export interface CommissionsQuery extends CommissionFilter {
  after: { paidAtMicros: bigint; lineId: string } | null;
  limit: number;
}

/** One line with what it earns. The attribution is null where the caller may not see it: the line is another influencer's now. */
export interface CommissionRow extends Omit<Figures, 'orders' | 'lines'> {
  lineId: string;
  paidAtMicros: bigint;
  paidAt: Date;
  brandId: string;
  orderId: string;
  externalOrderId: string;
  externalLineId: string;
  storeId: string;
  platform: string;
  productId: string;
  quantity: bigint;
  receivedAt: Date | null;
  payableAt: Date | null;
  releasedAt: Date | null;
  holdNote: string | null;
  rateBp: number | null;
  flatFen: bigint | null;
  basis: string | null;
  method: string | null;
  confidence: string | null;
  linkId: string | null;
  linkCode: string | null;
  influencerId: string | null;
  tag: string | null;
  clickId: string | null;
}

// One row a line with the sums of its postings in scope: exactly the postings that `sumTotals` adds up under the same filters, so the rows sum
// to its total, page by page. Newest payment first, ties by line id; the cursor carries microseconds. Lines of which nothing is left (booked
// and taken back) are left out. Served by entry_lines_brand_idx and entry_lines_influencer_idx.
const LIST_COMMISSIONS = `
with touched as materialized (
  select row_number() over () as place, l.brand_id, l.entry_id, l.position, l.line_id, l.influencer_id, l.product_id, l.lines_delta, l.paid_delta_fen,
    l.refunded_delta_fen, l.paid_at
  from entry_lines l
  where ($1::text is null or l.brand_id = $1)
    and ($2::text is null or l.influencer_id = $2)
    and ($3::text is null or l.brand_id = $3)
    and ($4::text is null or l.influencer_id = $4)
    and ($5::text is null or l.store_id = $5)
    and ($6::text is null or l.product_id = $6)
    and ($7::text is null or l.platform = $7)
    and ($9::timestamptz is null or l.paid_at >= $9)
    and ($10::timestamptz is null or l.paid_at < $10)
), viewer as (
  select i.payee_id from influencers i where i.id = $2
), stages as (
  select l.line_id, l.influencer_id,
    line_stage(sum(f.pending_fen), sum(f.payable_fen), sum(f.in_payout_fen), sum(f.paid_out_fen)) as stage
  from entry_lines l
  join posting_figures f on f.brand_id = l.brand_id and f.entry_id = l.entry_id and f.line_position = l.position
  where $8::text is not null
    and l.line_id in (select t.line_id from touched t)
    and ($2::text is null or f.payee_id = (select v.payee_id from viewer v))
  group by l.line_id, l.influencer_id
), money as (
  select t.place, sum(f.commission_fen) as commission_fen, sum(f.pending_fen) as pending_fen,
    sum(f.payable_fen) as payable_fen, sum(f.in_payout_fen) as in_payout_fen, sum(f.paid_out_fen) as paid_out_fen,
    sum(f.debt_fen) as debt_fen, sum(f.reversed_fen) as reversed_fen
  from touched t
  join posting_figures f on f.brand_id = t.brand_id and f.entry_id = t.entry_id and f.line_position = t.position
  where $2::text is null or f.payee_id = (select v.payee_id from viewer v)
  group by t.place
), summed as (
  select t.brand_id, t.line_id, max(t.paid_at) as paid_at, max(t.product_id) as product_id, sum(t.lines_delta) as lines,
    sum(t.paid_delta_fen)::bigint as paid_fen, sum(t.refunded_delta_fen)::bigint as refunded_fen,
    coalesce(sum(m.commission_fen), 0)::bigint as commission_fen, coalesce(sum(m.pending_fen), 0)::bigint as pending_fen,
    coalesce(sum(m.payable_fen), 0)::bigint as payable_fen, coalesce(sum(m.in_payout_fen), 0)::bigint as in_payout_fen,
    coalesce(sum(m.paid_out_fen), 0)::bigint as paid_out_fen, coalesce(sum(m.debt_fen), 0)::bigint as debt_fen,
    coalesce(sum(m.reversed_fen), 0)::bigint as reversed_fen
  from touched t
  left join money m on m.place = t.place
  left join stages s on s.line_id = t.line_id and s.influencer_id = t.influencer_id
  where $8::text is null or coalesce(s.stage, 'none') = $8
  group by t.brand_id, t.line_id
), page as (
  select s.brand_id, s.line_id, s.paid_at, (extract(epoch from s.paid_at) * 1000000)::bigint as paid_at_micros, s.product_id, s.paid_fen,
    s.refunded_fen, s.commission_fen, s.pending_fen, s.payable_fen, s.in_payout_fen, s.paid_out_fen, s.debt_fen, s.reversed_fen
  from summed s
  where (s.lines, s.paid_fen, s.refunded_fen, s.commission_fen, s.pending_fen, s.payable_fen, s.in_payout_fen, s.paid_out_fen, s.debt_fen,
      s.reversed_fen) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    and ($11::bigint is null or ((extract(epoch from s.paid_at) * 1000000)::bigint, s.line_id) < ($11, $12))
  order by paid_at_micros desc, s.line_id desc
  limit $13
)
select p.line_id as "lineId", p.paid_at_micros as "paidAtMicros", p.paid_at as "paidAt", l.brand_id as "brandId",
  l.order_id as "orderId", o.external_order_id as "externalOrderId", l.external_line_id as "externalLineId",
  o.store_id as "storeId", s.platform, p.product_id as "productId", l.quantity, l.received_at as "receivedAt",
  c.payable_at as "payableAt", c.released_at as "releasedAt", c.hold_note as "holdNote", c.rate_bp as "rateBp",
  c.flat_fen as "flatFen", c.basis, a.method, a.confidence, a.link_id as "linkId", k.code as "linkCode",
  a.influencer_id as "influencerId", a.tag, a.click_id as "clickId", p.paid_fen as "paidFen", p.refunded_fen as "refundedFen",
  p.commission_fen as "commissionFen", p.pending_fen as "pendingFen", p.payable_fen as "payableFen",
  p.in_payout_fen as "inPayoutFen", p.paid_out_fen as "paidOutFen", p.debt_fen as "debtFen", p.reversed_fen as "reversedFen"
from page p
join order_lines l on l.brand_id = p.brand_id and l.id = p.line_id
join orders o on o.brand_id = l.brand_id and o.id = l.order_id
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
left join attributions a on a.brand_id = p.brand_id and a.line_id = p.line_id and a.state = 'matched'
  and ($2::text is null or a.influencer_id = $2)
left join priced_lines c on c.brand_id = p.brand_id and c.line_id = p.line_id and ($2::text is null or c.influencer_id = $2)
left join link_codes k on k.link_id = a.link_id and k.kind = 'code'
order by p.paid_at_micros desc, p.line_id desc`;

/** A page of lines that earn or earned, newest payment first. */
export async function listCommissions(db: Queryable, query: CommissionsQuery): Promise<CommissionRow[]> {
  const { rows } = await db.query<CommissionRow>(LIST_COMMISSIONS, [
    query.brandScope,
    query.influencerScope,
    query.brandId,
    query.influencerId,
    query.storeId,
    query.productId,
    query.platform,
    query.stage,
    query.from,
    query.to,
    query.after?.paidAtMicros ?? null,
    query.after?.lineId ?? null,
    query.limit,
  ]);
  return rows;
}
