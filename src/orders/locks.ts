/**
 * The one place that locks orders. A lock is held until the transaction ends.
 *
 * Everything that changes an order, its lines, their attributions or their money holds the lock of the order first: intake, sweep, decisions,
 * release, holds, repricing. All take locks in the order of (store, external order id), so they wait for each other and never deadlock.
 */
import { arrayLiterals } from '../infra/array-literal.ts';
import type { Tx } from '../infra/db.ts';
import type { FoldedOrder } from '../core/orders/order.ts';

/** Names an order by what its platform calls it. */
export interface OrderKey {
  brandId: string;
  storeId: string;
  externalOrderId: string;
}

export interface LockedOrder extends OrderKey {
  id: string;
  platform: string;
  orderSource: 'youzan' | 'shop' | 'tbk';
  /** What the row says: null where no fact has said it. */
  status: FoldedOrder['status'];
  createdAt: Date | null;
  paidAt: Date | null;
  receivedAt: Date | null;
  closedAt: Date | null;
  /** The time of the transaction by Postgres' clock: what its statements write as now(). */
  now: Date;
}

/** One text for a key, as maps need it. */
export function orderKeyOf({ storeId, externalOrderId }: Omit<OrderKey, 'brandId'>): string {
  return `${storeId} ${externalOrderId}`;
}

// Locked in the order of (store, external order id). Served by orders_external_key.
const LOCK_ORDERS_BY_KEY = `
select o.id, o.brand_id as "brandId", o.store_id as "storeId", o.external_order_id as "externalOrderId", s.platform,
  s.order_source as "orderSource", o.status, o.created_at as "createdAt", o.paid_at as "paidAt", o.received_at as "receivedAt",
  o.closed_at as "closedAt", now() as "now"
from unnest($1::text[], $2::text[], $3::text[]) as input (brand_id, store_id, external_order_id)
join orders o on o.brand_id = input.brand_id and o.store_id = input.store_id and o.external_order_id = input.external_order_id
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
order by o.store_id, o.external_order_id
for update of o`;

/** Locks the orders with these keys; keys of orders that do not exist are left out. */
export async function lockOrdersByKey(tx: Tx, keys: readonly OrderKey[]): Promise<LockedOrder[]> {
  if (keys.length === 0) return [];
  const { rows } = await tx.query<LockedOrder>({
    name: 'lock_orders_by_key',
    text: LOCK_ORDERS_BY_KEY,
    values: arrayLiterals([
      keys.map((key) => key.brandId),
      keys.map((key) => key.storeId),
      keys.map((key) => key.externalOrderId),
    ]),
  });
  return rows;
}

// Locked in the order of (store, external order id). Served by orders_id_idx.
const LOCK_ORDERS_BY_ID = `
select o.id, o.brand_id as "brandId", o.store_id as "storeId", o.external_order_id as "externalOrderId", s.platform,
  s.order_source as "orderSource", o.status, o.created_at as "createdAt", o.paid_at as "paidAt", o.received_at as "receivedAt",
  o.closed_at as "closedAt", now() as "now"
from orders o
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
where o.id = any ($1::text[])
order by o.store_id, o.external_order_id
for update of o`;

/** Locks the orders with these ids; unknown ids are left out. */
export async function lockOrdersById(tx: Tx, orderIds: readonly string[]): Promise<LockedOrder[]> {
  if (orderIds.length === 0) return [];
  const { rows } = await tx.query<LockedOrder>({
    name: 'lock_orders_by_id',
    text: LOCK_ORDERS_BY_ID,
    values: arrayLiterals([orderIds]),
  });
  return rows;
}

// Another brand's line is no line. What is read of the line afterwards belongs into a later statement: a statement that waited for a lock
// sees other tables as they were before it waited. Served by order_lines_id_idx.
const LOCK_ORDER_OF_LINE = `
select o.id as "orderId", o.brand_id as "brandId"
from order_lines l
join orders o on o.brand_id = l.brand_id and o.id = l.order_id
where l.id = $1 and ($2::text is null or l.brand_id = $2)
for update of o`;

/**
 * Locks the order of a line.
 *
 * @param line.brandScope  the brand that the caller is confined to
 * @returns undefined where the caller may see no such line
 */
export async function lockOrderOfLine(
  tx: Tx,
  { lineId, brandScope }: { lineId: string; brandScope: string | undefined },
): Promise<{ orderId: string; brandId: string } | undefined> {
  const { rows } = await tx.query<{ orderId: string; brandId: string }>(LOCK_ORDER_OF_LINE, [
    lineId,
    brandScope ?? null,
  ]);
  return rows[0];
}
