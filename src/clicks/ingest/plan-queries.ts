/** Reads what the plan of a batch needs to know about links and earlier clicks. */
import type { StoredClick } from '../../core/clicks/click.ts';
import type { Queryable } from '../../infra/db.ts';

/** The link of a click, with the keys that its row repeats. */
export interface ClickLink {
  number: number;
  linkId: string;
  brandId: string;
  productId: string;
  influencerId: string;
}

// One row for each link that exists, in no order. Served by links_number_key.
const LIST_LINKS = `
select l.number, l.id as "linkId", l.brand_id as "brandId", l.product_id as "productId", l.influencer_id as "influencerId"
from links l
where l.number = any ($1::bigint[])`;

/** The links of these numbers; numbers without a link are absent. */
export async function listLinksByNumber(db: Queryable, numbers: readonly number[]): Promise<ClickLink[]> {
  const query = { name: 'list_click_links', text: LIST_LINKS, values: [numbers] };
  const { rows } = await db.query<Omit<ClickLink, 'number'> & { number: bigint }>(query);
  return rows.map((row) => ({ ...row, number: Number(row.number) }));
}

/** A visitor on a link on a Shanghai day. */
export interface VisitKey {
  /** `2026-11-22`. */
  day: string;
  /** A bigint, as text. */
  visit: string;
}

/** An array literal of values that need no quoting (no comma, quote, brace, backslash, blank or the word null), which the driver would check each. */
export function arrayText(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}

/** Parallel arrays of keys. */
export function keyArrays(keys: readonly VisitKey[]): [days: string, visits: string] {
  return [arrayText(keys.map(({ day }) => day)), arrayText(keys.map(({ visit }) => visit))];
}

// Those of the keys that have a counted click, each by its place in the input. Served by click_visits_pkey, one probe for each key: "offset 0"
// keeps the planner from reading the whole table instead.
const LIST_VISITS = `
select input.place::integer, (extract(epoch from v.last_counted_at) * 1000)::float8 as "lastCountedMs"
from unnest($1::date[], $2::bigint[]) with ordinality as input (day, visit, place)
cross join lateral (
  select k.last_counted_at from click_visits k where k.day = input.day and k.visit = input.visit offset 0
) as v`;

/**
 * @param keys  parallel arrays
 * @returns index of a key that has a counted click → the time of the latest one in ms
 */
export async function listVisitsByPlace(
  db: Queryable,
  { days, visits }: { days: readonly string[]; visits: readonly string[] },
): Promise<Map<number, number>> {
  if (days.length === 0) return new Map();
  const query = { name: 'list_click_visits', text: LIST_VISITS, values: [arrayText(days), arrayText(visits)] };
  const { rows } = await db.query<{ place: number; lastCountedMs: number }>(query);
  return new Map(rows.map(({ place, lastCountedMs }) => [place - 1, lastCountedMs]));
}

interface StoredRow extends Omit<StoredClick, 'linkNumber'> {
  linkNumber: bigint;
}

function storedClicksOf(rows: readonly StoredRow[]): StoredClick[] {
  return rows.map((row) => ({ ...row, linkNumber: Number(row.linkNumber) }));
}

/** A link and the span of time in which its clicks matter. */
export interface LinkSpan {
  linkNumber: number;
  /** Half-open. */
  fromAt: Date;
  untilAt: Date;
}

// Counted clicks of any of the visitors on these links, each link within its span. Served by clicks_link_idx: one range for each link, whatever
// the number of visitors. The list of visitors is hashed once ("is true" keeps the planner from a nested loop).
const LIST_COUNTED = `
select c.click_id as "clickId", c.clicked_at as "clickedAt", c.link_number as "linkNumber", c.verdict,
  encode(c.visitor, 'hex') as visitor
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as span (link_number, from_at, until_at)
join clicks c on c.link_number = span.link_number and c.clicked_at >= span.from_at and c.clicked_at < span.until_at
where c.verdict = 'counted' and (c.visitor in (select decode(v, 'hex') from unnest($4::text[]) as v)) is true`;

/** Counted clicks of these visitors, on each link within its span. */
export async function listCountedClicks(
  db: Queryable,
  spans: readonly LinkSpan[],
  visitors: readonly string[],
): Promise<StoredClick[]> {
  if (spans.length === 0) return [];
  const values = [
    spans.map(({ linkNumber }) => linkNumber),
    spans.map(({ fromAt }) => fromAt),
    spans.map(({ untilAt }) => untilAt),
    arrayText(visitors),
  ];
  const { rows } = await db.query<StoredRow>({ name: 'list_counted_clicks', text: LIST_COUNTED, values });
  return storedClicksOf(rows);
}

// Those of the given clicks that are stored already. Served by clicks_pkey in the partition of clicked_at.
const LIST_STORED = `
select c.click_id as "clickId", c.clicked_at as "clickedAt", c.link_number as "linkNumber", c.verdict,
  encode(c.visitor, 'hex') as visitor
from unnest($1::text[], $2::timestamptz[]) as input (click_id, clicked_at)
join clicks c on c.click_id = input.click_id and c.clicked_at = input.clicked_at`;

/** Those of the given clicks that are stored already, with the verdicts they have. */
export async function listStoredClicks(
  db: Queryable,
  clicks: readonly Pick<StoredClick, 'clickId' | 'clickedAt'>[],
): Promise<StoredClick[]> {
  const values = [clicks.map(({ clickId }) => clickId), clicks.map(({ clickedAt }) => clickedAt)];
  const { rows } = await db.query<StoredRow>({ name: 'list_stored_clicks', text: LIST_STORED, values });
  return storedClicksOf(rows);
}
