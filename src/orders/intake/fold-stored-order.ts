import { withLentEvidence } from '../../core/orders/supplementary-evidence.ts';
import type { OrderEvent } from '../../core/orders/order-event.ts';
import { foldOrder, type FoldedOrder } from '../../core/orders/order.ts';
import { decodeOrderEvent } from './event-record.ts';

/** An event as `order_events` keeps it. */
export interface EventRow {
  fingerprint: Buffer;
  /** false: from a source that may only give evidence. */
  makesFacts: boolean;
  event: unknown;
}

/**
 * The order that its stored events describe: folded from those that make facts, each line's evidence completed by those that lend some.
 *
 * @param rows  every stored event of one order, in any order
 * @returns undefined while no event makes facts
 */
export function foldStoredOrder(rows: readonly EventRow[]): FoldedOrder | undefined {
  return foldEvents(rows.map(({ event, ...row }) => ({ ...row, event: decodeOrderEvent(event) })));
}

/** The same of events at hand, which need no decoding: each stands for the row that `encodeOrderEvent` makes of it. */
export function foldEvents(
  rows: readonly (Omit<EventRow, 'event'> & { event: OrderEvent })[],
): FoldedOrder | undefined {
  const stored = rows.map(({ fingerprint, ...row }) => ({ ...row, fingerprint: fingerprint.toString('hex') }));
  const folded = foldOrder(stored.filter(({ makesFacts }) => makesFacts));
  if (folded === undefined) return undefined;
  const lent = stored.filter(({ makesFacts }) => !makesFacts);
  const lines = folded.lines.map((line) => ({
    ...line,
    evidence: withLentEvidence(line.evidence, line.externalLineId, lent),
  }));
  return { ...folded, lines };
}
