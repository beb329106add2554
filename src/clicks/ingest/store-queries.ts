/** The two ways to store clicks: optimistic for clicks that are new, idempotent for clicks that may be stored already. */
import type { Click, Verdict } from '../../core/clicks/click.ts';
import { copyRows, copyText } from '../../infra/copy-rows.ts';
import type { CopyRows } from '../../infra/copy-rows.ts';
import type { Queryable, Tx } from '../../infra/db.ts';
import { arrayText, keyArrays } from './plan-queries.ts';
import type { ClickLink, VisitKey } from './plan-queries.ts';
import { instantText, visitOf } from './row-texts.ts';

/** The text that COPY reads as null. */
const NULL = '\\N';

/** A visitor's latest counted click on a link and day. */
export interface Visit extends VisitKey {
  lastCountedMs: number;
}

export interface RollupIncrement {
  linkNumber: number;
  /** Start of the hour, ms. */
  hourMs: number;
  verdict: Verdict;
  /** '' for a click without a tag. */
  tag: string;
  brandId: string;
  clicks: number;
  uniques: number;
}

/** Pages shown to people, by link, Shanghai day and app. */
export interface ShownIncrement {
  linkNumber: number;
  /** `2026-11-22`. */
  day: string;
  app: string;
  brandId: string;
  pages: number;
}

/** Everything that a batch of new clicks changes. */
export interface ClickWrite {
  /** In the order of `COPY_CLICKS`. */
  rows: CopyRows;
  /** Of visitors without a counted click on the link and day. */
  firstVisits: readonly Visit[];
  /** Of visitors with one, where this batch has a later one. */
  furtherVisits: readonly Visit[];
  /** By link, hour, verdict and tag: rows are locked in this order, so that two shards cannot deadlock. */
  rollups: readonly RollupIncrement[];
  /** By link, day and app, for the same reason. */
  shown: readonly ShownIncrement[];
}

// Served by click_writers_pkey.
const ADVANCE_FENCING_TOKEN = 'select advance_fencing_token($1, $2, $3, $4)';

// Adds rows or fails by clicks_pkey. COPY costs Postgres half as much as an INSERT that reads the rows from a parameter.
const COPY_CLICKS = `
copy clicks (brand_id, link_id, product_id, influencer_id, link_number, click_id, clicked_at, tag, verdict, visitor, app, os, province, outcome)
from stdin`;

/** The columns of `COPY_CLICKS` that all clicks of a link share. */
export function linkRowText({ brandId, linkId, productId, influencerId, number }: ClickLink): string {
  return `${[brandId, linkId, productId, influencerId].map(copyText).join('\t')}\t${number}`;
}

/** A click as a row of `COPY_CLICKS`. */
export function clickRowText(click: Click, linkText: string): string {
  const { clickId, clickedAt, tag = NULL, verdict, visitor, app, os, province, outcome = NULL } = click;
  const place = province === undefined ? NULL : copyText(province);
  const texts = `${copyText(app)}\t${copyText(os)}\t${place}\t${outcome}`;
  return `${linkText}\t${clickId}\t${instantText(clickedAt.getTime())}\t${tag}\t${verdict}\t\\\\x${visitor}\t${texts}`;
}

// Adds the visits of a batch of new clicks and raises the rollups. A first visit that exists already fails the statement by click_visits_pkey.
// All parts of the statement see the state before it. Served by click_visits_pkey, click_rollups_pkey and step_rollups_pkey.
const COUNT_NEW_CLICKS = `
with first_visits as (
  insert into click_visits (day, visit, last_counted_at)
  select input.day, input.visit, to_timestamp(input.last_ms / 1000)
  from unnest($1::date[], $2::bigint[], $3::float8[]) as input (day, visit, last_ms)
  order by input.day, input.visit
), further_visits as (
  insert into click_visits as v (day, visit, last_counted_at)
  select input.day, input.visit, to_timestamp(input.last_ms / 1000)
  from unnest($4::date[], $5::bigint[], $6::float8[]) as input (day, visit, last_ms)
  order by input.day, input.visit
  on conflict on constraint click_visits_pkey do update set last_counted_at = excluded.last_counted_at
    where v.last_counted_at < excluded.last_counted_at
), shown as (
  insert into step_rollups as r (link_number, day, app, step, brand_id, steps)
  select input.link_number, input.day, input.app, 'shown', input.brand_id, input.pages
  from unnest($7::bigint[], $8::date[], $9::text[], $10::text[], $11::bigint[]) as input (link_number, day, app, brand_id, pages)
  on conflict on constraint step_rollups_pkey do update set steps = r.steps + excluded.steps
)
insert into click_rollups as r (link_number, hour, verdict, tag, brand_id, clicks, uniques)
select input.link_number, to_timestamp(input.hour_ms / 1000), input.verdict, input.tag, input.brand_id, input.clicks, input.uniques
from unnest($12::bigint[], $13::float8[], $14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[])
  as input (link_number, hour_ms, verdict, tag, brand_id, clicks, uniques)
on conflict on constraint click_rollups_pkey do update
  set clicks = r.clicks + excluded.clicks, uniques = r.uniques + excluded.uniques`;

