import type { FoldedLine, FoldedOrder } from '../../core/orders/order.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';

export interface LockedOrder {
  id: string;
  brandId: string;
  storeId: string;
  externalOrderId: string;
  platform: string;
  orderSource: 'youzan' | 'shop' | 'tbk';
}

// Locks are taken in the order of (store, external order id), as the intake takes them, so the sweep and a delivery never deadlock.
const LOCK_ORDERS_BY_ID = `
select o.id, o.brand_id as "brandId", o.store_id as "storeId", o.external_order_id as "externalOrderId",
  s.platform, s.order_source as "orderSource"
from orders o
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
where o.id = any ($1::text[])
order by o.store_id, o.external_order_id
for update of o`;

/** Locks the orders until the transaction ends; unknown ids are left out. */
export async function lockOrdersById(tx: Tx, orderIds: readonly string[]): Promise<LockedOrder[]> {
  const { rows } = await tx.query<LockedOrder>({
    name: 'lock_orders_by_id',
    text: LOCK_ORDERS_BY_ID,
    values: arrayLiterals([orderIds]),
  });
  return rows;
}

// Every fact of the orders, oldest first. Served by order_events_order_idx.
const LIST_EVENTS_OF_ORDERS = `
select e.order_id as "orderId", e.fingerprint, e.makes_facts as "makesFacts", e.event
from order_events e
where e.order_id = any ($1::text[])
order by e.order_id, e.recorded_at, e.message_id, e.position`;

export interface StoredEventRow {
  orderId: string;
  fingerprint: Buffer;
  /** false: from a source that may only give evidence. */
  makesFacts: boolean;
  event: unknown;
}

/** All stored events of the orders. */
export async function listEventsOfOrders(tx: Tx, orderIds: readonly string[]): Promise<StoredEventRow[]> {
  const { rows } = await tx.query<StoredEventRow>({
    name: 'list_events_of_orders',
    text: LIST_EVENTS_OF_ORDERS,
    values: arrayLiterals([orderIds]),
  });
  return rows;
}

// One probe of product_item_keys_pkey a name: joined, the table would be read whole while it has a thousand rows.
const FIND_PRODUCTS_BY_ITEM_KEYS = `
select input.store_id as "storeId", input.item_key as "itemKey",
  (select k.product_id from product_item_keys k
    where k.brand_id = input.brand_id and k.store_id = input.store_id and k.item_key = input.item_key) as "productId"
from unnest($1::text[], $2::text[], $3::text[]) as input (brand_id, store_id, item_key)`;

/** The products registered under these names; keyed by `<store id> <item key>`. */
export async function findProductsByItemKeys(
  tx: Tx,
  keys: readonly { brandId: string; storeId: string; itemKey: string }[],
): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<{ storeId: string; itemKey: string; productId: string | null }>({
    name: 'find_products_by_item_keys',
    text: FIND_PRODUCTS_BY_ITEM_KEYS,
    values: arrayLiterals([
      keys.map((key) => key.brandId),
      keys.map((key) => key.storeId),
      keys.map((key) => key.itemKey),
    ]),
  });
  return new Map(
    rows.flatMap(({ storeId, itemKey, productId }) =>
      productId === null ? [] : [[`${storeId} ${itemKey}`, productId]],
    ),
  );
}

const UPDATE_ORDERS = `
update orders
set status = input.status, created_at = input.created_at, paid_at = input.paid_at,
  received_at = input.received_at, closed_at = input.closed_at
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
  as input (id, status, created_at, paid_at, received_at, closed_at)
where orders.id = input.id`;

/** Writes what the facts say of each order as a whole. The caller holds the locks. */
export async function updateOrders(
  tx: Tx,
  orders: readonly (Pick<FoldedOrder, 'status' | 'createdAt' | 'paidAt' | 'receivedAt' | 'closedAt'> & {
    id: string;
  })[],
): Promise<void> {
  if (orders.length === 0) return;
  await tx.query({
    name: 'update_orders',
    text: UPDATE_ORDERS,
    values: arrayLiterals([
      orders.map((order) => order.id),
      orders.map((order) => order.status),
      orders.map((order) => order.createdAt),
      orders.map((order) => order.paidAt ?? null),
      orders.map((order) => order.receivedAt ?? null),
      orders.map((order) => order.closedAt ?? null),
    ]),
  });
}

