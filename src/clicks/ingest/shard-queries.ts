import type { Db, Queryable } from '../../infra/db.ts';

/** 1970: a shard that was never drained holds back everything that waits for clicks. */
const NEVER = new Date(0);

// A registered shard keeps its watermark. Served by click_watermarks_pkey.
const REGISTER_SHARDS = `
insert into click_watermarks (shard, drained_to)
select input.shard, $2 from unnest($1::integer[]) as input (shard)
order by input.shard
on conflict on constraint click_watermarks_pkey do nothing`;

/**
 * Registers shards: workers share them out, and attribution waits for them. Every process that writes to shards registers them before, and so
 * do workers. May be repeated.
 */
export async function registerShards(db: Queryable, shards: readonly number[]): Promise<void> {
  await db.query({ name: 'register_click_shards', text: REGISTER_SHARDS, values: [shards, NEVER] });
}

// Served by click_writers_pkey.
const BECOME_WRITER = `
insert into click_writers as w (shard, worker, fencing_token) values ($1, $2, $3)
on conflict on constraint click_writers_pkey do update set worker = excluded.worker, fencing_token = excluded.fencing_token`;

/** A worker with the fencing token of a batch, which it gives to no other one. */
export interface Writer {
  shard: number;
  worker: string;
  fencingToken: number;
}

/**
 * Makes this the shard's latest batch from COMMIT on; plans that follow any other batch become invalid. Until COMMIT no other transaction stores
 * clicks of the shard, so that two batches with clicks of one visitor are decided one after the other.
 */
export async function becomeWriter(tx: Queryable, { shard, worker, fencingToken }: Writer): Promise<void> {
  await tx.query({ name: 'become_click_writer', text: BECOME_WRITER, values: [shard, worker, fencingToken] });
}

// The watermark only rises, so that of two workers the one with the older view changes nothing. Served by click_watermarks_pkey.
const RAISE_WATERMARK = `
insert into click_watermarks as w (shard, drained_to) values ($1, $2)
on conflict on constraint click_watermarks_pkey do update set drained_to = excluded.drained_to
where w.drained_to < excluded.drained_to`;

/** States that every click of this shard made before `drainedTo` is in Postgres. */
export async function raiseWatermark(db: Queryable, shard: number, drainedTo: Date): Promise<void> {
  await db.query({ name: 'raise_click_watermark', text: RAISE_WATERMARK, values: [shard, drainedTo] });
}

export interface ShardView {
  /** Every registered shard, with the worker that holds an unexpired lease of it. */
  shards: { shard: number; holder: string | undefined }[];
  /** Workers that were seen within the time of a lease, this one included. */
  liveWorkers: number;
}

// Records that this worker lives, and deletes workers that were not seen for a day. Served by click_workers_pkey; a few rows.
const RECORD_ALIVE = `
with gone as (
  delete from click_workers w where w.seen_at < clock_timestamp() - interval '1 day'
)
insert into click_workers as w (worker, seen_at) values ($1, clock_timestamp())
on conflict on constraint click_workers_pkey do update set seen_at = excluded.seen_at`;

// Every registered shard by number. A few rows of each table.
const LIST_SHARDS = `
select w.shard, l.worker as holder,
  (select count(*)::integer from click_workers k where k.seen_at > clock_timestamp() - $1 * interval '1 millisecond') as "liveWorkers"
from click_watermarks w
left join click_leases l on l.shard = w.shard and l.leased_until > clock_timestamp()
order by w.shard`;

/** Records that this worker lives, and returns which worker holds which shard. */
export async function viewShards(db: Db, { worker, ttlMs }: { worker: string; ttlMs: number }): Promise<ShardView> {
  await db.query({ name: 'record_click_worker_alive', text: RECORD_ALIVE, values: [worker] });
  const { rows } = await db.query<{ shard: number; holder: string | null; liveWorkers: number }>({
    name: 'list_click_shards',
    text: LIST_SHARDS,
    values: [ttlMs],
  });
  const shards = rows.map(({ shard, holder }) => ({ shard, holder: holder ?? undefined }));
  return { shards, liveWorkers: Math.max(1, rows[0]?.liveWorkers ?? 1) };
}

// Takes leases that are free, expired or this worker's own. Of two workers that try at once, the row lock lets one succeed. Served by
// click_leases_pkey.
const TAKE_LEASES = `
insert into click_leases as l (shard, worker, leased_until)
select input.shard, $1, clock_timestamp() + $3 * interval '1 millisecond' from unnest($2::integer[]) as input (shard)
order by input.shard
on conflict on constraint click_leases_pkey do update set worker = excluded.worker, leased_until = excluded.leased_until
where l.worker = excluded.worker or l.leased_until <= clock_timestamp()
returning l.shard`;

/** Takes or renews leases for `ttlMs`. @returns the shards that this worker now holds; other workers hold the rest */
export async function takeLeases(
  db: Db,
  { worker, shards, ttlMs }: { worker: string; shards: readonly number[]; ttlMs: number },
): Promise<Set<number>> {
  if (shards.length === 0) return new Set();
  const query = { name: 'take_click_leases', text: TAKE_LEASES, values: [worker, shards, ttlMs] };
  const { rows } = await db.query<{ shard: number }>(query);
  return new Set(rows.map(({ shard }) => shard));
}

// Served by click_leases_pkey.
const RELEASE_LEASES = `
delete from click_leases l where l.worker = $1 and l.shard = any ($2::integer[])`;

/** Releases leases; other workers may take them at once. */
export async function releaseLeases(
  db: Db,
  { worker, shards }: { worker: string; shards: readonly number[] },
): Promise<void> {
  await db.query({ name: 'release_click_leases', text: RELEASE_LEASES, values: [worker, shards] });
}

// Served by click_workers_pkey; a few leases.
const LEAVE = `
with released as (
  delete from click_leases l where l.worker = $1
)
delete from click_workers w where w.worker = $1`;

/** Releases every lease and removes the worker, so that the others share out all shards among themselves. */
export async function leaveShards(db: Db, worker: string): Promise<void> {
  await db.query({ name: 'leave_click_shards', text: LEAVE, values: [worker] });
}