function countValues({ firstVisits, furtherVisits, rollups, shown }: ClickWrite): unknown[] {
  return [
    ...keyArrays(firstVisits),
    arrayText(firstVisits.map(({ lastCountedMs }) => lastCountedMs)),
    ...keyArrays(furtherVisits),
    arrayText(furtherVisits.map(({ lastCountedMs }) => lastCountedMs)),
    arrayText(shown.map(({ linkNumber }) => linkNumber)),
    arrayText(shown.map(({ day }) => day)),
    shown.map(({ app }) => app),
    shown.map(({ brandId }) => brandId),
    arrayText(shown.map(({ pages }) => pages)),
    arrayText(rollups.map(({ linkNumber }) => linkNumber)),
    arrayText(rollups.map(({ hourMs }) => hourMs)),
    arrayText(rollups.map(({ verdict }) => verdict)),
    rollups.map(({ tag }) => tag),
    rollups.map(({ brandId }) => brandId),
    arrayText(rollups.map(({ clicks }) => clicks)),
    arrayText(rollups.map(({ uniques }) => uniques)),
  ];
}

/** The place of a batch in the chain of its shard. */
export interface BatchPlace {
  shard: number;
  worker: string;
  /** Fencing token of the batch that must be the shard's latest. */
  latestToken: number;
  /** Fencing token of this batch. */
  nextToken: number;
}

/**
 * Sends the statements that add new clicks, all at once, for one transaction. They fail when a click or first visit exists already
 * (unique_violation), or when another batch was stored since (object_not_in_prerequisite_state).
 */
export function sendNewClicks(
  tx: Tx,
  { shard, worker, latestToken, nextToken }: BatchPlace,
  write: ClickWrite,
): Promise<unknown>[] {
  return [
    tx.query({
      name: 'advance_fencing_token',
      text: ADVANCE_FENCING_TOKEN,
      values: [shard, worker, latestToken, nextToken],
    }),
    copyRows(tx, COPY_CLICKS, write.rows),
    tx.query({ name: 'count_new_clicks', text: COUNT_NEW_CLICKS, values: countValues(write) }),
  ];
}

