import type { TimeBasis } from '../../core/vocabulary.ts';
import type { Queryable } from '../../infra/db.ts';

/** What totals may be grouped by. `month` and `day` are Asia/Shanghai's, of the time named by timeBasis. */
export const GROUPINGS = [
  'influencer',
  'brand',
  'store',
  'product',
  'link',
  'tag',
  'platform',
  'method',
  'month',
  'day',
  'stage',
] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Which part of the journal a reader may see and asks for; null does not narrow. */
export interface CommissionFilter {
  /** The brand the caller is confined to. */
  brandScope: string | null;
  /** The influencer the caller is confined to: only its own leg of its own lines. */
  influencerScope: string | null;
  brandId: string | null;
  influencerId: string | null;
  storeId: string | null;
  productId: string | null;
  platform: string | null;
  stage: string | null;
  /** Inclusive. */
  from: Date | null;
  /** Exclusive. */
  to: Date | null;
}

export interface TotalsQuery extends CommissionFilter {
  groupBy: readonly Grouping[];
  timeBasis: TimeBasis;
  asOf: Date | null;
  /** Most rows answered; one more is read, so that the caller sees that there are more. */
  limit: number;
}

/** Sums in fen; always commission = pending + payable + inPayout + paidOut − debt. */
export interface Figures {
  orders: bigint;
  lines: bigint;
  paidFen: bigint;
  refundedFen: bigint;
  commissionFen: bigint;
  pendingFen: bigint;
  payableFen: bigint;
  inPayoutFen: bigint;
  paidOutFen: bigint;
  debtFen: bigint;
  reversedFen: bigint;
}

/** One group: the values asked for, null for those that were not. */
export interface TotalsRow extends Figures {
  isTotal: boolean;
  influencerId: string | null;
  brandId: string | null;
  storeId: string | null;
  productId: string | null;
  linkId: string | null;
  tag: string | null;
  platform: string | null;
  method: string | null;
  month: string | null;
  day: string | null;
  stage: string | null;
}

