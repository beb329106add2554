import type { Queryable, Tx } from '../infra/db.ts';

/** What the intake needs of a store: whose it is, where its orders come from, and the secrets its messages are signed with (sealed). */
export interface OrderStore {
  storeId: string;
  brandId: string;
  platform: string;
  orderSource: 'youzan' | 'shop' | 'tbk';
  webhookSecretSealed: Buffer;
  youzanClientId: string | null;
  youzanClientSecretSealed: Buffer | null;
}

// A shop number names at most one active store; a closed one still gets its late messages. Served by stores_active_shop_key or a short scan.
const FIND_YOUZAN_STORE = `
select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
  s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
  s.youzan_client_secret_sealed as "youzanClientSecretSealed"
from stores s
where s.platform = 'youzan' and s.external_shop_id = $1 and s.youzan_client_id is not null
order by (s.status = 'active') desc, s.created_at desc, s.id
limit 1`;

/** The Youzan store of a shop number (kdt_id) that has credentials; undefined when there is none. */
export async function findYouzanStore(db: Queryable, shopId: string): Promise<OrderStore | undefined> {
  const { rows } = await db.query<OrderStore>({ name: 'find_youzan_store', text: FIND_YOUZAN_STORE, values: [shopId] });
  return rows[0];
}

// A heartbeat names no shop: any store of the client can prove it. Served by stores_youzan_client_idx.
const FIND_STORE_OF_CLIENT = `
select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
  s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
  s.youzan_client_secret_sealed as "youzanClientSecretSealed"
from stores s
where s.youzan_client_id = $1
order by (s.status = 'active') desc, s.created_at desc, s.id
limit 1`;

/** Some store of a Youzan app (client id); undefined when no store uses it. */
export async function findStoreOfYouzanClient(db: Queryable, clientId: string): Promise<OrderStore | undefined> {
  const { rows } = await db.query<OrderStore>({
    name: 'find_store_of_youzan_client',
    text: FIND_STORE_OF_CLIENT,
    values: [clientId],
  });
  return rows[0];
}

const FIND_ORDER_STORE = `
select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
  s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
  s.youzan_client_secret_sealed as "youzanClientSecretSealed"
from stores s
where s.id = $1`;

/** A store by its id, closed ones included (their last orders may still move); undefined when there is none. */
export async function findOrderStore(db: Queryable, storeId: string): Promise<OrderStore | undefined> {
  const { rows } = await db.query<OrderStore>({ name: 'find_order_store', text: FIND_ORDER_STORE, values: [storeId] });
  return rows[0];
}

export interface NewMessage {
  storeId: string;
  brandId: string;
  source: 'youzan' | 'shop';
  messageKey: string;
  bodySha256: Buffer;
  messageType: string;
  /** `lent`: evidence from a source that makes no money facts, for orders that are known. */
  outcome: 'applied' | 'lent' | 'ignored' | 'quarantined';
  reason: string | null;
}

// The unique key is the referee of "already seen": a concurrent copy waits here until the first has committed, and then inserts nothing.
const INSERT_MESSAGE = `
insert into inbox_messages (store_id, brand_id, source, message_key, body_sha256, message_type, outcome, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict on constraint inbox_messages_key do nothing
returning inbox_messages.id`;

/** Keeps a message once per (store, source, key) for ever; undefined = this key was kept before. */
export async function insertMessage(tx: Tx, message: NewMessage): Promise<bigint | undefined> {
  const { rows } = await tx.query<{ id: bigint }>({
    name: 'insert_message',
    text: INSERT_MESSAGE,
    values: [
      message.storeId,
      message.brandId,
      message.source,
      message.messageKey,
      message.bodySha256,
      message.messageType,
      message.outcome,
      message.reason,
    ],
  });
  return rows[0]?.id;
}

const FIND_MESSAGE = `
select m.id, m.body_sha256 as "bodySha256"
from inbox_messages m
where m.store_id = $1 and m.source = $2 and m.message_key = $3`;

/** The message kept under a key, to compare what came again with what came first. */
export async function findMessage(
  db: Queryable,
  key: { storeId: string; source: string; messageKey: string },
): Promise<{ id: bigint; bodySha256: Buffer } | undefined> {
  const { rows } = await db.query<{ id: bigint; bodySha256: Buffer }>({
    name: 'find_message',
    text: FIND_MESSAGE,
    values: [key.storeId, key.source, key.messageKey],
  });
  return rows[0];
}

const INSERT_RAW_MESSAGE = `
insert into raw_messages (message_id, brand_id, sealed_body) values ($1, $2, $3)`;

/** Keeps the sealed bytes of a message for the 30 days of retention. */
export async function insertRawMessage(
  tx: Tx,
  raw: { messageId: bigint; brandId: string; sealedBody: Buffer },
): Promise<void> {
  await tx.query({
    name: 'insert_raw_message',
    text: INSERT_RAW_MESSAGE,
    values: [raw.messageId, raw.brandId, raw.sealedBody],
  });
}

const INSERT_MESSAGE_CONFLICT = `
insert into message_conflicts (message_id, brand_id, body_sha256) values ($1, $2, $3)
on conflict on constraint message_conflicts_key do nothing`;

