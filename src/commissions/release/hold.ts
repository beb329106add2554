import { problems } from '../../http/problem.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import type { Tx } from '../../infra/db.ts';
import { lockOrderOfLine } from '../../orders/locks.ts';
import { bookStoredLines } from '../pricing/book-lines.ts';
import { clearHold, setHold } from './queries.ts';

/** Who asks, about which line; `brandScope` confines a key of one brand. */
export interface HoldRequest {
  lineId: string;
  brandScope: string | undefined;
  actor: string;
}

/**
 * Holds a line back by a person's decision: it is not released, and what was payable of it is pending again. Money in a payout stays there.
 * A second hold replaces the note of the first.
 *
 * @throws Problem `not_found`; `conflict` where the line has never earned a commission
 */
export async function holdLine(tx: Tx, request: HoldRequest & { note: string }): Promise<void> {
  const { lineId, actor, note } = request;
  const { brandId } = await lockLine(tx, request);
  if (!(await setHold(tx, { lineId, note, by: actor }))) {
    throw problems.conflict('this line has never earned a commission, so there is nothing to hold');
  }
  await bookStoredLines(tx, [lineId], 'release');
  await recordAudit(tx, { actor, action: 'line.held', brandId, objectId: lineId, detail: { note } });
}

/**
 * Takes the hold off a line; the next release makes it payable if it is due.
 *
 * @throws Problem `not_found`, also where no hold is set
 */
export async function unholdLine(tx: Tx, request: HoldRequest): Promise<void> {
  const { lineId, actor } = request;
  const { brandId } = await lockLine(tx, request);
  if (!(await clearHold(tx, lineId))) throw problems.notFound();
  await recordAudit(tx, { actor, action: 'line.released', brandId, objectId: lineId, detail: {} });
}

async function lockLine(tx: Tx, request: HoldRequest): Promise<{ brandId: string }> {
  const line = await lockOrderOfLine(tx, request);
  if (line === undefined) throw problems.notFound();
  return line;
}