// Adds clicks, and raises the rollups by exactly the rows added: a click that is stored already changes nothing. A visitor's first counted
// click on a link and Shanghai day is its unique one; xmax is 0 in an inserted row, and not in an updated one. Rows are written in key order,
// texts by their bytes as in the other statement, so that two shards cannot deadlock. Served by clicks_pkey, click_visits_pkey,
// click_rollups_pkey and step_rollups_pkey.
const INSERT_CLICKS = `
with stored as (
  insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor, app, os,
    province, outcome)
  select input.click_id, input.clicked_at, input.link_number, input.brand_id, input.link_id, input.product_id, input.influencer_id,
    input.tag, input.verdict, decode(input.visitor, 'hex'), input.app, input.os, input.province, input.outcome
  from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::text[], $15::text[])
    as input (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor, app, os, province,
      outcome)
  on conflict (click_id, clicked_at) do nothing
  returning click_id, clicked_at, link_number, brand_id, tag, verdict, app, outcome
), counted as (
  select s.click_id, s.clicked_at, (s.clicked_at at time zone 'Asia/Shanghai')::date as day, input.visit
  from stored s
  join unnest($1::text[], $14::bigint[]) as input (click_id, visit) on input.click_id = s.click_id
  where s.verdict = 'counted'
), visits as (
  insert into click_visits as v (day, visit, last_counted_at)
  select c.day, c.visit, max(c.clicked_at) from counted c group by c.day, c.visit order by c.day, c.visit
  on conflict on constraint click_visits_pkey do update set last_counted_at = excluded.last_counted_at
    where v.last_counted_at < excluded.last_counted_at
  returning day, visit, xmax = 0 as is_first
), first_clicks as (
  select distinct on (c.day, c.visit) c.click_id
  from visits v
  join counted c on c.day = v.day and c.visit = v.visit
  where v.is_first
  order by c.day, c.visit, c.clicked_at, c.click_id
), raised as (
  insert into click_rollups as r (link_number, hour, verdict, tag, brand_id, clicks, uniques)
  select s.link_number, date_trunc('hour', s.clicked_at, 'Asia/Shanghai'), s.verdict, coalesce(s.tag, ''), s.brand_id, count(*),
    count(f.click_id)
  from stored s
  left join first_clicks f on f.click_id = s.click_id
  group by 1, 2, 3, 4, 5
  order by s.link_number, date_trunc('hour', s.clicked_at, 'Asia/Shanghai'), s.verdict collate "C", coalesce(s.tag, '') collate "C"
  on conflict on constraint click_rollups_pkey do update
    set clicks = r.clicks + excluded.clicks, uniques = r.uniques + excluded.uniques
), shown as (
  insert into step_rollups as r (link_number, day, app, step, brand_id, steps)
  select s.link_number, (s.clicked_at at time zone 'Asia/Shanghai')::date, coalesce(s.app, 'other'), 'shown', s.brand_id, count(*)
  from stored s
  where s.outcome = 'page' and s.verdict in ('counted', 'repeat')
  group by 1, 2, 3, 5
  order by s.link_number, (s.clicked_at at time zone 'Asia/Shanghai')::date, coalesce(s.app, 'other') collate "C"
  on conflict on constraint step_rollups_pkey do update set steps = r.steps + excluded.steps
)
select count(*) as stored from stored`;

export type ClickRow = Click & Omit<ClickLink, 'number'>;

/** Adds the clicks that are missing, with their final verdicts, and raises the rollups. @returns how many were added */
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
    clicks.map(({ visitor, linkNumber }) => visitOf(visitor, linkNumber)),
    column('outcome'),
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

// Inserts each dead letter once, also when its entry is delivered again before it is acknowledged. Served by click_dead_letters_entry_key.
const INSERT_DEAD_LETTERS = `
insert into click_dead_letters (stream, entry_id, line, payload, reason)
select input.stream, input.entry_id, input.line, input.payload, input.reason
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[]) as input (stream, entry_id, line, payload, reason)
on conflict on constraint click_dead_letters_entry_key do nothing`;

/** Inserts what cannot be stored as clicks. Postgres allows no NUL in text: it is written as U+2400, the symbol for it. */
export async function insertDeadLetters(db: Queryable, deadLetters: readonly DeadLetter[]): Promise<void> {
  if (deadLetters.length === 0) return;
  const values = [
    deadLetters.map(({ stream }) => stream),
    deadLetters.map(({ entryId }) => entryId),
    deadLetters.map(({ lineNumber }) => lineNumber),
    deadLetters.map(({ payload }) => payload.toWellFormed().replaceAll('\0', '\u2400')),
    deadLetters.map(({ reason }) => reason),
  ];
  await db.query({ name: 'insert_click_dead_letters', text: INSERT_DEAD_LETTERS, values });
}

// Makes the missing monthly partitions; safe at any time and from several processes (it takes an advisory lock).
const ENSURE_PARTITIONS = `
select ensure_click_partitions($1::timestamptz, $2::integer) as made`;

/** Makes the missing partitions from the Shanghai month of `from` to `monthsAhead` months later. */
export async function ensureClickPartitions(db: Queryable, span: { from: Date; monthsAhead: number }): Promise<void> {
  await db.query({ name: 'ensure_click_partitions', text: ENSURE_PARTITIONS, values: [span.from, span.monthsAhead] });
}
