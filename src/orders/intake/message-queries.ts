/** The inbox: messages, their bytes, and the orders that they are the first to name. One statement for any number of them. */
import type { FoldedOrder } from '../../core/orders/order.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable, Tx } from '../../infra/db.ts';
import type { OrderKey } from '../locks.ts';

export type MessageSource = 'youzan' | 'shop';

/** What makes a message unique for ever. */
export interface MessageKey {
  brandId: string;
  storeId: string;
  source: MessageSource;
  messageKey: string;
}

export interface NewMessage extends MessageKey {
  bodySha256: Buffer;
  messageType: string;
  /** `supplementary`: evidence from a source that makes no money facts, for orders that are known. */
  outcome: 'applied' | 'supplementary' | 'ignored' | 'quarantined';
  reason: string | null;
  /** The bytes as they came, sealed, for the 30 days of retention. */
  sealedBody: Buffer;
}

export interface NewOrder extends OrderKey {
  id: string;
  /** What its first events say of it; 'created' and nothing else while none makes facts. */
  status: FoldedOrder['status'];
  createdAt: Date | undefined;
  paidAt: Date | undefined;
  receivedAt: Date | undefined;
  closedAt: Date | undefined;
  /** The messages of the batch that name it. */
  saidBy: readonly MessageKey[];
}

// The unique key is the referee of "already seen": a concurrent copy waits here until the first has committed, and then inserts nothing.
// Then the orders that do not exist and that a message kept just now names: FOR UPDATE locks nothing on a row that does not exist, so they
// are made before any is locked. Messages and orders are inserted in the order of their keys, and every message before the first order (the
// count needs all of them), so batches that have several in common wait for each other and never deadlock.
// Sent behind BEGIN without waiting for its answer: should BEGIN be refused, set_batch_mode has no effect and no message is inserted.
const INSERT_MESSAGES = `
with message as materialized (
  select i.store_id, i.brand_id, i.source, i.message_key, i.body_sha256, i.message_type, i.outcome, i.reason, i.sealed_body
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::bytea[])
    as i (store_id, brand_id, source, message_key, body_sha256, message_type, outcome, reason, sealed_body)
  where current_setting('daihuo.in_batch', true) = 'on'
), kept as (
  insert into inbox_messages (store_id, brand_id, source, message_key, body_sha256, message_type, outcome, reason)
  select i.store_id, i.brand_id, i.source, i.message_key, i.body_sha256, i.message_type, i.outcome, i.reason
  from message i
  order by i.store_id, i.source, i.message_key
  on conflict on constraint inbox_messages_key do nothing
  returning inbox_messages.id, inbox_messages.store_id, inbox_messages.brand_id, inbox_messages.source, inbox_messages.message_key
), raw as (
  insert into raw_messages (message_id, brand_id, sealed_body)
  select k.id, k.brand_id, i.sealed_body
  from kept k
  join message i on i.store_id = k.store_id and i.source = k.source and i.message_key = k.message_key
), made as (
  insert into orders (id, brand_id, store_id, external_order_id, status, created_at, paid_at, received_at, closed_at)
  select o.id, o.brand_id, o.store_id, o.external_order_id, o.status, o.created_at, o.paid_at, o.received_at, o.closed_at
  from unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
      $17::timestamptz[], $18::timestamptz[])
    as o (id, brand_id, store_id, external_order_id, status, created_at, paid_at, received_at, closed_at)
  where (select count(*) from kept) > 0
    and o.id in (
      select said.order_id
      from unnest($19::text[], $20::text[], $21::text[], $22::text[]) as said (order_id, store_id, source, message_key)
      join kept k on k.store_id = said.store_id and k.source = said.source and k.message_key = said.message_key)
  order by o.store_id, o.external_order_id
  on conflict on constraint orders_external_key do nothing
)
select k.id as "messageId", k.store_id as "storeId", k.source, k.message_key as "messageKey" from kept k`;

/** One text for a key, as maps need it. */
export function messageKeyOf({ storeId, source, messageKey }: Omit<MessageKey, 'brandId'>): string {
  return `${storeId} ${source} ${messageKey}`;
}

/**
 * Keeps messages with their bytes, each once per (store, source, key) for ever, and makes the orders that only they name, as described.
 * Only after `setBatchMode` in the same transaction.
 *
 * @returns the ids of the messages that were not kept before, by `messageKeyOf`
 */
export async function insertMessages(
  tx: Tx,
  messages: readonly NewMessage[],
  orders: readonly NewOrder[],
): Promise<Map<string, bigint>> {
  const said = orders.flatMap(({ id, saidBy }) => saidBy.map((key) => ({ id, ...key })));
  const { rows } = await tx.query<Omit<MessageKey, 'brandId'> & { messageId: bigint }>({
    name: 'insert_messages',
    text: INSERT_MESSAGES,
    values: arrayLiterals([
      messages.map((message) => message.storeId),
      messages.map((message) => message.brandId),
      messages.map((message) => message.source),
      messages.map((message) => message.messageKey),
      messages.map((message) => message.bodySha256),
      messages.map((message) => message.messageType),
      messages.map((message) => message.outcome),
      messages.map((message) => message.reason),
      messages.map((message) => message.sealedBody),
      orders.map((order) => order.id),
      orders.map((order) => order.brandId),
      orders.map((order) => order.storeId),
      orders.map((order) => order.externalOrderId),
      orders.map((order) => order.status),
      orders.map((order) => order.createdAt ?? null),
      orders.map((order) => order.paidAt ?? null),
      orders.map((order) => order.receivedAt ?? null),
      orders.map((order) => order.closedAt ?? null),
      said.map(({ id }) => id),
      said.map(({ storeId }) => storeId),
      said.map(({ source }) => source),
      said.map(({ messageKey }) => messageKey),
    ]),
  });
  return new Map(rows.map((row) => [messageKeyOf(row), row.messageId]));
}

