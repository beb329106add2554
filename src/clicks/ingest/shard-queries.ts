import type { Db, Queryable } from '../../infra/db.ts';

/** 1970: a shard nobody has drained yet holds everything back that waits for clicks. */
const NEVER = new Date(0);

// A shard that is known keeps its watermark. Served by click_watermarks_pkey.
const REGISTER_SHARDS = `
insert into click_watermarks (shard, drained_to)
select input.shard, $2 from unnest($1::integer[]) as input (shard)
order by input.shard
on conflict on constraint click_watermarks_pkey do nothing`;

/**
 * Makes shards known: workers share them out, and attribution waits for them. Done by whoever writes to them, before it does, and by workers.
 * May be repeated.
 */
export async function registerShards(db: Queryable, shards: readonly number[]): Promise<void> {
  await db.query({ name: 'register_click_shards', text: REGISTER_SHARDS, values: [shards, NEVER] });
}

// Served by click_writers_pkey.
const BECOME_WRITER = `
insert into click_writers as w (shard, worker, fencing_token) values ($1, $2, $3)
on conflict on constraint click_writers_pkey do update set worker = excluded.worker, fencing_token = excluded.fencing_token`;

/** A worker, and the number of a batch of its own that it gives no other one. */
export interface Writer {
  shard: number;
  worker: string;
  batch: number;
}

/**
 * From COMMIT on this is the shard's latest batch, and what was planned after any other one is void. Until COMMIT nobody else stores clicks
 * of the shard: two batches with one visitor's clicks are decided one after the other.
 */
export async function becomeWriter(tx: Queryable, { shard, worker, batch }: Writer): Promise<void> {
  await tx.query({ name: 'become_click_writer', text: BECOME_WRITER, values: [shard, worker, batch] });
}

export interface ShardView {
  /** Every shard there is or was, with who has an unexpired lease of it. */
  shards: { shard: number; holder: string | undefined }[];
  /** Workers that said within the time of a lease that they live, this one among them. */
  liveWorkers: number;
}

// Says that this worker lives, and forgets those that have not for a day. Served by click_workers_pkey; a handful of rows.
const SAY_ALIVE = `
with gone as (
  delete from click_workers w where w.seen_at < clock_timestamp() - interval '1 day'
)
insert into click_workers as w (worker, seen_at) values ($1, clock_timestamp())
on conflict on constraint click_workers_pkey do update set seen_at = excluded.seen_at`;

// A handful of rows each.
const LIST_SHARDS = `
select w.shard, l.worker as holder,
  (select count(*)::integer from click_workers k where k.seen_at > clock_timestamp() - $1 * interval '1 millisecond') as "liveWorkers"
from click_watermarks w
left join click_leases l on l.shard = w.shard and l.leased_until > clock_timestamp()
order by w.shard`;

/** Says that this worker lives, and shows who has what. */
export async function seeShards(db: Db, { worker, ttlMs }: { worker: string; ttlMs: number }): Promise<ShardView> {
  await db.query({ name: 'say_click_worker_alive', text: SAY_ALIVE, values: [worker] });
  const { rows } = await db.query<{ shard: number; holder: string | null; liveWorkers: number }>({
    name: 'list_click_shards',
    text: LIST_SHARDS,
    values: [ttlMs],
  });
  const shards = rows.map(({ shard, holder }) => ({ shard, holder: holder ?? undefined }));
  return { shards, liveWorkers: Math.max(1, rows[0]?.liveWorkers ?? 1) };
}

// Takes what is free, has run out or is this worker's already; of two workers that try at once, the row lets one have it.
const TAKE_LEASES = `
insert into click_leases as l (shard, worker, leased_until)
select input.shard, $1, clock_timestamp() + $3 * interval '1 millisecond' from unnest($2::integer[]) as input (shard)
order by input.shard
on conflict on constraint click_leases_pkey do update set worker = excluded.worker, leased_until = excluded.leased_until
where l.worker = excluded.worker or l.leased_until <= clock_timestamp()
returning l.shard`;

/** Takes or renews leases for so long. @returns the shards this worker now has; the others somebody else was given */
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

/** Gives leases back; others may take them at once. */
export async function releaseLeases(
  db: Db,
  { worker, shards }: { worker: string; shards: readonly number[] },
): Promise<void> {
  await db.query({ name: 'release_click_leases', text: RELEASE_LEASES, values: [worker, shards] });
}

// Served by click_workers_pkey and a handful of leases.
const LEAVE = `
with released as (
  delete from click_leases l where l.worker = $1
)
delete from click_workers w where w.worker = $1`;

/** Gives back everything and is no longer counted: the others share out all shards among themselves. */
export async function leaveShards(db: Db, worker: string): Promise<void> {
  await db.query({ name: 'leave_click_shards', text: LEAVE, values: [worker] });
}