export interface StoredLineRow {
  lineId: string;
  orderId: string;
  externalLineId: string;
  receivedSeenAt: Date | null;
}

// The lines that the orders have already; orders gives the brand. Served by orders_id_idx and order_lines_external_key.
const LIST_LINES_OF_ORDERS = `
select l.id as "lineId", l.order_id as "orderId", l.external_line_id as "externalLineId", l.received_seen_at as "receivedSeenAt"
from orders o
join order_lines l on l.brand_id = o.brand_id and l.order_id = o.id
where o.id = any ($1::text[])`;

/** Every stored line of the orders, whose locks the caller holds. */
export async function listStoredLinesOfOrders(tx: Tx, orderIds: readonly string[]): Promise<StoredLineRow[]> {
  const { rows } = await tx.query<StoredLineRow>({
    name: 'list_stored_lines_of_orders',
    text: LIST_LINES_OF_ORDERS,
    values: arrayLiterals([orderIds]),
  });
  return rows;
}

// What now() is in this transaction: the time that its statements write.
const READ_NOW = `
select now() as "now"`;

/** The time of the transaction by Postgres' clock. */
export async function readTransactionTime(tx: Tx): Promise<Date> {
  const { rows } = await tx.query<{ now: Date }>({ name: 'read_transaction_time', text: READ_NOW });
  const [row] = rows;
  if (row === undefined) throw new Error('a select without a table answers one row');
  return row.now;
}

export interface LineToWrite extends FoldedLine {
  /** Its own where it is stored already. */
  lineId: string;
  brandId: string;
  orderId: string;
  productId: string | undefined;
}

// received_seen_at keeps the moment the receipt first reached us, by Postgres' clock; a corrected time of receipt does not move it.
// item_keys travel as one JSON text a line because arrays of arrays of different lengths cannot be unnested.
const UPSERT_ORDER_LINES = `
insert into order_lines as l (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
  refund_excess_fen, closed, refund_open, received_at, received_seen_at)
select input.id, input.brand_id, input.order_id, input.external_line_id, input.product_id,
  array(select jsonb_array_elements_text(input.item_keys)), input.quantity, input.paid_fen, input.refunded_fen,
  input.refund_excess_fen, input.closed, input.refund_open, input.received_at,
  case when input.received_at is not null then now() end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::bigint[], $8::bigint[], $9::bigint[],
  $10::bigint[], $11::boolean[], $12::boolean[], $13::timestamptz[])
  as input (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
    refund_excess_fen, closed, refund_open, received_at)
on conflict on constraint order_lines_external_key do update
set product_id = excluded.product_id, item_keys = excluded.item_keys, quantity = excluded.quantity, paid_fen = excluded.paid_fen,
  refunded_fen = excluded.refunded_fen, refund_excess_fen = excluded.refund_excess_fen, closed = excluded.closed,
  refund_open = excluded.refund_open, received_at = excluded.received_at,
  received_seen_at = case when excluded.received_at is not null then coalesce(l.received_seen_at, now()) end`;

/** Writes the folded lines; a line once known is never deleted. */
export async function upsertOrderLines(tx: Tx, lines: readonly LineToWrite[]): Promise<void> {
  if (lines.length === 0) return;
  const values = arrayLiterals(lineColumns(lines));
  await tx.query({ name: 'upsert_order_lines', text: UPSERT_ORDER_LINES, values });
}

/** The lines column by column, as statements unnest them. */
export function lineColumns(lines: readonly LineToWrite[]): unknown[][] {
  return [
    lines.map((line) => line.lineId),
    lines.map((line) => line.brandId),
    lines.map((line) => line.orderId),
    lines.map((line) => line.externalLineId),
    lines.map((line) => line.productId ?? null),
    lines.map((line) => JSON.stringify(line.itemKeys)),
    lines.map((line) => line.quantity),
    lines.map((line) => line.paidFen),
    lines.map((line) => line.refundedFen),
    lines.map((line) => line.refundExcessFen),
    lines.map((line) => line.closed),
    lines.map((line) => line.refundOpen),
    lines.map((line) => line.receivedAt ?? null),
  ];
}
