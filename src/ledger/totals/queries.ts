import type { Queryable } from '../../infra/db.ts';
import type { CommissionFilter, Figures } from '../figures.ts';

/**
 * The groupings of totals, each with the field of a row that holds its value; in the order in which rows are sorted. A grouping is added by its
 * line here and its line in SUM_TOTALS at the same place: the API's field, its schema and its CSV column follow from this list.
 */
export const FIELD_OF_GROUPING = {
  month: 'month',
  day: 'day',
  brand: 'brandId',
  influencer: 'influencerId',
  store: 'storeId',
  product: 'productId',
  link: 'linkId',
  tag: 'tag',
  platform: 'platform',
  method: 'method',
  stage: 'stage',
} as const;
export type Grouping = keyof typeof FIELD_OF_GROUPING;
export type GroupField = (typeof FIELD_OF_GROUPING)[Grouping];
export const GROUPINGS = Object.keys(FIELD_OF_GROUPING) as [Grouping, ...Grouping[]];

export interface TotalsQuery extends CommissionFilter {
  groupBy: readonly Grouping[];
  timeBasis: 'paid' | 'posted';
  asOf: Date | null;
  /** Most rows answered; one more is read, so that the caller sees that there are more. */
  limit: number;
}

/** One group: the values of the groupings requested, null for the others. */
export type TotalsRow = Figures & Record<GroupField, string | null> & { isTotal: boolean };

