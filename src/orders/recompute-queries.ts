import type { AttributionMethod, Confidence, UnmatchedReason } from '../core/attribution-facts.ts';
import type { FoldedLine, FoldedOrder } from '../core/order.ts';
import type { Tx } from '../infra/db.ts';

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
join stores s on s.id = o.store_id
where o.id = any ($1::text[])
order by o.store_id, o.external_order_id
for update of o`;

/** Locks the orders until the transaction ends; unknown ids are left out. */
export async function lockOrdersById(tx: Tx, orderIds: readonly string[]): Promise<LockedOrder[]> {
  const { rows } = await tx.query<LockedOrder>({
    name: 'lock_orders_by_id',
    text: LOCK_ORDERS_BY_ID,
    values: [orderIds],
  });
  return rows;
}

// Every fact of the orders, oldest first. Served by order_events_order_idx.
const LIST_EVENTS_OF_ORDERS = `
select e.order_id as "orderId", e.fingerprint, e.makes_facts as "makesFacts", e.event
from order_events e
where e.order_id = any ($1::text[])
order by e.order_id, e.id`;

/** All stored events of the orders. */
export async function listEventsOfOrders(
  tx: Tx,
  orderIds: readonly string[],
): Promise<{ orderId: string; fingerprint: Buffer; makesFacts: boolean; event: unknown }[]> {
  const { rows } = await tx.query<{ orderId: string; fingerprint: Buffer; makesFacts: boolean; event: unknown }>({
    name: 'list_events_of_orders',
    text: LIST_EVENTS_OF_ORDERS,
    values: [orderIds],
  });
  return rows;
}

// Served by product_item_keys_pkey.
const FIND_PRODUCTS_BY_ITEM_KEYS = `
select k.store_id as "storeId", k.item_key as "itemKey", k.product_id as "productId"
from product_item_keys k
join unnest($1::text[], $2::text[]) as input (store_id, item_key)
  on input.store_id = k.store_id and input.item_key = k.item_key`;

/** The products registered under these names; keyed by `<store id> <item key>`. */
export async function findProductsByItemKeys(
  tx: Tx,
  keys: { storeId: string; itemKey: string }[],
): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ storeId: string; itemKey: string; productId: string }>({
    name: 'find_products_by_item_keys',
    text: FIND_PRODUCTS_BY_ITEM_KEYS,
    values: [keys.map((key) => key.storeId), keys.map((key) => key.itemKey)],
  });
  return new Map(rows.map((row) => [`${row.storeId} ${row.itemKey}`, row.productId]));
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
  orders: (Pick<FoldedOrder, 'status' | 'createdAt' | 'paidAt' | 'receivedAt' | 'closedAt'> & { id: string })[],
): Promise<void> {
  await tx.query({
    name: 'update_orders',
    text: UPDATE_ORDERS,
    values: [
      orders.map((order) => order.id),
      orders.map((order) => order.status),
      orders.map((order) => order.createdAt),
      orders.map((order) => order.paidAt ?? null),
      orders.map((order) => order.receivedAt ?? null),
      orders.map((order) => order.closedAt ?? null),
    ],
  });
}

export interface LineToWrite extends FoldedLine {
  newId: string;
  brandId: string;
  orderId: string;
  productId: string | undefined;
}

export interface WrittenLine {
  id: string;
  orderId: string;
  externalLineId: string;
  receivedSeenAt: Date | null;
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
  received_seen_at = case when excluded.received_at is not null then coalesce(l.received_seen_at, now()) end
returning l.id, l.order_id as "orderId", l.external_line_id as "externalLineId", l.received_seen_at as "receivedSeenAt"`;

/** Writes the folded lines; a line once known is never deleted. Answers one row per line given. */
export async function upsertOrderLines(tx: Tx, lines: LineToWrite[]): Promise<WrittenLine[]> {
  const { rows } = await tx.query<WrittenLine>({
    name: 'upsert_order_lines',
    text: UPSERT_ORDER_LINES,
    values: [
      lines.map((line) => line.newId),
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
    ],
  });
  return rows;
}

/** An attribution as it is stored: what the ladder answered, without its trace. */
export interface StoredAttribution {
  state: 'matched' | 'unmatched' | 'review';
  method?: AttributionMethod;
  confidence?: Confidence;
  linkId?: string;
  influencerId?: string;
  clickId?: string;
  clickedAt?: Date;
  tag?: string;
  reason?: UnmatchedReason;
  candidates?: unknown;
}

