import type { Click, StoredClick } from '../core/click.ts';
import type { Queryable, Tx } from '../infra/db.ts';

// Makes the missing monthly partitions; safe at any time and by several processes (an advisory lock inside).
const ENSURE_PARTITIONS = `
select ensure_click_partitions($1::timestamptz, $2::integer) as made`;

/** Makes the partitions from the Shanghai month of `from` to `monthsAhead` later, where they are missing. */
export async function ensureClickPartitions(db: Queryable, span: { from: Date; monthsAhead: number }): Promise<void> {
  await db.query({ name: 'ensure_click_partitions', text: ENSURE_PARTITIONS, values: [span.from, span.monthsAhead] });
}

// The second number space of advisory locks: it cannot meet the single-number locks of jobs.
const LOCK_SHARD = `
select pg_advisory_xact_lock($1::integer, $2::integer)`;
const SHARD_LOCKS = 1_668_049_771;

/** Until COMMIT nobody else decides about clicks of this shard: two batches with one visitor's clicks are decided one after the other. */
export async function lockShard(tx: Tx, shard: number): Promise<void> {
  await tx.query({ name: 'lock_click_shard', text: LOCK_SHARD, values: [SHARD_LOCKS, shard] });
}

export interface ClickLink {
  number: bigint;
  linkId: string;
  brandId: string;
  productId: string;
  influencerId: string;
}

// One row a link that exists, in no order. Served by links_number_key.
const LIST_LINKS = `
select l.number, l.id as "linkId", l.brand_id as "brandId", l.product_id as "productId", l.influencer_id as "influencerId"
from links l
where l.number = any ($1::bigint[])`;

/** Link number → what a click on it is booked under; numbers of no link are absent. */
export async function findLinksByNumber(db: Queryable, numbers: readonly number[]): Promise<Map<number, ClickLink>> {
  const { rows } = await db.query<ClickLink>({ name: 'list_click_links', text: LIST_LINKS, values: [numbers] });
  return new Map(rows.map((row) => [Number(row.number), row]));
}

interface StoredRow extends Omit<StoredClick, 'linkNumber'> {
  linkNumber: bigint;
}

// Those of the given clicks that are stored already. Served by clicks_pkey in the partition of clicked_at.
const LIST_STORED = `
select c.click_id as "clickId", c.clicked_at as "clickedAt", c.link_number as "linkNumber", c.verdict,
  encode(c.visitor, 'hex') as visitor
from unnest($1::text[], $2::timestamptz[]) as input (click_id, clicked_at)
join clicks c on c.click_id = input.click_id and c.clicked_at = input.clicked_at`;

// Counted clicks of any of the visitors on these links within the span given for each link: one range of clicks_link_idx a link, however
// many visitors it has in the batch (a range for each visitor would read a popular link's last seconds once a click).
const LIST_COUNTED = `
select c.click_id as "clickId", c.clicked_at as "clickedAt", c.link_number as "linkNumber", c.verdict,
  encode(c.visitor, 'hex') as visitor
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as span (link_number, from_at, until_at)
join clicks c on c.link_number = span.link_number and c.clicked_at >= span.from_at and c.clicked_at < span.until_at
where c.verdict = 'counted' and c.visitor = any ($4::bytea[])`;

export interface LinkSpan {
  linkNumber: number;
  /** Half-open. */
  fromAt: Date;
  untilAt: Date;
}

/** What the decision about repeats needs: the clicks themselves where they are stored, and the counted clicks around them. */
export async function listStoredClicks(
  tx: Tx,
  clicks: readonly Click[],
  spans: readonly LinkSpan[],
): Promise<StoredClick[]> {
  const ids = [clicks.map(({ clickId }) => clickId), clicks.map(({ clickedAt }) => clickedAt)];
  const stored = await tx.query<StoredRow>({ name: 'list_stored_clicks', text: LIST_STORED, values: ids });
  const visitors = [...new Set(clicks.map(({ visitor }) => visitor))].map((visitor) => Buffer.from(visitor, 'hex'));
  const values = [
    spans.map(({ linkNumber }) => linkNumber),
    spans.map(({ fromAt }) => fromAt),
    spans.map(({ untilAt }) => untilAt),
    visitors,
  ];
  const counted = await tx.query<StoredRow>({ name: 'list_counted_clicks', text: LIST_COUNTED, values });
  return [...stored.rows, ...counted.rows].map((row) => ({ ...row, linkNumber: Number(row.linkNumber) }));
}

