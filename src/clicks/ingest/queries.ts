import type { Queryable } from '../../infra/db.ts';

// Makes the missing monthly partitions; safe at any time and by several processes (an advisory lock inside).
const ENSURE_PARTITIONS = `
select ensure_click_partitions($1::timestamptz, $2::integer) as made`;

/** Makes the partitions from the Shanghai month of `from` to `monthsAhead` later, where they are missing. */
export async function ensureClickPartitions(db: Queryable, span: { from: Date; monthsAhead: number }): Promise<void> {
  await db.query({ name: 'ensure_click_partitions', text: ENSURE_PARTITIONS, values: [span.from, span.monthsAhead] });
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