interface AttributionRow {
  lineId: string;
  state: 'matched' | 'unmatched' | 'review';
  method: AttributionMethod | null;
  confidence: Confidence | null;
  linkId: string | null;
  influencerId: string | null;
  clickId: string | null;
  clickedAt: Date | null;
  tag: string | null;
  reason: UnmatchedReason | null;
  candidates: unknown;
  released: boolean;
}

const LIST_STANDING_ATTRIBUTIONS = `
select a.line_id as "lineId", a.state, a.method, a.confidence, a.link_id as "linkId", a.influencer_id as "influencerId",
  a.click_id as "clickId", a.clicked_at as "clickedAt", a.tag, a.reason, a.candidates,
  coalesce(c.released_at is not null, false) as released
from attributions a
left join commission_lines c on c.line_id = a.line_id
where a.line_id = any ($1::text[])`;

/** What stands for these lines before they are decided again, and whether their commission is payable already; keyed by line id. */
export async function listStandingAttributions(
  tx: Tx,
  lineIds: string[],
): Promise<Map<string, { attribution: StoredAttribution; released: boolean }>> {
  const { rows } = await tx.query<AttributionRow>({
    name: 'list_standing_attributions',
    text: LIST_STANDING_ATTRIBUTIONS,
    values: [lineIds],
  });
  return new Map(
    rows.map(({ lineId, released, ...columns }) => {
      const present = Object.entries(columns).filter(([, value]) => value !== null);
      return [lineId, { attribution: Object.fromEntries(present) as unknown as StoredAttribution, released }];
    }),
  );
}

export interface AttributionToWrite {
  lineId: string;
  brandId: string;
  attribution: StoredAttribution;
  dispute: unknown;
  /** Whether the sweep should look at the line again. */
  retry: boolean;
}

// decided_at moves only when the decision does. Unmatched lines are looked at again ever more rarely: every 30 s while clicks are still
// on their way, then each 10 min on the first day, 6 h in the first week, daily for 60 days; then only new facts bring them back.
const UPSERT_ATTRIBUTIONS = `
insert into attributions as a (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag,
  reason, candidates, dispute, retry_at)
select input.line_id, input.brand_id, input.state, input.method, input.confidence, input.link_id, input.influencer_id, input.click_id,
  input.clicked_at, input.tag, input.reason, input.candidates, input.dispute,
  case
    when not input.retry then null
    when input.reason = 'waiting_for_clicks' then now() + interval '30 seconds'
    when o.first_seen_at > now() - interval '1 day' then now() + interval '10 minutes'
    when o.first_seen_at > now() - interval '7 days' then now() + interval '6 hours'
    when o.first_seen_at > now() - interval '60 days' then now() + interval '1 day'
  end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
  $10::text[], $11::text[], $12::jsonb[], $13::jsonb[], $14::boolean[])
  as input (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason, candidates,
    dispute, retry)
join order_lines o on o.id = input.line_id
on conflict on constraint attributions_pkey do update
set state = excluded.state, method = excluded.method, confidence = excluded.confidence, link_id = excluded.link_id,
  influencer_id = excluded.influencer_id, click_id = excluded.click_id, clicked_at = excluded.clicked_at, tag = excluded.tag,
  reason = excluded.reason, candidates = excluded.candidates, dispute = excluded.dispute, retry_at = excluded.retry_at,
  decided_at = case
    when (a.state, a.method, a.link_id, a.click_id, a.reason) is distinct from
      (excluded.state, excluded.method, excluded.link_id, excluded.click_id, excluded.reason) then now()
    else a.decided_at
  end`;

/** Writes the attribution of each line whole. */
export async function upsertAttributions(tx: Tx, rows: AttributionToWrite[]): Promise<void> {
  const column = <K extends keyof StoredAttribution>(name: K): (StoredAttribution[K] | null)[] =>
    rows.map(({ attribution }) => attribution[name] ?? null);
  await tx.query({
    name: 'upsert_attributions',
    text: UPSERT_ATTRIBUTIONS,
    values: [
      rows.map((row) => row.lineId),
      rows.map((row) => row.brandId),
      column('state'),
      column('method'),
      column('confidence'),
      column('linkId'),
      column('influencerId'),
      column('clickId'),
      column('clickedAt'),
      column('tag'),
      column('reason'),
      column('candidates').map((candidates) => JSON.stringify(candidates ?? [])),
      rows.map((row) => (row.dispute === undefined ? null : JSON.stringify(row.dispute))),
      rows.map((row) => row.retry),
    ],
  });
}
