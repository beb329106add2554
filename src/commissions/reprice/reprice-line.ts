import type { Acting } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import type { Db } from '../../infra/db.ts';
import { inRefusableTransaction, type Outcome } from '../../infra/refusal.ts';
import { lockOrderOfLine } from '../../orders/locks.ts';
import { priceAndBookLines } from '../pricing/book-lines.ts';
import { listPricedLines } from '../pricing/queries.ts';
import { readBookableLines } from '../pricing/stored-lines.ts';
import { getRateCard } from '../terms/rate-cards.ts';

export type RepriceOutcome = Outcome<
  { previousTermsId: string; termsId: string },
  | { reason: 'unknown_line' }
  /** The line has no terms to replace: it never earned a commission, or no longer does. */
  | { reason: 'earns_nothing' }
>;

/**
 * Corrects a mistake in terms: copies onto a line the terms that now cover its sale (rate, hold, window, fee, agency's share), and books the
 * difference.
 *
 * A line keeps the terms copied onto it, so that a later version never changes the price of a sale. This is the one exception: a person's
 * decision, with a note, in the audit log. What was paid out stays paid: less commission becomes debt, more becomes payable.
 */
export async function repriceLine(
  db: Db,
  { actor, brandScope }: Acting,
  { lineId, note }: { lineId: string; note: string },
): Promise<RepriceOutcome> {
  return inRefusableTransaction(db, async (tx): Promise<RepriceOutcome> => {
    const found = await lockOrderOfLine(tx, { lineId, brandScope });
    if (found === undefined) return { ok: false, reason: 'unknown_line' };
    const before = (await listPricedLines(tx, [lineId])).get(lineId);
    const lines = await readBookableLines(tx, [lineId]);
    if (before === undefined || lines.every((line) => line.attribution === undefined)) {
      return { ok: false, reason: 'earns_nothing' };
    }
    const { brandId } = found;
    const rateCards = new Map([[brandId, await getRateCard(tx, { brandId })]]);
    await priceAndBookLines(tx, lines, rateCards, { reprice: true });
    const after = (await listPricedLines(tx, [lineId])).get(lineId) ?? before;
    const terms = { previousTermsId: before.termsId, termsId: after.termsId };
    await recordAudit(tx, { actor, action: 'line.repriced', brandId, objectId: lineId, detail: { note, ...terms } });
    return { ok: true, ...terms };
  });
}
