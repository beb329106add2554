import assert from 'node:assert/strict';
import type { Db, Queryable, Tx } from '../../infra/db.ts';

// The seal time of this run: the clock before the queue is read, so everything committed until then is in what is read next, and always
// later than what is already sealed through, also where the clock was set back. Whole milliseconds, so that the API can name it exactly.
const READ_SEAL_TIME = `
select t.sealed_at::text as "sealedAt", (extract(epoch from t.sealed_at) * 1000000)::bigint as "sealedAtMicros"
from (
  select greatest(date_trunc('milliseconds', clock_timestamp()),
    (select s.sealed_through + interval '1 millisecond' from sealer_state s)) as sealed_at
) t`;

/** The time that this run seals with, as Postgres text and in microseconds since 1970. */
export async function readSealTime(tx: Tx): Promise<{ sealedAt: string; sealedAtMicros: bigint }> {
  const { rows } = await tx.query<{ sealedAt: string; sealedAtMicros: bigint }>(READ_SEAL_TIME);
  const [row] = rows;
  assert(row !== undefined, 'a select without a table answers one row');
  return row;
}

export interface QueuedEntry {
  entryId: string;
  brandId: string;
}

// The next entries to seal, the first posted first, ties by id. An entry of a transaction that began earlier but commits later is sealed later.
// The queue holds what was posted within a second.
const LIST_QUEUED = `
select q.entry_id as "entryId", q.brand_id as "brandId"
from seal_queue q
order by q.posted_at, q.entry_id
limit $1`;

/** Up to `limit` committed entries that are not sealed, the first posted first. */
export async function listQueuedEntries(tx: Tx, limit: number): Promise<QueuedEntry[]> {
  const { rows } = await tx.query<QueuedEntry>(LIST_QUEUED, [limit]);
  return rows;
}

/** The last seal of a brand. */
export interface ChainEnd {
  brandId: string;
  sequence: bigint;
  hash: Buffer;
}

// One row a brand that has seals; each found by one step down entry_seals_pkey.
const LIST_CHAIN_ENDS = `
select input.brand_id as "brandId", last.sequence, last.hash
from unnest($1::text[]) as input (brand_id)
cross join lateral (
  select s.sequence, s.hash from entry_seals s where s.brand_id = input.brand_id order by s.sequence desc limit 1
) last`;

/** Brand id → where its chain ends; a brand without seals is absent. */
export async function listChainEndsByBrand(db: Queryable, brandIds: readonly string[]): Promise<Map<string, ChainEnd>> {
  const { rows } = await db.query<ChainEnd>(LIST_CHAIN_ENDS, [brandIds]);
  return new Map(rows.map((row) => [row.brandId, row]));
}

/** An entry with everything that a seal covers, instants as microseconds since 1970. */
export interface EntryContent {
  entryId: string;
  brandId: string;
  kind: string;
  postedAtMicros: bigint;
  lines: readonly JsonRow[];
  postings: readonly JsonRow[];
}

/** One row as Postgres builds it: texts, and numbers already written as texts so that none loses digits. */
export type JsonRow = readonly (string | null)[];

// Entries with their lines and postings in the order of position, every column of both, numbers as text. Served by the primary keys.
const LIST_CONTENTS = `
select e.id as "entryId", e.brand_id as "brandId", e.kind,
  (extract(epoch from e.posted_at) * 1000000)::bigint as "postedAtMicros",
  coalesce((
    select jsonb_agg(jsonb_build_array(l.position::text, l.brand_id, l.line_id, l.order_id, l.store_id, l.product_id, l.platform,
      l.link_id, l.tag, l.influencer_id, l.agency_payee_id, l.method, (extract(epoch from l.paid_at) * 1000000)::bigint::text,
      l.lines_delta::text, l.paid_delta_fen::text, l.refunded_delta_fen::text) order by l.position)
    from entry_lines l where l.brand_id = e.brand_id and l.entry_id = e.id), '[]') as "lines",
  coalesce((
    select jsonb_agg(jsonb_build_array(p.position::text, p.brand_id, p.line_position::text, p.payee_id, p.account, p.amount_fen::text,
      p.reversed_delta_fen::text) order by p.position)
    from postings p where p.brand_id = e.brand_id and p.entry_id = e.id), '[]') as "postings"
from unnest($1::text[], $2::text[]) as input (brand_id, entry_id)
join journal_entries e on e.brand_id = input.brand_id and e.id = input.entry_id`;

