import { problems } from '../../http/problem.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import type { Tx } from '../../infra/db.ts';
import { priceAndBookLines } from '../pricing/book-lines.ts';
import { listPricedLines } from '../pricing/queries.ts';
import { lockOrderOfLine } from '../../orders/locks.ts';
import { readBookableLines } from '../pricing/stored-lines.ts';
import { getRateCard } from '../terms/terms.ts';

export interface RepriceRequest {
  lineId: string;
  brandScope: string | undefined;
  actor: string;
  note: string;
}

export interface Repriced {
  previousTermsId: string;
  termsId: string;
}

/**
 * Mends a mistake: copies onto a line the terms that now cover its sale (rate, hold, window, fee, agency's share), and books the difference.
 *
 * Terms are frozen so that nobody changes a sale's price afterwards; this is the one way a person may, and it leaves an audit entry. What
 * was paid out stays paid: less commission becomes debt, more becomes payable.
 *
 * @throws Problem `not_found`; `conflict` where the line has no terms to replace (it never earned a commission, or no longer does)
 */
export async function repriceLine(tx: Tx, { lineId, brandScope, actor, note }: RepriceRequest): Promise<Repriced> {
  const found = await lockOrderOfLine(tx, { lineId, brandScope });
  if (found === undefined) throw problems.notFound();
  const before = (await listPricedLines(tx, [lineId])).get(lineId);
  const lines = await readBookableLines(tx, [lineId]);
  if (before === undefined || lines.every((line) => line.attribution === undefined)) {
    throw problems.conflict('this line earns no commission, so there is nothing to price anew');
  }
  const rateCards = new Map([[found.brandId, await getRateCard(tx, { brandId: found.brandId })]]);
  await priceAndBookLines(tx, lines, rateCards, { reprice: true });
  const after = (await listPricedLines(tx, [lineId])).get(lineId) ?? before;
  const repriced = { previousTermsId: before.termsId, termsId: after.termsId };
  await recordAudit(tx, {
    actor,
    action: 'line.repriced',
    brandId: found.brandId,
    objectId: lineId,
    detail: { note, ...repriced },
  });
  return repriced;
}
