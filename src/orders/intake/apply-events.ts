import assert from 'node:assert/strict';
import { noteTokens } from '../../core/links/link-code.ts';
import type { OrderEvent } from '../../core/orders/order-event.ts';
import type { FoldedOrder } from '../../core/orders/order.ts';
import { newId } from '../../http/new-id.ts';
import type { Tx } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import { encodeOrderEvent, fingerprintOf } from './event-record.ts';
import { foldMadeOrders, type OrderAsFolded, type OrderToRecompute } from './fold-orders.ts';
import { foldEvents } from './fold-stored-order.ts';
import {
  insertOrderEvents,
  lockOrdersByKey,
  type NewOrder,
  type NewOrderEvent,
  type OrderKey,
} from './intake-queries.ts';
import { findKnownCodes } from './queries.ts';
import { type OrderFacts, readFactsOfNewOrders } from './order-facts.ts';
import type { LockedOrder } from './recompute-queries.ts';
import { decideLocked, decideOrders, type RecomputeDeps, writeDecision, writeNewOrders } from './recompute.ts';
import { type IncomingMessage, keyOf, type ReadEvent } from './incoming-message.ts';

/** Note → the codes of links in it. */
type NoteCodes = ReadonlyMap<string, readonly string[]>;

/** An event of a message, ready to be stored. */
interface PreparedEvent extends Omit<NewOrderEvent, 'orderId' | 'messageId'> {
  message: IncomingMessage;
  externalOrderId: string;
  orderKey: string;
  /** What `event` is the stored form of. */
  fact: OrderEvent;
}

/** An order that messages speak of, as it is to be made where it does not exist. */
interface PreparedOrder extends NewOrder, LockedOrder {
  key: string;
  /** What all its events come to, where they are of one message and so stand or fall together. */
  whole: { folded: FoldedOrder | undefined } | undefined;
}

/** What messages bring: their events, and the orders these are about. */
export interface PreparedBatch {
  events: readonly PreparedEvent[];
  orders: readonly PreparedOrder[];
}

/** Puts the events of messages into the form in which they are stored, and folds each order from those at hand. */
export function prepareEvents(messages: readonly IncomingMessage[], codes: NoteCodes): PreparedBatch {
  const events = messages.flatMap((message) => eventsOf(message, codes));
  const orders = [...Map.groupBy(events, ({ orderKey }) => orderKey)].map(([key, ofOrder]) => describe(key, ofOrder));
  return { events, orders };
}

function eventsOf(message: IncomingMessage, codes: NoteCodes): PreparedEvent[] {
  const { content, source, store } = message;
  if (content.kind !== 'events') return [];
  return content.events.map((read, position): PreparedEvent => {
    const { type, version, occurredAt, externalOrderId } = read.event;
    const fact = withNoteCodes(read, codes);
    const event = encodeOrderEvent(fact);
    return {
      message,
      externalOrderId,
      orderKey: orderKeyOf({ storeId: store.storeId, externalOrderId }),
      brandId: store.brandId,
      position,
      type,
      version,
      occurredAt,
      fingerprint: fingerprintOf(event),
      makesFacts: source === store.orderSource,
      event,
      fact,
    };
  });
}

function orderKeyOf({ storeId, externalOrderId }: Omit<OrderKey, 'brandId'>): string {
  return `${storeId} ${externalOrderId}`;
}

/**
 * Most orders are new and most messages about them come alone, so such an order is made as its events describe it and needs no second
 * write. Of several messages some may turn out to be repeats, so their order is made bare and folded from what was stored.
 */
function describe(key: string, events: readonly PreparedEvent[]): PreparedOrder {
  const [first] = events;
  assert(first !== undefined, 'a group has a member');
  const { message, externalOrderId } = first;
  const { storeId, brandId, platform, orderSource } = message.store;
  const messages = new Set(events.map((event) => event.message));
  const whole =
    messages.size === 1
      ? {
          folded: foldEvents(
            events.map(({ fingerprint, makesFacts, fact }) => ({ fingerprint, makesFacts, event: fact })),
          ),
        }
      : undefined;
  return {
    key,
    whole,
    id: newId('ord'),
    brandId,
    storeId,
    externalOrderId,
    platform,
    orderSource,
    saidBy: [...messages].map(keyOf),
    status: whole?.folded?.status ?? 'created',
    createdAt: whole?.folded?.createdAt,
    paidAt: whole?.folded?.paidAt,
    receivedAt: whole?.folded?.receivedAt,
    closedAt: whole?.folded?.closedAt,
  };
}

/** Orders that are being made, and what decides what becomes of them. */
export interface NewOrders {
  orders: readonly OrderAsFolded[];
  facts: OrderFacts;
}

/**
 * Most batches are of orders that nobody knew. Their facts are asked for behind the statement that makes them, without waiting for it: so
 * they are read after the orders are ours, and a round trip less is waited for. Should one of the orders turn out to be known, the answers
 * are of no use, because they were read before it was locked.
 *
 * @returns undefined where an order cannot be new as its events say: none of them names its lines, or they are of several messages
 */