// Sums over the journal, grouped, and their total, in one statement and so in one snapshot. Postings in scope (`posted`) give the buyers'
// money, their entries the commission; both are summed per order first, so that `orders` counts an order once per row and once in the
// total, and only while it has a line there. The stage is that of a line for one influencer, from everything booked by `asOf` whatever the
// window, so rows of adjoining windows add up. Groups in which everything is zero are left out: what was booked and taken back leaves no
// trace, whichever way it came. Served by entry_lines_brand_idx and entry_lines_influencer_idx.
const SUM_TOTALS = `
with posted as materialized (
  select l.entry_id, l.position, l.order_id, l.line_id, l.influencer_id, l.brand_id, l.store_id, l.product_id, l.link_id, l.tag,
    l.platform, l.method, l.lines_delta, l.paid_delta_fen, l.refunded_delta_fen,
    case when $12::text = 'posted' then j.posted_at else l.paid_at end as at
  from entry_lines l
  join journal_entries j on j.brand_id = l.brand_id and j.id = l.entry_id
  where ($2::text is null or l.brand_id = $2)
    and ($3::text is null or l.influencer_id = $3)
    and ($4::text is null or l.brand_id = $4)
    and ($5::text is null or l.influencer_id = $5)
    and ($6::text is null or l.store_id = $6)
    and ($7::text is null or l.product_id = $7)
    and ($8::text is null or l.platform = $8)
    and ($10::timestamptz is null or case when $12::text = 'posted' then j.posted_at else l.paid_at end >= $10)
    and ($11::timestamptz is null or case when $12::text = 'posted' then j.posted_at else l.paid_at end < $11)
    and ($13::timestamptz is null
      or exists (select from entry_seals s where s.brand_id = l.brand_id and s.entry_id = l.entry_id and s.sealed_at <= $13))
), viewer as (
  select i.payee_id from influencers i where i.id = $3
), balances as (
  select l.line_id, l.influencer_id,
    line_stage(sum(f.pending_fen), sum(f.payable_fen), sum(f.in_payout_fen), sum(f.paid_out_fen)) as stage
  from entry_lines l
  join posting_figures f on f.brand_id = l.brand_id and f.entry_id = l.entry_id and f.line_position = l.position
  where ($9::text is not null or 'stage' = any ($1::text[]))
    and l.line_id in (select p.line_id from posted p)
    and ($3::text is null or f.payee_id = (select v.payee_id from viewer v))
    and ($13::timestamptz is null
      or exists (select from entry_seals s where s.brand_id = l.brand_id and s.entry_id = l.entry_id and s.sealed_at <= $13))
  group by l.line_id, l.influencer_id
), staged as (
  select p.entry_id, p.position, p.order_id, p.line_id, p.influencer_id, p.brand_id, p.store_id, p.product_id, p.link_id, p.tag,
    p.platform, p.method, p.lines_delta, p.paid_delta_fen, p.refunded_delta_fen, p.at,
    coalesce(b.stage, 'none') as stage
  from posted p
  left join balances b on b.line_id = p.line_id and b.influencer_id = p.influencer_id
), money as (
  select f.brand_id, f.entry_id, f.line_position as position,
    sum(f.commission_fen) as commission_fen, sum(f.pending_fen) as pending_fen, sum(f.payable_fen) as payable_fen,
    sum(f.in_payout_fen) as in_payout_fen, sum(f.paid_out_fen) as paid_out_fen, sum(f.debt_fen) as debt_fen,
    sum(f.reversed_fen) as reversed_fen
  from posted p
  join posting_figures f on f.brand_id = p.brand_id and f.entry_id = p.entry_id and f.line_position = p.position
  where $3::text is null or f.payee_id = (select v.payee_id from viewer v)
  group by f.brand_id, f.entry_id, f.line_position
), per_order as (
  select
    case when 'influencer' = any ($1::text[]) then d.influencer_id end as influencer_id,
    case when 'brand' = any ($1::text[]) then d.brand_id end as brand_id,
    case when 'store' = any ($1::text[]) then d.store_id end as store_id,
    case when 'product' = any ($1::text[]) then d.product_id end as product_id,
    case when 'link' = any ($1::text[]) then d.link_id end as link_id,
    case when 'tag' = any ($1::text[]) then d.tag end as tag,
    case when 'platform' = any ($1::text[]) then d.platform end as platform,
    case when 'method' = any ($1::text[]) then d.method end as method,
    case when 'month' = any ($1::text[]) then to_char(d.at at time zone 'Asia/Shanghai', 'YYYY-MM') end as month,
    case when 'day' = any ($1::text[]) then to_char(d.at at time zone 'Asia/Shanghai', 'YYYY-MM-DD') end as day,
    case when 'stage' = any ($1::text[]) then d.stage end as stage,
    d.order_id, sum(d.lines_delta) as lines, sum(d.paid_delta_fen) as paid_fen, sum(d.refunded_delta_fen) as refunded_fen,
    coalesce(sum(m.commission_fen), 0) as commission_fen, coalesce(sum(m.pending_fen), 0) as pending_fen,
    coalesce(sum(m.payable_fen), 0) as payable_fen, coalesce(sum(m.in_payout_fen), 0) as in_payout_fen,
    coalesce(sum(m.paid_out_fen), 0) as paid_out_fen, coalesce(sum(m.debt_fen), 0) as debt_fen,
    coalesce(sum(m.reversed_fen), 0) as reversed_fen
  from staged d
  left join money m on m.brand_id = d.brand_id and m.entry_id = d.entry_id and m.position = d.position
  where $9::text is null or d.stage = $9
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, d.order_id
)
(select false as "isTotal", o.influencer_id as "influencerId", o.brand_id as "brandId", o.store_id as "storeId",
  o.product_id as "productId", o.link_id as "linkId", o.tag, o.platform, o.method, o.month, o.day, o.stage,
  count(*) filter (where o.lines > 0) as "orders", sum(o.lines)::bigint as "lines", sum(o.paid_fen)::bigint as "paidFen",
  sum(o.refunded_fen)::bigint as "refundedFen", sum(o.commission_fen)::bigint as "commissionFen",
  sum(o.pending_fen)::bigint as "pendingFen", sum(o.payable_fen)::bigint as "payableFen",
  sum(o.in_payout_fen)::bigint as "inPayoutFen", sum(o.paid_out_fen)::bigint as "paidOutFen", sum(o.debt_fen)::bigint as "debtFen",
  sum(o.reversed_fen)::bigint as "reversedFen"
from per_order o
group by o.influencer_id, o.brand_id, o.store_id, o.product_id, o.link_id, o.tag, o.platform, o.method, o.month, o.day, o.stage
having sum(o.lines) <> 0 or sum(o.paid_fen) <> 0 or sum(o.refunded_fen) <> 0 or sum(o.commission_fen) <> 0
  or sum(o.pending_fen) <> 0 or sum(o.payable_fen) <> 0 or sum(o.in_payout_fen) <> 0 or sum(o.paid_out_fen) <> 0
  or sum(o.debt_fen) <> 0 or sum(o.reversed_fen) <> 0
order by o.month, o.day, o.brand_id, o.influencer_id, o.store_id, o.product_id, o.link_id, o.tag, o.platform, o.method, o.stage
limit $14)
union all
select true, null, null, null, null, null, null, null, null, null, null, null,
  count(*) filter (where t.lines > 0), coalesce(sum(t.lines), 0)::bigint, coalesce(sum(t.paid_fen), 0)::bigint,
  coalesce(sum(t.refunded_fen), 0)::bigint, coalesce(sum(t.commission_fen), 0)::bigint, coalesce(sum(t.pending_fen), 0)::bigint,
  coalesce(sum(t.payable_fen), 0)::bigint, coalesce(sum(t.in_payout_fen), 0)::bigint, coalesce(sum(t.paid_out_fen), 0)::bigint,
  coalesce(sum(t.debt_fen), 0)::bigint, coalesce(sum(t.reversed_fen), 0)::bigint
from (
  select o.order_id, sum(o.lines) as lines, sum(o.paid_fen) as paid_fen, sum(o.refunded_fen) as refunded_fen,
    sum(o.commission_fen) as commission_fen, sum(o.pending_fen) as pending_fen, sum(o.payable_fen) as payable_fen,
    sum(o.in_payout_fen) as in_payout_fen, sum(o.paid_out_fen) as paid_out_fen, sum(o.debt_fen) as debt_fen,
    sum(o.reversed_fen) as reversed_fen
  from per_order o
  group by o.order_id
) t
order by "isTotal", "month", "day", "brandId", "influencerId", "storeId", "productId", "linkId", "tag", "platform", "method", "stage"`;

/** The rows of the groups in a fixed order, at most `limit` + 1 of them, then the total, which is always there. */
export async function sumTotals(db: Queryable, query: TotalsQuery): Promise<TotalsRow[]> {
  const { rows } = await db.query<TotalsRow>(SUM_TOTALS, [
    query.groupBy,
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
    query.timeBasis,
    query.asOf,
    query.limit + 1,
  ]);
  return rows;
}