// Adds clicks, and raises the rollups by exactly the rows added: a click that is there already changes nothing. A visitor's first counted
// click on a link and Shanghai day is its unique one. Rows are written in key order, so that two shards cannot wait for each other.
const INSERT_CLICKS = `
with stored as (
  insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor, app, os,
    province)
  select input.click_id, input.clicked_at, input.link_number, input.brand_id, input.link_id, input.product_id, input.influencer_id,
    input.tag, input.verdict, decode(input.visitor, 'hex'), input.app, input.os, input.province
  from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::text[])
    as input (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor, app, os, province)
  on conflict (click_id, clicked_at) do nothing
  returning click_id, clicked_at, link_number, brand_id, tag, verdict, visitor
), counted as (
  select s.click_id, s.clicked_at, (s.clicked_at at time zone 'Asia/Shanghai')::date as day, s.link_number, s.visitor
  from stored s
  where s.verdict = 'counted'
), first_visits as (
  insert into click_visitors (day, link_number, visitor)
  select distinct c.day, c.link_number, c.visitor from counted c order by c.day, c.link_number, c.visitor
  on conflict on constraint click_visitors_pkey do nothing
  returning day, link_number, visitor
), first_clicks as (
  select distinct on (c.day, c.link_number, c.visitor) c.click_id
  from first_visits f
  join counted c on c.day = f.day and c.link_number = f.link_number and c.visitor = f.visitor
  order by c.day, c.link_number, c.visitor, c.clicked_at, c.click_id
), raised as (
  insert into click_rollups as r (link_number, hour, verdict, tag, brand_id, clicks, uniques)
  select s.link_number, date_trunc('hour', s.clicked_at, 'Asia/Shanghai'), s.verdict, coalesce(s.tag, ''), s.brand_id, count(*),
    count(f.click_id)
  from stored s
  left join first_clicks f on f.click_id = s.click_id
  group by 1, 2, 3, 4, 5
  order by 1, 2, 3, 4
  on conflict on constraint click_rollups_pkey do update
    set clicks = r.clicks + excluded.clicks, uniques = r.uniques + excluded.uniques
)
select count(*) as stored from stored`;

export type ClickRow = Click & ClickLink;

/** Adds clicks with their final verdicts, and raises the rollups. @returns how many were not there yet */
export async function insertClicks(tx: Tx, clicks: readonly ClickRow[]): Promise<number> {
  const column = <Key extends keyof ClickRow>(key: Key): ClickRow[Key][] => clicks.map((click) => click[key]);
  const values = [
    column('clickId'),
    column('clickedAt'),
    column('linkNumber'),
    column('brandId'),
    column('linkId'),
    column('productId'),
    column('influencerId'),
    column('tag'),
    column('verdict'),
    column('visitor'),
    column('app'),
    column('os'),
    column('province'),
  ];
  const { rows } = await tx.query<{ stored: bigint }>({ name: 'insert_clicks', text: INSERT_CLICKS, values });
  return Number(rows[0]?.stored ?? 0n);
}

export interface DeadLetter {
  stream: string;
  entryId: string;
  /** From 1; 0 for a whole entry. */
  lineNumber: number;
  payload: string;
  reason: string;
}

// An entry may be delivered again before it is acknowledged: its letters are written once.
const INSERT_DEAD_LETTERS = `
insert into click_dead_letters (stream, entry_id, line, payload, reason)
select input.stream, input.entry_id, input.line, input.payload, input.reason
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[]) as input (stream, entry_id, line, payload, reason)
on conflict on constraint click_dead_letters_entry_key do nothing`;

/** Sets aside what cannot be stored. Postgres keeps no NUL in text: it is written as the character for it, U+2400. */
export async function insertDeadLetters(db: Queryable, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  const values = [
    letters.map(({ stream }) => stream),
    letters.map(({ entryId }) => entryId),
    letters.map(({ lineNumber }) => lineNumber),
    letters.map(({ payload }) => payload.toWellFormed().replaceAll('\0', '\u2400')),
    letters.map(({ reason }) => reason),
  ];
  await db.query({ name: 'insert_click_dead_letters', text: INSERT_DEAD_LETTERS, values });
}

// Only ever raised, so that of two workers the one that looked earlier changes nothing.
const RAISE_WATERMARK = `
insert into click_watermarks as w (shard, drained_to) values ($1, $2)
on conflict on constraint click_watermarks_pkey do update set drained_to = excluded.drained_to
where w.drained_to < excluded.drained_to`;

/** States that every click of this shard made before `drainedTo` is in Postgres. */
export async function raiseWatermark(db: Queryable, shard: number, drainedTo: Date): Promise<void> {
  await db.query({ name: 'raise_click_watermark', text: RAISE_WATERMARK, values: [shard, drainedTo] });
}
