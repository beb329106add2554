import type { Queryable } from '../../infra/db.ts';

/** A spool as attribution sees it. */
export interface SpoolRow {
  spoolId: string;
  /** No click of it that Postgres may lack is older. */
  oldestAt: Date;
  /** Null as long as clicks are on disk; else when the last of them went into a stream, by the clock of Redis. */
  sentAt: Date | null;
}

// The spool a process writes to: it knows best, and the oldest click may become a later one. Served by click_spools_pkey.
const STATE_OWN = `
insert into click_spools (spool_id, oldest_at, sent_at) values ($1, $2, $3)
on conflict on constraint click_spools_pkey
  do update set oldest_at = excluded.oldest_at, sent_at = excluded.sent_at, updated_at = now()`;

// Of a dead owner nobody knows what it had sent when it ended, so its word about the oldest click stands until all is done.
const STATE_ADOPTED = `
insert into click_spools as s (spool_id, oldest_at, sent_at) values ($1, $2, $3)
on conflict on constraint click_spools_pkey
  do update set oldest_at = least(s.oldest_at, excluded.oldest_at), sent_at = excluded.sent_at, updated_at = now()`;

/** Writes what a spool holds. May be repeated. */
export async function upsertSpool(db: Queryable, row: SpoolRow, { isAdopted }: { isAdopted: boolean }): Promise<void> {
  await db.query({
    name: isAdopted ? 'state_adopted_spool' : 'state_own_spool',
    text: isAdopted ? STATE_ADOPTED : STATE_OWN,
    values: [row.spoolId, row.oldestAt, row.sentAt],
  });
}

// What went into a stream before the least watermark is in `clicks`: such rows hold nothing back any more, whoever wrote them. A handful of rows.
const DELETE_STORED = `
delete from click_spools s
where s.sent_at <= (select min(w.drained_to) from click_watermarks w)`;

/** Deletes the rows that have done their duty. */
export async function deleteStoredSpools(db: Queryable): Promise<void> {
  await db.query({ name: 'delete_stored_spools', text: DELETE_STORED });
}

// As the deletion above, for what a process remembers of its own.
const FIND_STORED_BEFORE = `
select min(w.drained_to) as "storedBefore" from click_watermarks w`;

/** Everything that went into a stream before this instant is stored; undefined: unknown. */
export async function findStoredBefore(db: Queryable): Promise<Date | undefined> {
  const { rows } = await db.query<{ storedBefore: Date | null }>({
    name: 'find_stored_before',
    text: FIND_STORED_BEFORE,
  });
  return rows[0]?.storedBefore ?? undefined;
}