// Sums over the journal, grouped, and their total, in one statement and so in one snapshot. Line entries in scope (`touched`) give the buyers'
// money, their postings the commission; both are summed per order first, so that `orders` counts an order once per row and once in the
// total, and only while it has a line there. Money is grouped by the place of its line entry in `touched`: one number sorts faster than the three
// columns of the key. The stage is that of a line for one influencer, from everything booked by `asOf` whatever the
// window, so rows of adjoining windows add up. Groups in which everything is zero are left out: what was booked and taken back leaves no
// trace, whichever way it came. Rows are sorted by their groups, left to right, null last. Months and days are Asia/Shanghai's, of the time
// that timeBasis names. Served by entry_lines_brand_idx and entry_lines_influencer_idx.
const SUM_TOTALS = `
with touched as materialized (
  select row_number() over () as place, l.brand_id, l.entry_id, l.position, l.line_id, l.order_id, l.influencer_id, l.store_id, l.product_id, l.link_id, l.tag, l.platform,
    l.method, l.lines_delta, l.paid_delta_fen, l.refunded_delta_fen, t.at
  from entry_lines l
  join journal_entries e on e.brand_id = l.brand_id and e.id = l.entry_id
  cross join lateral (select case when $12::text = 'posted' then e.posted_at else l.paid_at end as at) t
  where ($2::text is null or l.brand_id = $2)
    and ($3::text is null or l.influencer_id = $3)
    and ($4::text is null or l.brand_id = $4)
    and ($5::text is null or l.influencer_id = $5)
    and ($6::text is null or l.store_id = $6)
    and ($7::text is null or l.product_id = $7)
    and ($8::text is null or l.platform = $8)
    and ($10::timestamptz is null or t.at >= $10)
    and ($11::timestamptz is null or t.at < $11)
    and ($13::timestamptz is null
      or exists (select from entry_seals s where s.brand_id = l.brand_id and s.entry_id = l.entry_id and s.sealed_at <= $13))
), viewer as (
  select i.payee_id from influencers i where i.id = $3
), stages as (
  select l.line_id, l.influencer_id,
    line_stage(sum(f.pending_fen), sum(f.payable_fen), sum(f.in_payout_fen), sum(f.paid_out_fen)) as stage
  from entry_lines l
  join posting_figures f on f.brand_id = l.brand_id and f.entry_id = l.entry_id and f.line_position = l.position
  where ($9::text is not null or 'stage' = any ($1::text[]))
    and l.line_id in (select t.line_id from touched t)
    and ($3::text is null or f.payee_id = (select v.payee_id from viewer v))
    and ($13::timestamptz is null
      or exists (select from entry_seals s where s.brand_id = l.brand_id and s.entry_id = l.entry_id and s.sealed_at <= $13))
  group by l.line_id, l.influencer_id
), money as (
  select t.place, sum(f.commission_fen) as commission_fen, sum(f.pending_fen) as pending_fen,
    sum(f.payable_fen) as payable_fen, sum(f.in_payout_fen) as in_payout_fen, sum(f.paid_out_fen) as paid_out_fen,
    sum(f.debt_fen) as debt_fen, sum(f.reversed_fen) as reversed_fen
  from touched t
  join posting_figures f on f.brand_id = t.brand_id and f.entry_id = t.entry_id and f.line_position = t.position
  where $3::text is null or f.payee_id = (select v.payee_id from viewer v)
  group by t.place
), per_order as (
  select
    array[
      case when 'month' = any ($1::text[]) then to_char(t.at at time zone 'Asia/Shanghai', 'YYYY-MM') end,
      case when 'day' = any ($1::text[]) then to_char(t.at at time zone 'Asia/Shanghai', 'YYYY-MM-DD') end,
      case when 'brand' = any ($1::text[]) then t.brand_id end,
      case when 'influencer' = any ($1::text[]) then t.influencer_id end,
      case when 'store' = any ($1::text[]) then t.store_id end,
      case when 'product' = any ($1::text[]) then t.product_id end,
      case when 'link' = any ($1::text[]) then t.link_id end,
      case when 'tag' = any ($1::text[]) then t.tag end,
      case when 'platform' = any ($1::text[]) then t.platform end,
      case when 'method' = any ($1::text[]) then t.method end,
      case when 'stage' = any ($1::text[]) then coalesce(s.stage, 'none') end
    ] as groups,
    t.order_id, sum(t.lines_delta) as lines, sum(t.paid_delta_fen) as paid_fen, sum(t.refunded_delta_fen) as refunded_fen,
    coalesce(sum(m.commission_fen), 0) as commission_fen, coalesce(sum(m.pending_fen), 0) as pending_fen,
    coalesce(sum(m.payable_fen), 0) as payable_fen, coalesce(sum(m.in_payout_fen), 0) as in_payout_fen,
    coalesce(sum(m.paid_out_fen), 0) as paid_out_fen, coalesce(sum(m.debt_fen), 0) as debt_fen,
    coalesce(sum(m.reversed_fen), 0) as reversed_fen
  from touched t
  left join stages s on s.line_id = t.line_id and s.influencer_id = t.influencer_id
  left join money m on m.place = t.place
  where $9::text is null or coalesce(s.stage, 'none') = $9
  group by 1, t.order_id
)
(select false as "isTotal", o.groups,
  count(*) filter (where o.lines > 0) as "orders", sum(o.lines)::bigint as "lines", sum(o.paid_fen)::bigint as "paidFen",
  sum(o.refunded_fen)::bigint as "refundedFen", sum(o.commission_fen)::bigint as "commissionFen",
  sum(o.pending_fen)::bigint as "pendingFen", sum(o.payable_fen)::bigint as "payableFen",
  sum(o.in_payout_fen)::bigint as "inPayoutFen", sum(o.paid_out_fen)::bigint as "paidOutFen", sum(o.debt_fen)::bigint as "debtFen",
  sum(o.reversed_fen)::bigint as "reversedFen"
from per_order o
group by o.groups
having (sum(o.lines), sum(o.paid_fen), sum(o.refunded_fen), sum(o.commission_fen), sum(o.pending_fen), sum(o.payable_fen),
  sum(o.in_payout_fen), sum(o.paid_out_fen), sum(o.debt_fen), sum(o.reversed_fen)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
order by o.groups
limit $14)
union all
select true, null,
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
order by "isTotal", "groups"`;

interface SummedRow extends Figures {
  isTotal: boolean;
  /** One value for each of GROUPINGS, in their order; null for the total. */
  groups: readonly (string | null)[] | null;
}

/** The rows of the groups in a fixed order, at most `limit` + 1 of them, then the total, which is always there. */
export async function sumTotals(db: Queryable, query: TotalsQuery): Promise<TotalsRow[]> {
  const { rows } = await db.query<SummedRow>(SUM_TOTALS, [
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
  return rows.map(({ groups, ...figures }) => ({ ...figures, ...groupValues(groups) }));
}

function groupValues(groups: SummedRow['groups']): Record<GroupField, string | null> {
  const values = GROUPINGS.map((grouping, place) => [FIELD_OF_GROUPING[grouping], groups?.[place] ?? null]);
  return Object.fromEntries(values) as Record<GroupField, string | null>;
}
