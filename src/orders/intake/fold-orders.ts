import type { FoldedLine, FoldedOrder } from '../../core/orders/order.ts';
import { newId } from '../../http/new-id.ts';
import type { Tx } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import { foldStoredOrder } from './fold-stored-order.ts';
import { listEventsOfOrders, listStoredLinesOfOrders, type LockedOrder } from './recompute-queries.ts';

/** An order that this transaction alone may change. */
export interface OrderToRecompute extends LockedOrder {
  /**
   * Of an order made in this transaction, what its events come to (undefined while none makes facts): its row says so already, and nothing
   * else of it is stored.
   */
  made?: { folded: FoldedOrder | undefined };
}

/** An order as its facts say it is. */
export interface OrderAsFolded {
  order: OrderToRecompute;
  folded: FoldedOrder;
  lines: LineAsFolded[];
}

export interface LineAsFolded {
  lineId: string;
  /** Whether the line, and so perhaps an attribution and books, stood before. */
  isStored: boolean;
  folded: FoldedLine;
  /** When its receipt was first seen, as stored. */
  receivedSeenAt: Date | undefined;
}

/** Folds the orders, reading what is stored of those that were not made just now, in one round trip. Orders without facts are left out. */
export async function foldOrders(tx: Tx, orders: readonly OrderToRecompute[]): Promise<OrderAsFolded[]> {
  const storedIds = orders.flatMap(({ id, made }) => (made === undefined ? [id] : []));
  if (storedIds.length === 0) return foldMadeOrders(orders);
  const [events, lines] = await together(tx, () => [
    listEventsOfOrders(tx, storedIds),
    listStoredLinesOfOrders(tx, storedIds),
  ]);
  const eventsOf = Map.groupBy(events, (row) => row.orderId);
  const rowOf = new Map(lines.map((row) => [`${row.orderId} ${row.externalLineId}`, row]));
  return orders.flatMap((order) => {
    if (order.made !== undefined) return foldMadeOrders([order]);
    const folded = foldStoredOrder(eventsOf.get(order.id) ?? []);
    if (folded === undefined) return [];
    const ofOrder = folded.lines.map((line): LineAsFolded => {
      const row = rowOf.get(`${order.id} ${line.externalLineId}`);
      return {
        lineId: row?.lineId ?? newId('lin'),
        isStored: row !== undefined,
        folded: line,
        receivedSeenAt: row?.receivedSeenAt ?? undefined,
      };
    });
    return [{ order, folded, lines: ofOrder }];
  });
}

/** The same for orders that were all made in this transaction: there is nothing to read. */
export function foldMadeOrders(orders: readonly OrderToRecompute[]): OrderAsFolded[] {
  return orders.flatMap((order) => {
    const folded = order.made?.folded;
    if (folded === undefined) return [];
    const lines = folded.lines.map((line): LineAsFolded => {
      return { lineId: newId('lin'), isStored: false, folded: line, receivedSeenAt: undefined };
    });
    return [{ order, folded, lines }];
  });
}
