import type { Queryable, Tx } from '../../infra/db.ts';

export interface DueLine {
  lineId: string;
  orderId: string;
}

// Lines whose hold is over by Postgres' clock and that nothing holds back, longest due first. Only a candidate list: MARK_RELEASED
// checks the lines again under the locks of their orders. Served by priced_lines_due_idx.
const LIST_DUE = `
select c.line_id as "lineId", l.order_id as "orderId"
from priced_lines c
join order_lines l on l.brand_id = c.brand_id and l.id = c.line_id
join attributions a on a.brand_id = c.brand_id and a.line_id = c.line_id
where c.released_at is null and c.payable_at is not null and c.payable_at <= now() and c.hold_note is null
  and not l.refund_open and l.received_at is not null and a.state = 'matched'
order by c.payable_at, c.line_id
limit $1`;

/** Up to `limit` lines that are due, longest due first. */
export async function listDueLines(db: Queryable, limit: number): Promise<DueLine[]> {
  const { rows } = await db.query<DueLine>(LIST_DUE, [limit]);
  return rows;
}

// Marks as released those of the lines that are still due now that their orders are locked; answers which. Served by order_lines_id_idx and
// the primary keys.
const MARK_RELEASED = `
update priced_lines c set released_at = now()
from order_lines l, attributions a
where l.id = any ($1::text[]) and c.brand_id = l.brand_id and c.line_id = l.id and a.brand_id = l.brand_id and a.line_id = l.id
  and c.released_at is null and c.payable_at is not null and c.payable_at <= now() and c.hold_note is null
  and not l.refund_open and l.received_at is not null and a.state = 'matched'
returning c.line_id as "lineId"`;

/** Marks lines as released; answers those that were still due. */
export async function markReleased(tx: Tx, lineIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ lineId: string }>(MARK_RELEASED, [lineIds]);
  return rows.map((row) => row.lineId);
}

// A held line is not released: what was payable goes back to pending until the hold is taken off. No row: the line never earned anything.
// Served by order_lines_id_idx and priced_lines_pkey.
const SET_HOLD = `
update priced_lines c set hold_note = $2, hold_by = $3, released_at = null
from order_lines l
where l.id = $1 and c.brand_id = l.brand_id and c.line_id = l.id
returning c.line_id as "lineId"`;

/** Sets or replaces the hold of a line; false where the line has never been booked. */
export async function setHold(tx: Tx, hold: { lineId: string; note: string; by: string }): Promise<boolean> {
  const { rows } = await tx.query(SET_HOLD, [hold.lineId, hold.note, hold.by]);
  return rows.length > 0;
}

// Served by order_lines_id_idx and priced_lines_pkey.
const CLEAR_HOLD = `
update priced_lines c set hold_note = null, hold_by = null
from order_lines l
where l.id = $1 and c.brand_id = l.brand_id and c.line_id = l.id and c.hold_note is not null
returning c.line_id as "lineId"`;

/** Takes off the hold of a line; false where none was set. */
export async function clearHold(tx: Tx, lineId: string): Promise<boolean> {
  const { rows } = await tx.query(CLEAR_HOLD, [lineId]);
  return rows.length > 0;
}
