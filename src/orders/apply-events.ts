import assert from 'node:assert/strict';
import { noteTokens } from '../core/link-code.ts';
import type { OrderEvent } from '../core/order-event.ts';
import type { FoldedOrder } from '../core/order.ts';
import { newId } from '../http/new-id.ts';
import type { Tx } from '../infra/db.ts';
import { together } from '../infra/together.ts';
import { encodeOrderEvent, fingerprintOf } from './event-record.ts';
import type { OrderToRecompute } from './fold-orders.ts';
import { foldEvents } from './fold-stored-order.ts';
import {
  insertOrderEvents,
  lockOrdersByKey,
  type NewOrder,
  type NewOrderEvent,
  type OrderKey,
} from './intake-queries.ts';
import { findKnownCodes } from './queries.ts';
import type { LockedOrder } from './recompute-queries.ts';
import { recomputeLocked, type RecomputeDeps } from './recompute.ts';
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

function orderKeyOf({ storeId, externalOrderId }: OrderKey): string {
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
  },
): Promise<void> {
  const fresh = input.batch.events.flatMap((event) => {
    const messageId = input.messageIdOf(event.message);
    return messageId === undefined ? [] : [{ ...event, messageId }];
  });
  if (fresh.length === 0) return;
  const concerned = new Set(fresh.map(({ orderKey }) => orderKey));
  const orders = await claimOrders(
    tx,
    input.batch.orders.filter(({ key }) => concerned.has(key)),
    input.made,
  );
  const rows = fresh.map((event): NewOrderEvent => {
    const order = orders.get(event.orderKey);
    assert(order !== undefined, 'every order of the batch was made or locked');
    return { ...event, orderId: order.id };
  });
  await together(tx, () => [insertOrderEvents(tx, rows), recomputeLocked(tx, [...orders.values()], deps)]);
}

/** Locks the orders that were not made just now; answers all of them by key. */
async function claimOrders(
  tx: Tx,
  orders: readonly PreparedOrder[],
  made: ReadonlySet<string>,
): Promise<Map<string, OrderToRecompute>> {
  const claimed = new Map<string, OrderToRecompute>(
    orders.map(({ key, whole, ...order }) => [key, whole === undefined ? order : { ...order, made: whole }]),
  );
  const standing = orders.filter(({ id }) => !made.has(id));
  if (standing.length === 0) return claimed;
  const locked = await lockOrdersByKey(tx, standing);
  assert(locked.length === standing.length, 'an order that exists can be locked');
  for (const order of locked) claimed.set(orderKeyOf(order), order);
  return claimed;
}

/** Which tokens of the buyers' notes name a link, by note. Everything else of a note is forgotten. */
export async function findNoteCodes(tx: Tx, messages: readonly IncomingMessage[]): Promise<NoteCodes> {
  const notes = new Set(
    messages.flatMap(({ content }) =>
      content.kind === 'events' ? content.events.flatMap((read) => Object.values(read.notes)) : [],
    ),
  );
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