/** Entry id → its content. */
export async function listContentsByEntry(
  db: Queryable,
  entries: readonly QueuedEntry[],
): Promise<Map<string, EntryContent>> {
  const values = [entries.map(({ brandId }) => brandId), entries.map(({ entryId }) => entryId)];
  const { rows } = await db.query<EntryContent>(LIST_CONTENTS, values);
  return new Map(rows.map((row) => [row.entryId, row]));
}

export interface NewSeal {
  brandId: string;
  sequence: bigint;
  entryId: string;
  hash: Buffer;
}

// The primary key (brand, sequence) and the unique entry refuse a second sealer, should the advisory lock ever fail.
const INSERT_SEALS = `
insert into entry_seals (brand_id, sequence, entry_id, sealed_at, hash)
select input.brand_id, input.sequence, input.entry_id, $5::timestamptz, input.hash
from unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[]) as input (brand_id, sequence, entry_id, hash)`;
// Served by seal_queue_pkey.
const DELETE_QUEUED = `
delete from seal_queue q
using unnest($1::text[], $2::text[]) as input (brand_id, entry_id)
where q.brand_id = input.brand_id and q.entry_id = input.entry_id`;

/** Seals entries and takes them off the queue. */
export async function insertSeals(tx: Tx, seals: readonly NewSeal[], sealedAt: string): Promise<void> {
  const brandIds = seals.map(({ brandId }) => brandId);
  const entryIds = seals.map(({ entryId }) => entryId);
  await tx.query(INSERT_SEALS, [
    brandIds,
    seals.map(({ sequence }) => sequence),
    entryIds,
    seals.map(({ hash }) => hash),
    sealedAt,
  ]);
  await tx.query(DELETE_QUEUED, [brandIds, entryIds]);
}

const ADVANCE_SEALED_THROUGH = `
insert into sealer_state as s (sealed_through) values ($1::timestamptz)
on conflict on constraint sealer_state_pkey do update set sealed_through = greatest(s.sealed_through, excluded.sealed_through)`;

/** Records that everything committed before this time is sealed. */
export async function advanceSealedThrough(tx: Tx, sealedAt: string): Promise<void> {
  await tx.query(ADVANCE_SEALED_THROUGH, [sealedAt]);
}

// Whether every entry committed by $1 is sealed, and no later seal can carry a time that early.
const READ_SEALED_THROUGH = `
select s.sealed_through as "sealedThrough", s.sealed_through >= $1::timestamptz as "covers" from sealer_state s`;

/** How far the journal is sealed, and whether that covers an instant; undefined before the first run of the sealer. */
export async function findSealedThrough(
  db: Db | Tx,
  asOf: Date,
): Promise<{ sealedThrough: Date; covers: boolean } | undefined> {
  const { rows } = await db.query<{ sealedThrough: Date; covers: boolean }>(READ_SEALED_THROUGH, [asOf]);
  return rows[0];
}

/** A seal beside its sealing time in microseconds, for checking the chain. */
export interface StoredSeal extends NewSeal {
  sealedAtMicros: bigint;
}

// A page of all seals in the order of the chains. Served by entry_seals_pkey.
const LIST_SEALS = `
select s.brand_id as "brandId", s.sequence, s.entry_id as "entryId", s.hash,
  (extract(epoch from s.sealed_at) * 1000000)::bigint as "sealedAtMicros"
from entry_seals s
where (s.brand_id, s.sequence) > ($1, $2)
order by s.brand_id, s.sequence
limit $3`;

/** The next seals after (brand, sequence), brand by brand. */
export async function listSeals(
  db: Queryable,
  page: { brandId: string; sequence: bigint; limit: number },
): Promise<StoredSeal[]> {
  const { rows } = await db.query<StoredSeal>(LIST_SEALS, [page.brandId, page.sequence, page.limit]);
  return rows;
}