/** Records that a key came again with other content. Repeats of the same other content are one row. */
export async function insertMessageConflict(
  tx: Tx,
  conflict: { messageId: bigint; brandId: string; bodySha256: Buffer },
): Promise<void> {
  await tx.query({
    name: 'insert_message_conflict',
    text: INSERT_MESSAGE_CONFLICT,
    values: [conflict.messageId, conflict.brandId, conflict.bodySha256],
  });
}

const COUNT_KNOWN_ORDERS = `
select count(*) as "known"
from orders o
where o.store_id = $1 and o.external_order_id = any ($2::text[]) and o.created_at is not null`;

/** How many of these orders the store's own source has told us of. Served by orders_external_key. */
export async function countKnownOrders(db: Queryable, storeId: string, externalOrderIds: string[]): Promise<number> {
  const { rows } = await db.query<{ known: bigint }>({
    name: 'count_known_orders',
    text: COUNT_KNOWN_ORDERS,
    values: [storeId, externalOrderIds],
  });
  return Number(rows[0]?.known ?? 0n);
}

// FOR UPDATE locks nothing on a row that does not exist, so the rows are made first; then they are locked in the order of their keys,
// the same order for everybody, so two messages about the same orders queue up instead of deadlocking.
const INSERT_ORDERS = `
insert into orders (id, brand_id, store_id, external_order_id)
select input.id, $2, $3, input.external_order_id
from unnest($1::text[], $4::text[]) as input (id, external_order_id)
order by input.external_order_id
on conflict on constraint orders_external_key do nothing`;
const LOCK_ORDERS_BY_KEY = `
select o.id, o.external_order_id as "externalOrderId"
from orders o
where o.store_id = $1 and o.external_order_id = any ($2::text[])
order by o.external_order_id
for update`;

/** Makes sure the orders exist and holds their locks until the transaction ends; answers external order id → order id. */
export async function lockOrders(
  tx: Tx,
  input: { storeId: string; brandId: string; orders: { newId: string; externalOrderId: string }[] },
): Promise<Map<string, string>> {
  const externalIds = input.orders.map((order) => order.externalOrderId);
  await tx.query({
    name: 'insert_orders',
    text: INSERT_ORDERS,
    values: [input.orders.map((order) => order.newId), input.brandId, input.storeId, externalIds],
  });
  const { rows } = await tx.query<{ id: string; externalOrderId: string }>({
    name: 'lock_orders_by_key',
    text: LOCK_ORDERS_BY_KEY,
    values: [input.storeId, externalIds],
  });
  return new Map(rows.map((row) => [row.externalOrderId, row.id]));
}

export interface NewOrderEvent {
  orderId: string;
  position: number;
  type: string;
  version: bigint;
  occurredAt: Date;
  fingerprint: Buffer;
  makesFacts: boolean;
  event: unknown;
}

const INSERT_ORDER_EVENTS = `
insert into order_events (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
select $1, $2, input.order_id, input.position, input.type, input.version, input.occurred_at, input.fingerprint, input.makes_facts, input.event
from unnest($3::text[], $4::integer[], $5::text[], $6::bigint[], $7::timestamptz[], $8::bytea[], $9::boolean[], $10::jsonb[])
  as input (order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)`;

/** Adds the facts of one message. The rows are never changed afterwards (trigger). */
export async function insertOrderEvents(
  tx: Tx,
  input: { brandId: string; messageId: bigint; events: NewOrderEvent[] },
): Promise<void> {
  const { events } = input;
  await tx.query({
    name: 'insert_order_events',
    text: INSERT_ORDER_EVENTS,
    values: [
      input.brandId,
      input.messageId,
      events.map((event) => event.orderId),
      events.map((event) => event.position),
      events.map((event) => event.type),
      events.map((event) => event.version),
      events.map((event) => event.occurredAt),
      events.map((event) => event.fingerprint),
      events.map((event) => event.makesFacts),
      events.map((event) => JSON.stringify(event.event)),
    ],
  });
}

// Which tokens of buyers' notes are codes or aliases of links, of any brand: another brand's code is told as such, never credited.
// Served by link_codes_pkey.
const FIND_KNOWN_CODES = `
select c.code from link_codes c where c.code = any ($1::text[])`;

/** Of the given tokens, those that name a link; everything else of a note is forgotten. */
export async function findKnownCodes(db: Queryable, tokens: string[]): Promise<Set<string>> {
  if (tokens.length === 0) return new Set();
  const { rows } = await db.query<{ code: string }>({
    name: 'find_known_codes',
    text: FIND_KNOWN_CODES,
    values: [tokens],
  });
  return new Set(rows.map((row) => row.code));
}

const DELETE_OLD_RAW_MESSAGES = `
delete from raw_messages r
where r.message_id in (
  select old.message_id from raw_messages old
  where old.received_at < now() - make_interval(days => $1)
  order by old.received_at
  limit $2)`;

/** Retention: deletes up to `limit` sealed bodies older than `days`; answers how many. Served by raw_messages_age_idx. */
export async function deleteOldRawMessages(db: Queryable, input: { days: number; limit: number }): Promise<number> {
  const result = await db.query({
    name: 'delete_old_raw_messages',
    text: DELETE_OLD_RAW_MESSAGES,
    values: [input.days, input.limit],
  });
  return result.rowCount ?? 0;
}
