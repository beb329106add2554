import type { Acting } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import type { Db } from '../../infra/db.ts';
import { inRefusableTransaction, type Outcome } from '../../infra/refusal.ts';
import { lockOrderOfLine } from '../../orders/locks.ts';
import { bookStoredLines } from '../pricing/book-lines.ts';
import { clearHold, setHold } from './queries.ts';

export type HoldRefusal =
  | { reason: 'unknown_line' }
  /** The line has never earned a commission, so there is nothing to hold. */
  | { reason: 'never_earned' }
  /** The line has no hold to take off. */
  | { reason: 'not_held' };
export type HoldOutcome = Outcome<object, HoldRefusal>;

/**
 * Holds a line back by a person's decision: it is not released, and what was payable of it is pending again. Money in a payout stays there.
 * A second hold replaces the note of the first.
 */
export async function holdLine(
  db: Db,
  { actor, brandScope }: Acting,
  { lineId, note }: { lineId: string; note: string },
): Promise<HoldOutcome> {
  return inRefusableTransaction(db, async (tx): Promise<HoldOutcome> => {
    const line = await lockOrderOfLine(tx, { lineId, brandScope });
    if (line === undefined) return { ok: false, reason: 'unknown_line' };
    if (!(await setHold(tx, { lineId, note, by: actor }))) return { ok: false, reason: 'never_earned' };
    await bookStoredLines(tx, [lineId], 'release');
    await recordAudit(tx, { actor, action: 'line.held', brandId: line.brandId, objectId: lineId, detail: { note } });
    return { ok: true };
  });
}

/** Takes the hold off a line; the next release makes it payable if it is due. */
export async function unholdLine(db: Db, { actor, brandScope }: Acting, lineId: string): Promise<HoldOutcome> {
  return inRefusableTransaction(db, async (tx): Promise<HoldOutcome> => {
    const line = await lockOrderOfLine(tx, { lineId, brandScope });
    if (line === undefined) return { ok: false, reason: 'unknown_line' };
    if (!(await clearHold(tx, lineId))) return { ok: false, reason: 'not_held' };
    await recordAudit(tx, { actor, action: 'line.released', brandId: line.brandId, objectId: lineId, detail: {} });
    return { ok: true };
  });
}
