/** What the messages of a batch bring, in the form in which it is stored, before anything is read. */
import assert from 'node:assert/strict';
import { noteTokens } from '../../core/links/link-code.ts';
import type { OrderEvent } from '../../core/orders/order-event.ts';
import { newId } from '../../http/new-id.ts';
import { orderKeyOf } from '../locks.ts';
import { encodeOrderEvent, fingerprintOf } from './event-record.ts';
import { type EventAtHand, foldEvents } from './fold-orders.ts';
import { type IncomingMessage, keyOf, type ReadEvent } from './incoming-message.ts';
import type { NewOrder } from './message-queries.ts';
import type { NamingLine } from './named-facts.ts';
import type { NewOrderEvent } from './write-queries.ts';

/** The words of notes that are codes or aliases of links. */
export type NoteCodes = ReadonlySet<string>;

/** An event of a message, ready to be folded and stored. */
export interface PreparedEvent extends EventAtHand {
  message: IncomingMessage;
  orderKey: string;
  row: Omit<NewOrderEvent, 'orderId' | 'messageId'>;
}

export interface PreparedBatch {
  events: readonly PreparedEvent[];
  /** The orders that the events are about, as they are to be made where they do not exist. */
  orders: readonly (NewOrder & { newId: string })[];
  /** The lines that the events bring, as far as their names go. */
  lines: readonly NamingLine[];
}

/** The tokens of buyers' notes that may be codes; the notes themselves are forgotten. */
export function tokensOfNotes(messages: readonly IncomingMessage[]): string[] {
  const notes = messages.flatMap(({ content }) =>
    content.kind === 'events' ? content.events.flatMap((read) => Object.values(read.notes)) : [],
  );
  return [...new Set(notes.flatMap(noteTokens))];
}

/**
 * Puts the events of messages into the form in which they are stored, and folds each order from those at hand.
 *
 * Most orders are new and most messages about them come alone, so such an order is made with the state that its message gives it and needs
 * no second write. Of several messages some may turn out to be repeats or conflicts, whose events do not count, so their order is made
 * without a state and gets it from the fold of what counts.
 */
export function prepareBatch(messages: readonly IncomingMessage[], noteCodes: NoteCodes): PreparedBatch {
  const events = messages.flatMap((message) => eventsOf(message, noteCodes));
  const prepared = [...Map.groupBy(events, ({ orderKey }) => orderKey).values()].map(prepareOrder);
  return { events, orders: prepared.map(({ order }) => order), lines: prepared.flatMap(({ lines }) => lines) };
}

function eventsOf(message: IncomingMessage, noteCodes: NoteCodes): PreparedEvent[] {
  const { content, source, store } = message;
  if (content.kind !== 'events') return [];
  return content.events.map((read, position): PreparedEvent => {
    const { type, version, occurredAt, externalOrderId } = read.event;
    const event = withNoteCodes(read, noteCodes);
    const stored = encodeOrderEvent(event);
    const fingerprint = fingerprintOf(stored);
    const makesFacts = source === store.orderSource;
    const { brandId, storeId } = store;
    return {
      message,
      orderKey: orderKeyOf({ storeId, externalOrderId }),
      event,
      fingerprint,
      makesFacts,
      row: { brandId, position, type, version, occurredAt, fingerprint, makesFacts, event: stored },
    };
  });
}

/** The codes that the buyer wrote become evidence of the line beside whose item they stand. */
function withNoteCodes({ event, notes }: ReadEvent, noteCodes: NoteCodes): OrderEvent {
  if (event.lines === undefined || noteCodes.size === 0) return event;
  const lines = event.lines.map((line) => {
    const codes = noteTokens(notes[line.externalLineId] ?? '').filter((token) => noteCodes.has(token));
    return codes.length === 0 ? line : { ...line, evidence: { ...line.evidence, noteCodes: codes } };
  });
  return { ...event, lines };
}

function prepareOrder(events: readonly PreparedEvent[]): {
  order: PreparedBatch['orders'][number];
  lines: NamingLine[];
} {
  const [first] = events;
  assert(first !== undefined, 'a group has a member');
  const { brandId, storeId } = first.message.store;
  const folded = foldEvents(events);
  const saidBy = [...new Set(events.map(({ message }) => message))].map(keyOf);
  const state = saidBy.length === 1 ? folded : undefined;
  const id = newId('ord');
  return {
    order: {
      id,
      newId: id,
      brandId,
      storeId,
      externalOrderId: first.event.externalOrderId,
      saidBy,
      status: state?.status ?? 'created',
      createdAt: state?.createdAt,
      paidAt: state?.paidAt,
      receivedAt: state?.receivedAt,
      closedAt: state?.closedAt,
    },
    lines: (folded?.lines ?? []).map(({ itemKeys, evidence }) => {
      return { brandId, storeId, itemKeys, evidence, orderCreatedAt: folded?.createdAt ?? first.event.occurredAt };
    }),
  };
}
