/** Step "fold": an order is what all its facts say, those that are stored and those that a message brings now. */
import type { LineEvidence, OrderEvent } from '../../core/orders/order-event.ts';
import { type FoldedLine, foldOrder, type FoldedOrder } from '../../core/orders/order.ts';
import { withLentEvidence } from '../../core/orders/supplementary-evidence.ts';
import { newId } from '../../http/new-id.ts';
import { type LockedOrder, orderKeyOf } from '../locks.ts';
import { decodeOrderEvent } from './event-record.ts';
import type { StoredEventRow, StoredLine } from './state-queries.ts';

/** An event as `order_events` keeps it. */
export interface EventRow {
  fingerprint: Buffer;
  /** false: from a source that may only give evidence. */
  makesFacts: boolean;
  event: unknown;
}

/** An event at hand: stands for the row that `encodeOrderEvent` makes of it. */
export interface EventAtHand extends Omit<EventRow, 'event'> {
  event: OrderEvent;
}

/**
 * The order that its stored events describe: folded from those that make facts, each line's evidence completed by the others.
 *
 * @param rows  every stored event of one order, in any order
 * @returns undefined while no event makes facts
 */
export function foldStoredOrder(rows: readonly EventRow[]): FoldedOrder | undefined {
  return foldEvents(rows.map(decoded));
}

/** The same of events at hand, which need no decoding. */
export function foldEvents(rows: readonly EventAtHand[]): FoldedOrder | undefined {
  const events = rows.map(({ fingerprint, ...row }) => ({ ...row, fingerprint: fingerprint.toString('hex') }));
  const folded = foldOrder(events.filter(({ makesFacts }) => makesFacts));
  const supplementary = events.filter(({ makesFacts }) => !makesFacts);
  if (folded === undefined || supplementary.length === 0) return folded;
  const lines = folded.lines.map((line) => ({
    ...line,
    evidence: withLentEvidence(line.evidence, line.externalLineId, supplementary),
  }));
  return { ...folded, lines };
}

function decoded({ event, fingerprint, makesFacts }: EventRow): EventAtHand {
  return { fingerprint, makesFacts, event: decodeOrderEvent(event) };
}

/** A line of a folded order, with what the ladder and the pricing must know of its order. */
export interface SoldLine {
  lineId: string;
  orderId: string;
  brandId: string;
  storeId: string;
  platform: string;
  orderSource: LockedOrder['orderSource'];
  orderCreatedAt: Date;
  paidAt: Date | undefined;
  folded: FoldedLine;
  evidence: LineEvidence;
  /** When its receipt first reached us. */
  receivedSeenAt: Date | undefined;
  /** What stood of the line before; undefined for a new one. */
  stored: StoredLine | undefined;
  /** By the names that its item has; undefined where no product of the store has one of them. */
  productId?: string | undefined;
}

export interface FoldedOrderState {
  order: LockedOrder;
  folded: FoldedOrder;
  lines: SoldLine[];
  /** Whether facts were stored before: a line may then have evidence that no message at hand names. */
  hasStoredFacts: boolean;
}

/**
 * Folds orders from their stored facts and those at hand. Orders of which no event makes facts are left out.
 *
 * @param input.locked  the orders, whose locks the caller holds
 * @param input.atHand  events that are not stored yet, by `orderKeyOf`; only orders with events at hand are folded where `onlyWithEvents`
 */
export function foldOrders(input: {
  locked: readonly LockedOrder[];
  events: readonly StoredEventRow[];
  lines: readonly StoredLine[];
  atHand: ReadonlyMap<string, readonly EventAtHand[]>;
}): FoldedOrderState[] {
  const eventsOf = Map.groupBy(input.events, ({ orderId }) => orderId);
  const lineOf = new Map(input.lines.map((line) => [`${line.orderId} ${line.externalLineId}`, line]));
  return input.locked.flatMap((order) => {
    const stored = eventsOf.get(order.id) ?? [];
    const folded = foldEvents([...stored.map(decoded), ...(input.atHand.get(orderKeyOf(order)) ?? [])]);
    if (folded === undefined) return [];
    const lines = folded.lines.map((line) =>
      soldLineOf(order, folded, line, lineOf.get(`${order.id} ${line.externalLineId}`)),
    );
    return [{ order, folded, lines, hasStoredFacts: stored.length > 0 }];
  });
}

function soldLineOf(
  order: LockedOrder,
  { createdAt, paidAt }: FoldedOrder,
  folded: FoldedLine,
  stored: StoredLine | undefined,
): SoldLine {
  return {
    lineId: stored?.lineId ?? newId('lin'),
    orderId: order.id,
    brandId: order.brandId,
    storeId: order.storeId,
    platform: order.platform,
    orderSource: order.orderSource,
    orderCreatedAt: createdAt,
    paidAt,
    folded,
    evidence: folded.evidence,
    receivedSeenAt: folded.receivedAt === undefined ? undefined : (stored?.receivedSeenAt ?? order.now),
    stored,
  };
}
