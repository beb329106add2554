/** The clicks that may have led to an order line, each in one query for any number of lines. */
import type { ClickFact, LinkFact } from '../../core/attribution/facts.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable } from '../../infra/db.ts';
import { linkOfRow, present } from './evidence-queries.ts';
import type { LinkRow } from './evidence-queries.ts';

// By the whole primary key, so only the partition of that month is touched.
const LIST_CLICK_ROWS = `
select c.click_id as "clickId", c.verdict, c.tag
from unnest($1::text[], $2::timestamptz[]) as input (click_id, clicked_at)
join clicks c on c.click_id = input.click_id and c.clicked_at = input.clicked_at`;

/** The stored rows of these click ids, by id; absent: not (yet) stored. */
export async function listClickRows(
  db: Queryable,
  clicks: readonly { clickId: string; clickedAt: Date }[],
): Promise<Map<string, { verdict: ClickFact['verdict']; tag?: string }>> {
  if (clicks.length === 0) return new Map();
  const { rows } = await db.query<{ clickId: string; verdict: ClickFact['verdict']; tag: string | null }>({
    name: 'list_click_rows',
    text: LIST_CLICK_ROWS,
    values: arrayLiterals([clicks.map((click) => click.clickId), clicks.map((click) => click.clickedAt)]),
  });
  return new Map(rows.map(({ clickId, verdict, tag }) => [clickId, { verdict, ...present({ tag }) }]));
}

export interface ClickOfLine extends ClickFact {
  lineId: string;
  link: LinkFact;
}

interface ClickRow extends LinkRow {
  lineId: string;
  clickId: string;
  clickedAt: Date;
  verdict: ClickFact['verdict'];
  tag: string | null;
  /** Asked for only where steps count. */
  steppedAt?: Date | null;
}

// The latest counted click of every link of the product, up to the order: one backward probe of clicks_link_idx a link (links_product_idx
// finds them), however many clicks there are. 2160 hours: the longest window terms may have (90 days), in hours because a session's time
// zone must not stretch a day. The 20 newest are enough to see that there is more than one; an influencer asked for by name comes first.
const LIST_LATEST_CLICKS = `
select input.line_id as "lineId", latest.*
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) as input (line_id, product_id, until_at, influencer_id)
cross join lateral (
  select c.click_id as "clickId", c.clicked_at as "clickedAt", c.verdict, c.tag, l.id as "linkId", l.number as "linkNumber",
    l.brand_id as "brandId", p.store_id as "storeId", l.product_id as "productId", l.influencer_id as "influencerId"
  from links l
  join products p on p.brand_id = l.brand_id and p.id = l.product_id
  cross join lateral (
    select k.click_id, k.clicked_at, k.verdict, k.tag
    from clicks k
    where k.link_number = l.number and k.verdict = 'counted'
      and k.clicked_at <= input.until_at and k.clicked_at >= input.until_at - interval '2160 hours'
    order by k.clicked_at desc, k.click_id collate "C"
    limit 1
  ) as c
  where l.product_id = input.product_id
  order by (l.influencer_id = input.influencer_id) is true desc, c.clicked_at desc, c.click_id collate "C"
  limit 20
) as latest`;

export interface LatestClicksQuestion {
  lineId: string;
  productId: string;
  createdAt: Date;
  /** Whose click must be among the answers, however old. */
  influencerId?: string;
}

/** Per line, the latest counted click of each influencer on the product up to the order's creation: the 20 newest. */
export async function listLatestClicks(db: Queryable, lines: readonly LatestClicksQuestion[]): Promise<ClickOfLine[]> {
  const { rows } = await db.query<ClickRow>({
    name: 'list_latest_clicks',
    text: LIST_LATEST_CLICKS,
    values: arrayLiterals([
      lines.map((line) => line.lineId),
      lines.map((line) => line.productId),
      lines.map((line) => line.createdAt),
      lines.map((line) => line.influencerId ?? null),
    ]),
  });
  return rows.map(clickOfLine);
}

// What of each influencer is nearest to the platform's time of arrival: a counted click, or a step on the middle page of a click by a person,
// taken before the order; a click after the order only if there is nothing else, because it cannot win. Bounded by the 130 s around the
// arrival. Served by clicks_product_idx, click_steps_product_idx and, from a step to its click, clicks_pkey; a lateral query, because
// Postgres would not see that a plain join touches a few rows a line and read whole partitions.
const LIST_CLICKS_NEAR = `
select input.line_id as "lineId", c.click_id as "clickId", c.clicked_at as "clickedAt", c.verdict, c.tag, c.stepped_at as "steppedAt",
  l.id as "linkId", l.number as "linkNumber", l.brand_id as "brandId", p.store_id as "storeId", l.product_id as "productId",
  l.influencer_id as "influencerId"
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
  as input (line_id, product_id, from_at, until_at, arrived_at, created_at)
cross join lateral (
  select distinct on (near.influencer_id) near.click_id, near.clicked_at, near.verdict, near.tag, near.link_id, near.stepped_at
  from (
    select k.click_id, k.clicked_at, k.verdict, k.tag, k.link_id, k.influencer_id, null::timestamptz as stepped_at, k.clicked_at as shown_at
    from clicks k
    where k.product_id = input.product_id and k.clicked_at >= input.from_at and k.clicked_at <= input.until_at
      and k.verdict = 'counted'
    union all
    select k.click_id, k.clicked_at, k.verdict, k.tag, k.link_id, k.influencer_id, t.stepped_at, t.stepped_at
    from click_steps t
    join clicks k on k.click_id = t.click_id and k.clicked_at = t.clicked_at
    where t.product_id = input.product_id and t.stepped_at >= input.from_at and t.stepped_at <= input.until_at
      and t.stepped_at <= input.created_at and k.verdict in ('counted', 'repeat')
  ) near
  order by near.influencer_id, near.shown_at > input.created_at, abs(extract(epoch from near.shown_at - input.arrived_at)),
    near.clicked_at desc, near.click_id collate "C", near.stepped_at nulls first
) as c
join links l on l.id = c.link_id
join products p on p.brand_id = l.brand_id and p.id = l.product_id`;

export interface ClicksNearQuestion {
  lineId: string;
  productId: string;
  createdAt: Date;
  arrivedAt: Date;
  /** Both inclusive. */
  from: Date;
  until: Date;
}

/** Per line, each influencer's click on the product that is nearest to `arrivedAt`, by itself or by a step on its middle page. */
export async function listClicksNear(db: Queryable, lines: readonly ClicksNearQuestion[]): Promise<ClickOfLine[]> {
  const { rows } = await db.query<ClickRow>({
    name: 'list_clicks_near',
    text: LIST_CLICKS_NEAR,
    values: arrayLiterals([
      lines.map((line) => line.lineId),
      lines.map((line) => line.productId),
      lines.map((line) => line.from),
      lines.map((line) => line.until),
      lines.map((line) => line.arrivedAt),
      lines.map((line) => line.createdAt),
    ]),
  });
  return rows.map(clickOfLine);
}

function clickOfLine(row: ClickRow): ClickOfLine {
  const { lineId, clickId, clickedAt, verdict, tag, steppedAt = null, linkId, influencerId, productId } = row;
  return {
    ...present({ tag, steppedAt }),
    lineId,
    clickId,
    clickedAt,
    verdict,
    linkId,
    influencerId,
    productId,
    link: linkOfRow(row),
  };
}
