import { noteTokens } from '../core/link-code.ts';
import type { OrderEvent } from '../core/order-event.ts';
import { newId } from '../http/new-id.ts';
import { type Db, inTransaction, type Tx } from '../infra/db.ts';
import { seal, type SealingKey } from '../infra/secrets.ts';
import { encodeOrderEvent, fingerprintOf } from './event-record.ts';
import {
  countKnownOrders,
  findKnownCodes,
  findMessage,
  insertMessage,
  insertMessageConflict,
  insertOrderEvents,
  insertRawMessage,
  lockOrders,
  type NewOrderEvent,
  type OrderStore,
} from './queries.ts';
import { recomputeOrders, type RecomputeDeps } from './recompute.ts';

/** One event of a message, with what the buyers wrote beside it: read for codes, then forgotten. Keyed by external line id. */
export interface ReadEvent {
  event: OrderEvent;
  notes: Readonly<Record<string, string>>;
}

export interface IncomingMessage {
  store: OrderStore;
  source: 'youzan' | 'shop';
  /** Unique per (store, source) for ever. */
  messageKey: string;
  /** SHA-256 of what makes two deliveries the same message (Youzan: without `sendCount`). */
  bodySha256: Buffer;
  messageType: string;
  rawBody: Buffer;
  content:
    | { kind: 'events'; events: ReadEvent[] }
    | { kind: 'ignored'; reason: string }
    | { kind: 'quarantined'; reason: string };
}

/** `conflict`: the key was used before for other content; nothing but the fact of the conflict was kept. */
export type RecordOutcome = 'applied' | 'lent' | 'ignored' | 'quarantined' | 'repeated' | 'conflict';

export interface RecordDeps extends RecomputeDeps {
  db: Db;
  sealingKeys: readonly SealingKey[];
}

/**
 * Keeps a verified message together with everything it changes, in one transaction: inbox, events, order, attribution, journal.
 *
 * Resolves only after COMMIT, so a caller may acknowledge. A repeat changes nothing. Any error means that nothing was kept.
 * Locks are always taken in the same order (message key, then orders by external id), so concurrent deliveries queue, never deadlock.
 */
export async function recordMessage(deps: RecordDeps, message: IncomingMessage): Promise<RecordOutcome> {
  return inTransaction(deps.db, async (tx) => {
    const { store } = message;
    const outcome = await outcomeOf(tx, message);
    const messageId = await insertMessage(tx, {
      storeId: store.storeId,
      brandId: store.brandId,
      source: message.source,
      messageKey: message.messageKey,
      bodySha256: message.bodySha256,
      messageType: message.messageType,
      outcome: outcome.outcome,
      reason: outcome.reason,
    });
    if (messageId === undefined) return compareWithFirst(tx, message);

    await insertRawMessage(tx, {
      messageId,
      brandId: store.brandId,
      sealedBody: seal(deps.sealingKeys, message.rawBody),
    });
    if (message.content.kind === 'events') await applyEvents(tx, deps, message, messageId, message.content.events);
    return outcome.outcome;
  });
}

/**
 * Only the store's own order source makes money facts. What another source says is kept as evidence: `lent` to orders that are known, else
 * quarantined where an operator finds it (and lent all the same, should its order become known).
 */
async function outcomeOf(
  tx: Tx,
  { content, source, store }: IncomingMessage,
): Promise<{ outcome: 'applied' | 'lent' | 'ignored' | 'quarantined'; reason: string | null }> {
  if (content.kind !== 'events') return { outcome: content.kind, reason: content.reason };
  if (source === store.orderSource) return { outcome: 'applied', reason: null };
  const externalIds = externalIdsOf(content.events);
  const isKnown = (await countKnownOrders(tx, store.storeId, externalIds)) === externalIds.length;
  return isKnown ? { outcome: 'lent', reason: null } : { outcome: 'quarantined', reason: 'not_the_order_source' };
}

function externalIdsOf(events: readonly ReadEvent[]): string[] {
  return [...new Set(events.map(({ event }) => event.externalOrderId))].toSorted();
}

async function compareWithFirst(tx: Tx, message: IncomingMessage): Promise<'repeated' | 'conflict'> {
  const first = await findMessage(tx, {
    storeId: message.store.storeId,
    source: message.source,
    messageKey: message.messageKey,
  });
  if (first === undefined || first.bodySha256.equals(message.bodySha256)) return 'repeated';
  // A shop's repeated id is refused by the caller and must leave no trace; a platform's cannot be refused, so it is recorded.
  if (message.source === 'youzan') {
    await insertMessageConflict(tx, {
      messageId: first.id,
      brandId: message.store.brandId,
      bodySha256: message.bodySha256,
    });
  }
  return 'conflict';
}

async function applyEvents(
  tx: Tx,
  deps: RecordDeps,
  message: IncomingMessage,
  messageId: bigint,
  events: ReadEvent[],
): Promise<void> {
  const { store } = message;
  const externalIds = externalIdsOf(events);
  const orderIds = await lockOrders(tx, {
    storeId: store.storeId,
    brandId: store.brandId,
    orders: externalIds.map((externalOrderId) => ({ newId: newId('ord'), externalOrderId })),
  });
  const tokensByNote = new Map(
    events.flatMap(({ notes }) => Object.values(notes)).map((note) => [note, noteTokens(note)]),
  );
  const knownCodes = await findKnownCodes(tx, [...new Set([...tokensByNote.values()].flat())]);
  const rows = events.map((read, position): NewOrderEvent => {
    const event = encodeOrderEvent(withNoteCodes(read, tokensByNote, knownCodes));
    return {
      orderId: orderIds.get(read.event.externalOrderId) ?? missingOrder(read.event.externalOrderId),
      position,
      type: read.event.type,
      version: read.event.version,
      occurredAt: read.event.occurredAt,
      fingerprint: fingerprintOf(event),
      makesFacts: message.source === store.orderSource,
      event,
    };
  });
  await insertOrderEvents(tx, { brandId: store.brandId, messageId, events: rows });
  await recomputeOrders(tx, [...orderIds.values()], deps);
}

/** Of a buyer's note only the codes that are ours stay with the line; the words themselves are personal data. */
function withNoteCodes(
  { event, notes }: ReadEvent,
  tokensByNote: ReadonlyMap<string, readonly string[]>,
  knownCodes: ReadonlySet<string>,
): OrderEvent {
  if (event.lines === undefined) return event;
  const lines = event.lines.map((line) => {
    const note = notes[line.externalLineId];
    const noteCodes = note === undefined ? [] : (tokensByNote.get(note) ?? []).filter((token) => knownCodes.has(token));
    return noteCodes.length === 0 ? line : { ...line, evidence: { ...line.evidence, noteCodes } };
  });
  return { ...event, lines };
}

function missingOrder(externalOrderId: string): never {
  throw new Error(`order ${externalOrderId} was inserted and locked, yet is not there`);
}
