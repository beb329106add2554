import type { LineEvidence, OrderEvent } from './order-event.ts';

/** An event of a source that is not the store's order source: it makes no money facts, but its lines may say where a buyer came from. */
export interface LentEvent {
  fingerprint: string;
  event: OrderEvent;
}

/**
 * Evidence that other sources lend to one line of an order, field by field.
 *
 * A field of the line's own source always stays; among lenders the greatest fingerprint wins, so the answer does not depend on the
 * order in which they came (versions of different sources cannot be compared).
 *
 * @param own   the evidence of the folded line
 * @param lent  every event of the same order from other sources
 */
export function withLentEvidence(own: LineEvidence, externalLineId: string, lent: readonly LentEvent[]): LineEvidence {
  if (lent.length === 0) return own;
  const ascending = lent.toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
  const offers = ascending.flatMap(({ event }) =>
    (event.lines ?? []).filter((line) => line.externalLineId === externalLineId).map((line) => line.evidence),
  );
  return Object.assign({}, ...offers, own) as LineEvidence;
}