// Served by inbox_messages_key.
const LIST_MESSAGES = `
select m.id, m.brand_id as "brandId", m.store_id as "storeId", m.source, m.message_key as "messageKey", m.body_sha256 as "bodySha256"
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as input (brand_id, store_id, source, message_key)
join inbox_messages m on m.brand_id = input.brand_id and m.store_id = input.store_id and m.source = input.source
  and m.message_key = input.message_key`;

export interface StoredMessage extends MessageKey {
  id: bigint;
  bodySha256: Buffer;
}

/** The messages kept under these keys, to compare what came again with what came first. */
export async function listMessages(db: Queryable, keys: readonly MessageKey[]): Promise<StoredMessage[]> {
  const { rows } = await db.query<StoredMessage>({
    name: 'list_messages',
    text: LIST_MESSAGES,
    values: arrayLiterals([
      keys.map((key) => key.brandId),
      keys.map((key) => key.storeId),
      keys.map((key) => key.source),
      keys.map((key) => key.messageKey),
    ]),
  });
  return rows;
}

const INSERT_MESSAGE_CONFLICTS = `
insert into message_conflicts (message_id, brand_id, body_sha256)
select input.message_id, input.brand_id, input.body_sha256
from unnest($1::bigint[], $2::text[], $3::bytea[]) as input (message_id, brand_id, body_sha256)
order by input.message_id, input.body_sha256
on conflict on constraint message_conflicts_key do nothing`;

/** Records that keys came again with other content. Repeats of the same other content are one row. */
export async function insertMessageConflicts(
  tx: Tx,
  conflicts: readonly { messageId: bigint; brandId: string; bodySha256: Buffer }[],
): Promise<void> {
  await tx.query({
    name: 'insert_message_conflicts',
    text: INSERT_MESSAGE_CONFLICTS,
    values: arrayLiterals([
      conflicts.map((conflict) => conflict.messageId),
      conflicts.map((conflict) => conflict.brandId),
      conflicts.map((conflict) => conflict.bodySha256),
    ]),
  });
}

// Served by orders_external_key.
const LIST_KNOWN_ORDERS = `
select o.brand_id as "brandId", o.store_id as "storeId", o.external_order_id as "externalOrderId"
from unnest($1::text[], $2::text[], $3::text[]) as input (brand_id, store_id, external_order_id)
join orders o on o.brand_id = input.brand_id and o.store_id = input.store_id and o.external_order_id = input.external_order_id
where o.created_at is not null`;

/** Those of the orders that the store's own source has reported. */
export async function listKnownOrders(db: Queryable, keys: readonly OrderKey[]): Promise<OrderKey[]> {
  if (keys.length === 0) return [];
  const { rows } = await db.query<OrderKey>({
    name: 'list_known_orders',
    text: LIST_KNOWN_ORDERS,
    values: arrayLiterals([
      keys.map((key) => key.brandId),
      keys.map((key) => key.storeId),
      keys.map((key) => key.externalOrderId),
    ]),
  });
  return rows;
}

// Postgres would plan most statements of a batch anew each time, because a plan made for the very arrays looks cheaper than one for any
// arrays; planning cost ten times what a batch of eight takes to run. All settings end with the transaction, and outside of one at once.
const SET_BATCH_MODE = `
select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('daihuo.in_batch', 'on', true),
  set_config('lock_timeout', coalesce($1, current_setting('lock_timeout')), true)`;

/**
 * Tells Postgres that the transaction is a batch: plans are used again, and `insertMessages` inserts.
 *
 * @param lockTimeoutMs  longest that a later statement waits for a lock; undefined: as the connection has it
 */
export async function setBatchMode(tx: Tx, lockTimeoutMs: number | undefined): Promise<void> {
  const timeout = lockTimeoutMs === undefined ? null : `${lockTimeoutMs}ms`;
  await tx.query({ name: 'set_batch_mode', text: SET_BATCH_MODE, values: [timeout] });
}

// Which tokens of buyers' notes are codes or aliases of links, of any brand: another brand's code is told as such, never credited.
// Served by link_codes_pkey.
const LIST_KNOWN_CODES = `
select c.code from link_codes c where c.code = any ($1::text[])`;

/** Of the given tokens, those that name a link; everything else of a note is forgotten. */
export async function listKnownCodes(db: Queryable, tokens: readonly string[]): Promise<Set<string>> {
  if (tokens.length === 0) return new Set();
  const { rows } = await db.query<{ code: string }>({
    name: 'list_known_codes',
    text: LIST_KNOWN_CODES,
    values: [tokens],
  });
  return new Set(rows.map((row) => row.code));
}

const DELETE_OLD_RAW_MESSAGES = `
delete from raw_messages r
where (r.brand_id, r.message_id) in (
  select old.brand_id, old.message_id from raw_messages old
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
