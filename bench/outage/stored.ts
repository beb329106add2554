import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../src/infra/db.ts';
import type { Span } from './phases.ts';

const CHUNK = 50_000;
const POLL_MS = 500;

// Handed-out ids without a row. Served by clicks_pkey of each partition.
const COUNT_MISSING = `
  select count(*) as "missing"
  from unnest($1::text[]) as handed_out (id)
  where not exists (select from clicks c where c.click_id = handed_out.id)`;
// The primary key holds the time as well, so an id under two times would be two rows.
const COUNT_TWICE = `
  select count(*) as "twice"
  from (select c.click_id from clicks c group by c.click_id having count(*) > 1) as repeated`;
const COUNT_ROLLED_UP = `
  select (select count(*) from clicks) as "clicks", (select coalesce(sum(r.clicks), 0)::bigint from click_rollups r) as "rolledUp"`;
// When the last click of a span arrived in Postgres.
const FIND_LAST_INGESTED = `
  select max(c.ingested_at) as "lastAt" from clicks c where c.clicked_at >= $1 and c.clicked_at < $2`;

async function countMissing(db: Db, ids: readonly string[]): Promise<number> {
  let missing = 0;
  for (let from = 0; from < ids.length; from += CHUNK) {
    const { rows } = await db.query<{ missing: bigint }>(COUNT_MISSING, [ids.slice(from, from + CHUNK)]);
    missing += Number(rows[0]?.missing ?? 0);
  }
  return missing;
}

export interface StoredResult {
  handedOut: number;
  /** Ids that visitors carry and Postgres does not know. */
  missing: number;
  /** Ids with more than one row. */
  twice: number;
  /** Whether the rollups add up to the rows. */
  isRolledUp: boolean;
}

/** Waits until every id that was handed out is in Postgres, or `timeoutMs` is over, and counts what is wrong. */
export async function checkStored(db: Db, ids: readonly string[], timeoutMs: number): Promise<StoredResult> {
  const deadlineMs = performance.now() + timeoutMs;
  let missing = await countMissing(db, ids);
  while (missing > 0 && performance.now() < deadlineMs) {
    await sleep(POLL_MS);
    missing = await countMissing(db, ids);
  }
  const { rows: repeated } = await db.query<{ twice: bigint }>(COUNT_TWICE);
  const { rows: sums } = await db.query<{ clicks: bigint; rolledUp: bigint }>(COUNT_ROLLED_UP);
  return {
    handedOut: ids.length,
    missing,
    twice: Number(repeated[0]?.twice ?? 0),
    isRolledUp: sums[0]?.clicks === sums[0]?.rolledUp,
  };
}

/** When the last of the clicks made in a span arrived in Postgres, milliseconds since 1970; NaN where there is none. */
export async function lastIngestedMs(db: Db, span: Span): Promise<number> {
  const { rows } = await db.query<{ lastAt: Date | null }>(FIND_LAST_INGESTED, [
    new Date(span.fromMs),
    new Date(span.toMs),
  ]);
  return rows[0]?.lastAt?.getTime() ?? Number.NaN;
}
