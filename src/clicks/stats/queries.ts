import type { Verdict } from '../../core/clicks/click.ts';
import type { Step } from '../../core/clicks/visit-step.ts';
import type { Queryable } from '../../infra/db.ts';

export interface StatsLink {
  linkId: string;
  linkNumber: bigint;
  influencerId: string;
  /** The payee whose share the influencer sees. */
  payeeId: string;
}

export interface StatsScope {
  /** Undefined: any. */
  brandId: string | undefined;
  influencerId: string | undefined;
}

// At most one row; a link outside the caller's scope is absent, as one that does not exist. Served by link_codes_pkey.
const FIND_STATS_LINK = `
select l.id as "linkId", l.number as "linkNumber", l.influencer_id as "influencerId", i.payee_id as "payeeId"
from link_codes c
join links l on l.brand_id = c.brand_id and l.id = c.link_id
join influencers i on i.id = l.influencer_id
where c.code = $1 and ($2::text is null or l.brand_id = $2) and ($3::text is null or l.influencer_id = $3)`;

export async function findStatsLink(db: Queryable, code: string, scope: StatsScope): Promise<StatsLink | undefined> {
  const values = [code, scope.brandId ?? null, scope.influencerId ?? null];
  const { rows } = await db.query<StatsLink>({ name: 'find_stats_link', text: FIND_STATS_LINK, values });
  return rows[0];
}

/** Half-open; undefined: no limit. */
export interface StatsSpan {
  from: Date | undefined;
  to: Date | undefined;
}

export interface ClickCounts {
  verdict: Verdict;
  clicks: bigint;
  uniques: bigint;
}

export type SeriesCounts = ClickCounts & { from: Date };
export type TagCounts = ClickCounts & { tag: string };

// An hour belongs to the span in which it begins. By time, each time and verdict once. Served by click_rollups_pkey.
const LIST_SERIES = `
select date_trunc($4, r.hour, 'Asia/Shanghai') as "from", r.verdict, sum(r.clicks)::bigint as clicks, sum(r.uniques)::bigint as uniques
from click_rollups r
where r.link_number = $1 and ($2::timestamptz is null or r.hour >= $2) and ($3::timestamptz is null or r.hour < $3)
group by 1, 2
order by 1, 2`;

/** Clicks by hour or Shanghai day and verdict; times without a click are absent. */
export async function listSeries(
  db: Queryable,
  query: StatsSpan & { linkNumber: bigint; interval: 'hour' | 'day' },
): Promise<SeriesCounts[]> {
  const values = [query.linkNumber, query.from ?? null, query.to ?? null, query.interval];
  const { rows } = await db.query<SeriesCounts>({ name: 'list_click_series', text: LIST_SERIES, values });
  return rows;
}

// The tags with the most counted clicks, ties by tag, each with all its verdicts. A visitor can invent tags, so their number is limited.
// Served by click_rollups_pkey.
const LIST_TAGS = `
with counts as (
  select r.tag, r.verdict, sum(r.clicks)::bigint as clicks, sum(r.uniques)::bigint as uniques
  from click_rollups r
  where r.link_number = $1 and ($2::timestamptz is null or r.hour >= $2) and ($3::timestamptz is null or r.hour < $3)
  group by r.tag, r.verdict
), ranked as (
  select c.tag, row_number() over (order by sum(c.clicks) filter (where c.verdict = 'counted') desc nulls last, c.tag) as place
  from counts c
  group by c.tag
)
select c.tag, c.verdict, c.clicks, c.uniques
from ranked k
join counts c on c.tag = k.tag
where k.place <= $4
order by k.place, c.verdict`;

export async function listTagCounts(
  db: Queryable,
  query: StatsSpan & { linkNumber: bigint; most: number },
): Promise<TagCounts[]> {
  const values = [query.linkNumber, query.from ?? null, query.to ?? null, query.most];
  const { rows } = await db.query<TagCounts>({ name: 'list_click_tags', text: LIST_TAGS, values });
  return rows;
}

export interface LinkSales {
  orders: bigint;
  paidFen: bigint;
  commissionFen: bigint;
}

// From the journal, so equal to the totals of finance for this link. Lines paid within the span; a payee ($5) sees its own leg, null the
// whole commission. Served by entry_lines_influencer_idx (a link has one influencer) and postings_pkey.
const FIND_SALES = `
with lines as (
  select jl.brand_id, jl.entry_id, jl.position, jl.order_id, jl.lines_delta, jl.paid_delta_fen
  from entry_lines jl
  where jl.influencer_id = $1 and jl.link_id = $2 and ($3::timestamptz is null or jl.paid_at >= $3)
    and ($4::timestamptz is null or jl.paid_at < $4)
), sold as (
  select l.order_id from lines l group by l.order_id having sum(l.lines_delta) > 0
)
select (select count(*) from sold) as orders,
  (select coalesce(sum(l.paid_delta_fen), 0)::bigint from lines l) as "paidFen",
  (select coalesce(sum(f.commission_fen), 0)::bigint
    from lines l
    join posting_figures f on f.brand_id = l.brand_id and f.entry_id = l.entry_id and f.line_position = l.position
    where $5::text is null or f.payee_id = $5) as "commissionFen"`;

/** What was sold through a link: distinct orders, the buyers' money before refunds, the commission after them. */
export async function findLinkSales(
  db: Queryable,
  query: StatsSpan & { influencerId: string; linkId: string; payeeId: string | undefined },
): Promise<LinkSales> {
  const values = [query.influencerId, query.linkId, query.from ?? null, query.to ?? null, query.payeeId ?? null];
  const { rows } = await db.query<LinkSales>({ name: 'find_link_sales', text: FIND_SALES, values });
  return rows[0] ?? { orders: 0n, paidFen: 0n, commissionFen: 0n };
}

export interface FunnelCounts {
  app: string;
  /** `shown`: pages served to people. */
  step: Step | 'shown';
  steps: bigint;
}

// Shanghai days of the click that overlap the span. By app, the app with the most shown pages first. Served by step_rollups_pkey.
const LIST_FUNNEL = `
select r.app, r.step, sum(r.steps)::bigint as steps
from step_rollups r
where r.link_number = $1
  and ($2::timestamptz is null or r.day >= ($2 at time zone 'Asia/Shanghai')::date)
  and ($3::timestamptz is null or r.day::timestamp at time zone 'Asia/Shanghai' < $3)
group by r.app, r.step
order by sum(sum(r.steps) filter (where r.step = 'shown')) over (partition by r.app) desc nulls last, r.app collate "C", r.step`;

/** Steps of visitors on the middle page of a link, by app and step; steps that never happened are absent. */
export async function listFunnel(db: Queryable, query: StatsSpan & { linkNumber: bigint }): Promise<FunnelCounts[]> {
  const values = [query.linkNumber, query.from ?? null, query.to ?? null];
  const { rows } = await db.query<FunnelCounts>({ name: 'list_funnel', text: LIST_FUNNEL, values });
  return rows;
}
