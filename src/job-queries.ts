/** Backlogs of the timed jobs, for their metrics. Each count ends at 10,000, so that a long outage does not make it expensive. */
import type { Queryable } from './infra/db.ts';

const MOST = 10_000;

// Committed entries that are not sealed. The queue holds no others, so this reads a small table or ends at the limit.
const COUNT_UNSEALED_ENTRIES = `
select count(*)::integer as "count" from (select q.entry_id from seal_queue q limit $1) waiting`;

// Lines that the release job would release now: the conditions of its own list. Served by priced_lines_due_idx and the primary keys.
const COUNT_DUE_LINES = `
select count(*)::integer as "count" from (
  select c.line_id
  from priced_lines c
  join order_lines l on l.brand_id = c.brand_id and l.id = c.line_id
  join attributions a on a.brand_id = c.brand_id and a.line_id = c.line_id
  where c.released_at is null and c.payable_at is not null and c.payable_at <= now() and c.hold_note is null
    and not l.refund_open and l.received_at is not null and a.state = 'matched'
  limit $1
) waiting`;

// Lines that the sweep should look at again. Served by attributions_retry_idx.
const COUNT_LINES_TO_SWEEP = `
select count(*)::integer as "count" from (
  select a.line_id from attributions a where a.retry_at <= now() limit $1
) waiting`;

// Destinations whose check is due. Served by destination_checks_due_idx.
const COUNT_DUE_DESTINATIONS = `
select count(*)::integer as "count" from (
  select dc.product_id from destination_checks dc where dc.next_check_at <= now() limit $1
) waiting`;

async function count(db: Queryable, text: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(text, [MOST]);
  return rows[0]?.count ?? 0;
}

export const countUnsealedEntries = (db: Queryable): Promise<number> => count(db, COUNT_UNSEALED_ENTRIES);
export const countDueLines = (db: Queryable): Promise<number> => count(db, COUNT_DUE_LINES);
export const countLinesToSweep = (db: Queryable): Promise<number> => count(db, COUNT_LINES_TO_SWEEP);
export const countDueDestinations = (db: Queryable): Promise<number> => count(db, COUNT_DUE_DESTINATIONS);