export async function readFactsIfNew(
  tx: Tx,
  { orders }: PreparedBatch,
  deps: RecomputeDeps,
): Promise<NewOrders | undefined> {
  const isNew = orders.every(({ whole }) => (whole?.folded?.lines.length ?? 0) > 0);
  if (!isNew || orders.length === 0) return undefined;
  const folded = foldMadeOrders(orders.map(asMade));
  return { orders: folded, facts: await readFactsOfNewOrders(tx, folded, deps) };
}

/** Stores the events of messages that were kept just now and brings the orders they are about to what all their facts say. */
export async function applyEvents(
  tx: Tx,
  deps: RecomputeDeps,
  input: {
    batch: PreparedBatch;
    /** Undefined for a message that was kept before: nothing of it counts. */
    messageIdOf: (message: IncomingMessage) => bigint | undefined;
    /** The ids of the orders that were made. */
    made: ReadonlySet<string>;
    /** Of all orders of the batch, should all of them have been made. */
    ifNew: NewOrders | undefined;
  },
): Promise<void> {
  const { batch, made, ifNew } = input;
  const fresh = batch.events.flatMap((event) => {
    const messageId = input.messageIdOf(event.message);
    return messageId === undefined ? [] : [{ ...event, messageId }];
  });
  if (fresh.length === 0) return;
  if (ifNew !== undefined && fresh.length === batch.events.length && batch.orders.every(({ id }) => made.has(id))) {
    const idOf = new Map(batch.orders.map(({ key, id }) => [key, id]));
    const decision = await decideOrders(tx, ifNew.orders, { facts: ifNew.facts, deps });
    await writeNewOrders(tx, rowsOf(fresh, idOf), decision);
    return;
  }
  const concerned = new Set(fresh.map(({ orderKey }) => orderKey));
  const orders = await claimOrders(
    tx,
    batch.orders.filter(({ key }) => concerned.has(key)),
    made,
  );
  const idOf = new Map([...orders].map(([key, { id }]) => [key, id]));
  const [, decision] = await together(tx, () => [
    insertOrderEvents(tx, rowsOf(fresh, idOf)),
    decideLocked(tx, [...orders.values()], deps),
  ]);
  await writeDecision(tx, decision);
}

function rowsOf(
  events: readonly (PreparedEvent & { messageId: bigint })[],
  idOf: ReadonlyMap<string, string>,
): NewOrderEvent[] {
  return events.map((event) => {
    const orderId = idOf.get(event.orderKey);
    assert(orderId !== undefined, 'every order of the batch was made or locked');
    return { ...event, orderId };
  });
}

function asMade({ key: _key, whole, ...order }: PreparedOrder): OrderToRecompute {
  return whole === undefined ? order : { ...order, made: whole };
}

/** Locks the orders that were not made just now; answers all of them by key. */
async function claimOrders(
  tx: Tx,
  orders: readonly PreparedOrder[],
  made: ReadonlySet<string>,
): Promise<Map<string, OrderToRecompute>> {
  const claimed = new Map(orders.map((order) => [order.key, asMade(order)]));
  const standing = orders.filter(({ id }) => !made.has(id));
  if (standing.length === 0) return claimed;
  const locked = await lockOrdersByKey(tx, standing);
  assert(locked.length === standing.length, 'an order that exists can be locked');
  for (const order of locked) claimed.set(orderKeyOf(order), order);
  return claimed;
}

/** What the buyers wrote, each text once. */
export function notesOf(messages: readonly IncomingMessage[]): Set<string> {
  return new Set(
    messages.flatMap(({ content }) =>
      content.kind === 'events' ? content.events.flatMap((read) => Object.values(read.notes)) : [],
    ),
  );
}

/** Which tokens of the buyers' notes name a link, by note. Everything else of a note is forgotten. */
export async function findNoteCodes(tx: Tx, messages: readonly IncomingMessage[]): Promise<NoteCodes> {
  const notes = notesOf(messages);
  if (notes.size === 0) return new Map();
  const tokensOf = new Map([...notes].map((note) => [note, noteTokens(note)]));
  const known = await findKnownCodes(tx, [...new Set([...tokensOf.values()].flat())]);
  return new Map([...tokensOf].map(([note, tokens]) => [note, tokens.filter((token) => known.has(token))]));
}

/** Of a buyer's note only the codes that are ours stay with the line; the words themselves are personal data. */
function withNoteCodes({ event, notes }: ReadEvent, codes: NoteCodes): OrderEvent {
  if (event.lines === undefined || codes.size === 0) return event;
  const lines = event.lines.map((line) => {
    const noteCodes = codes.get(notes[line.externalLineId] ?? '') ?? [];
    return noteCodes.length === 0 ? line : { ...line, evidence: { ...line.evidence, noteCodes: [...noteCodes] } };
  });
  return { ...event, lines };
}
