import type { Queryable } from '../../infra/db.ts';

/** The row of a spool, for which attribution waits. */
export interface SpoolRow {
  spoolId: string;
  /** No click of the spool that may be missing in Postgres is older. */
  oldestAt: Date;
  /** Null while clicks are on disk; then the time at which the last of them was appended to a stream, by the clock of Redis. */
  sentAt: Date | null;
}

// For the spool that this process writes to: the given row replaces the stored one, and the oldest click may become a later one.
// Served by click_spools_pkey.
const UPSERT_OWN = `
insert into click_spools (spool_id, oldest_at, sent_at) values ($1, $2, $3)
on conflict on constraint click_spools_pkey
  do update set oldest_at = excluded.oldest_at, sent_at = excluded.sent_at, updated_at = now()`;

// For the spool of a dead process: it is unknown what that process had sent, so the earlier of the two oldest times stays.
// Served by click_spools_pkey.
const UPSERT_ADOPTED = `
insert into click_spools as s (spool_id, oldest_at, sent_at) values ($1, $2, $3)
on conflict on constraint click_spools_pkey
  do update set oldest_at = least(s.oldest_at, excluded.oldest_at), sent_at = excluded.sent_at, updated_at = now()`;

/** Writes the row of a spool. May be repeated. */
export async function upsertSpool(db: Queryable, row: SpoolRow, { isAdopted }: { isAdopted: boolean }): Promise<void> {
  await db.query({
    name: isAdopted ? 'upsert_adopted_spool' : 'upsert_own_spool',
    text: isAdopted ? UPSERT_ADOPTED : UPSERT_OWN,
    values: [row.spoolId, row.oldestAt, row.sentAt],
  });
}

// Clicks that were appended to a stream before the smallest watermark are stored: their rows hold nothing back any more, whichever process
// wrote them. A few rows.
const DELETE_STORED = `
delete from click_spools s
where s.sent_at <= (select min(w.drained_to) from click_watermarks w)`;

/** Deletes the rows of spools whose clicks are all stored. */
export async function deleteStoredSpools(db: Queryable): Promise<void> {
  await db.query({ name: 'delete_stored_spools', text: DELETE_STORED });
}

// At most one row: the smallest watermark of all shards. A few rows are read.
const FIND_STORED_BEFORE = `
select min(w.drained_to) as "storedBefore" from click_watermarks w`;

/** Everything that was appended to a stream before this instant is stored; undefined: unknown. */
export async function findStoredBefore(db: Queryable): Promise<Date | undefined> {
  const { rows } = await db.query<{ storedBefore: Date | null }>({
    name: 'find_stored_before',
    text: FIND_STORED_BEFORE,
  });
  return rows[0]?.storedBefore ?? undefined;
}
