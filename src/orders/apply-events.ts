import assert from 'node:assert/strict';
import { noteTokens } from '../core/link-code.ts';
import type { OrderEvent } from '../core/order-event.ts';
import { newId } from '../http/new-id.ts';
import type { Tx } from '../infra/db.ts';
import { together } from '../infra/together.ts';
import { encodeOrderEvent, fingerprintOf } from './event-record.ts';
import type { OrderToRecompute } from './fold-orders.ts';
import { foldStoredOrder } from './fold-stored-order.ts';
import {
  insertOrderEvents,
  insertOrders,
  lockOrdersByKey,
  type NewOrder,
  type NewOrderEvent,
  type OrderKey,
} from './intake-queries.ts';
import { findKnownCodes } from './queries.ts';
import { recomputeLocked, type RecomputeDeps } from './recompute.ts';
import type { IncomingMessage, ReadEvent } from './record-message.ts';

/** A message that was kept just now. */
export interface FreshMessage {
  message: IncomingMessage;
  messageId: bigint;
}

/** Note → the codes of links in it. */
type NoteCodes = ReadonlyMap<string, readonly string[]>;

type PreparedEvent = Omit<NewOrderEvent, 'orderId'> & {
  key: string;
  store: IncomingMessage['store'];
  externalOrderId: string;
};

/** Stores the events of new messages and brings the orders they are about to what all their facts say. */
export async function applyEvents(
  tx: Tx,
  deps: RecomputeDeps,
  { fresh, codes }: { fresh: readonly FreshMessage[]; codes: NoteCodes },
): Promise<void> {
  const events = fresh.flatMap((each) => prepareEvents(each, codes));
  if (events.length === 0) return;
  const orders = await claimOrders(
    tx,
    Map.groupBy(events, ({ key }) => key),
  );
  const rows = events.map((event): NewOrderEvent => {
    const order = orders.get(event.key);
    assert(order !== undefined, 'every order of the batch was made or locked');
    return { ...event, orderId: order.id };
  });
  await together(tx, () => [insertOrderEvents(tx, rows), recomputeLocked(tx, [...orders.values()], deps)]);
}

function orderKeyOf({ storeId, externalOrderId }: OrderKey): string {
  return `${storeId} ${externalOrderId}`;
}

/** The events of a message as they will be stored. */
function prepareEvents({ message, messageId }: FreshMessage, codes: NoteCodes): PreparedEvent[] {
  const { content, source, store } = message;
  if (content.kind !== 'events') return [];
  return content.events.map((read, position): PreparedEvent => {
    const { type, version, occurredAt, externalOrderId } = read.event;
    const event = encodeOrderEvent(withNoteCodes(read, codes));
    return {
      key: orderKeyOf({ storeId: store.storeId, externalOrderId }),
      store,
      externalOrderId,
      brandId: store.brandId,
      messageId,
      position,
      type,
      version,
      occurredAt,
      fingerprint: fingerprintOf(event),
      makesFacts: source === store.orderSource,
      event,
    };
  });
}

/**
 * Makes sure that the orders exist and are this transaction's alone until it ends; by key.
 *
 * Most orders are new, so each is inserted as its events at hand describe it, and needs no second write. Those that exist are locked.
 */
async function claimOrders(
  tx: Tx,
  eventsOf: ReadonlyMap<string, readonly PreparedEvent[]>,
): Promise<Map<string, OrderToRecompute>> {
  const claimed = new Map([...eventsOf].map(([key, events]) => [key, describeNew(events)]));
  const candidates = [...claimed.values()];
  const made = new Set(await insertOrders(tx, candidates));
  const standing = candidates.filter(({ id }) => !made.has(id));
  if (standing.length === 0) return claimed;
  const locked = await lockOrdersByKey(tx, standing);
  assert(locked.length === standing.length, 'an order that exists can be locked');
  const orders = new Map<string, OrderToRecompute>(claimed);
  for (const order of locked) orders.set(orderKeyOf(order), order);
  return orders;
}

function describeNew(events: readonly PreparedEvent[]): NewOrder & OrderToRecompute & { made: object } {
  const [first] = events;
  assert(first !== undefined, 'a group has a member');
  const { externalOrderId } = first;
  const { storeId, brandId, platform, orderSource } = first.store;
  const folded = foldStoredOrder(events);
  return {
    id: newId('ord'),
    brandId,
    storeId,
    externalOrderId,
    platform,
    orderSource,
    made: { folded },
    status: folded?.status ?? 'created',
    createdAt: folded?.createdAt,
    paidAt: folded?.paidAt,
    receivedAt: folded?.receivedAt,
    closedAt: folded?.closedAt,
  };
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
