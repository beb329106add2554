/**
 * How an order flows, once its message is verified: record → lock and look up → fold → decide → price → book → write, in one transaction.
 * The same steps for new and for known orders, for one message and for many.
 */
import assert from 'node:assert/strict';
import { type Db, inPipelinedTransaction, type Tx } from '../../infra/db.ts';
import { seal, type SealingKey } from '../../infra/secrets.ts';
import { pipelined } from '../../infra/pipelined.ts';
import { lockOrdersByKey, orderKeyOf } from '../locks.ts';
import { decideOrders, type DecisionDeps, writeOrders } from './decide-orders.ts';
import { foldOrders } from './fold-orders.ts';
import { externalIdsOf, type IncomingMessage, isEvidenceOnly, keyOf, type RecordOutcome } from './incoming-message.ts';
import {
  insertMessageConflicts,
  insertMessages,
  listKnownCodes,
  listKnownOrders,
  listMessages,
  messageKeyOf,
  type NewMessage,
  setBatchMode,
} from './message-queries.ts';
import { lookUpNames } from './named-facts.ts';
import { type NoteCodes, type PreparedEvent, prepareBatch, tokensOfNotes } from './prepare-batch.ts';
import { listStoredEvents, listStoredLines } from './state-queries.ts';
import { listChangedStores, type OrderStore } from './store-queries.ts';

/** A remembered store is not any more what a message was verified by. Nothing was kept. */
export class StoreChangedError extends Error {
  override readonly name = 'StoreChangedError';

  constructor() {
    super('a store has changed since it was remembered');
  }
}

export interface RecordDeps extends DecisionDeps {
  db: Db;
  sealingKeys: readonly SealingKey[];
}

/** As `recordMessages` for one message. */
export async function recordMessage(deps: RecordDeps, message: IncomingMessage): Promise<RecordOutcome> {
  const [outcome] = await recordMessages(deps, [message]);
  assert(outcome !== undefined, 'every message has an outcome');
  return outcome;
}

/**
 * Keeps verified messages together with everything they change (inbox, events, orders, attributions, ledger), in one transaction, with the
 * outcome that each would have had alone, one after the other.
 *
 * Resolves only after COMMIT, so a caller may acknowledge. A repeat changes nothing. All or none: any error means that nothing was kept of
 * any of them. Locks are always taken in the same order (message keys, then orders, each in the order of its key), so concurrent batches
 * wait for each other and never deadlock.
 *
 * New orders take three round trips: record and look up, write, COMMIT. A known order takes one more for what its stored facts name, unless
 * the message names the same.
 *
 * @param messages  as `createBatch` lets them come together: no two with one key
 * @param options.lockTimeoutMs  gives up (SQLSTATE 55P03) where another transaction holds an order or a key longer
 * @returns the outcomes in the order given
 * @throws StoreChangedError where a store that was remembered has changed
 */
export async function recordMessages(
  deps: RecordDeps,
  messages: readonly IncomingMessage[],
  options: { lockTimeoutMs?: number } = {},
): Promise<RecordOutcome[]> {
  const sealedBodies = messages.map(({ rawBody }) => seal(deps.sealingKeys, rawBody));
  return inPipelinedTransaction(deps.db, async (tx, begin) => {
    const { outcomes, noteCodes, hasBegun } = await decideOutcomes(tx, begin, messages);
    const batch = prepareBatch(messages, noteCodes);

    // Record; lock; and behind the locks, so that it holds until COMMIT, read what decides.
    const { changed, kept, locked, events, lines, answers } = await pipelined(tx, () => ({
      begun: hasBegun ? undefined : begin(),
      mode: setBatchMode(tx, options.lockTimeoutMs),
      changed: listChangedStores(tx, rememberedStores(messages)),
      kept: insertMessages(tx, rowsOf(messages, outcomes, sealedBodies), batch.orders),
      locked: lockOrdersByKey(tx, batch.orders),
      events: listStoredEvents(tx, batch.orders),
      lines: listStoredLines(tx, batch.orders),
      answers: lookUpNames(tx, batch.lines, deps),
    }));
    if (changed.size > 0) throw new StoreChangedError();
    const repeats = await compareWithFirst(tx, messages, kept);

    // Only what was kept just now counts: events of a repeat are stored already, or are refused.
    const fresh = batch.events.filter(({ message }) => !repeats.has(message));
    const atHand = Map.groupBy(fresh, ({ orderKey }) => orderKey);
    const concerned = locked.filter((order) => atHand.has(orderKeyOf(order)));
    const orders = foldOrders({ locked: concerned, events, lines, atHand });
    const decision = await decideOrders(tx, orders, deps, { atHand: batch.lines, answers });
    await writeOrders(tx, eventRowsOf(fresh, kept, concerned), decision);
    return messages.map((message, place) => repeats.get(message) ?? outcomes[place]?.outcome ?? 'ignored');
  });
}

type KeptMessages = ReadonlyMap<string, bigint>;

interface Outcome {
  outcome: NewMessage['outcome'];
  reason: string | null;
}

/**
 * What becomes of each message, should it be new, and which words of buyers' notes are codes of links.
 *
 * Only the store's own order source makes money facts. What another source says is kept as evidence: `supplementary` for orders that are
 * known, else quarantined where an operator finds it (and used all the same, should its order become known). Most batches have no such message
 * and no note, so there is nothing to read and the transaction need not have begun.
 */
async function decideOutcomes(
  tx: Tx,
  begin: () => Promise<void>,
  messages: readonly IncomingMessage[],
): Promise<{ outcomes: Outcome[]; noteCodes: NoteCodes; hasBegun: boolean }> {
  const named = messages.filter(isEvidenceOnly).flatMap(orderKeysOf);
  const tokens = tokensOfNotes(messages);
  const hasBegun = named.length + tokens.length > 0;
  const { orders, codes } = await pipelined(tx, () => ({
    begun: hasBegun ? begin() : undefined,
    orders: listKnownOrders(tx, named),
    codes: listKnownCodes(tx, tokens),
  }));
  const known = new Set(orders.map(orderKeyOf));
  const outcomes = messages.map((message): Outcome => {
    const { content } = message;
    if (content.kind !== 'events') return { outcome: content.kind, reason: content.reason };
    if (!isEvidenceOnly(message)) return { outcome: 'applied', reason: null };
    return orderKeysOf(message).every((key) => known.has(orderKeyOf(key)))
      ? { outcome: 'supplementary', reason: null }
      : { outcome: 'quarantined', reason: 'not_the_order_source' };
  });
  return { outcomes, noteCodes: codes, hasBegun };
}

function orderKeysOf(message: IncomingMessage): { brandId: string; storeId: string; externalOrderId: string }[] {
  const { brandId, storeId } = message.store;
  return externalIdsOf(message).map((externalOrderId) => ({ brandId, storeId, externalOrderId }));
}

/** As the messages were verified by them: of one store there may be two versions among them, of which one has changed. */
function rememberedStores(messages: readonly IncomingMessage[]): OrderStore[] {
  return [...new Set(messages.flatMap(({ store, isStoreRemembered }) => (isStoreRemembered === true ? [store] : [])))];
}

function rowsOf(
  messages: readonly IncomingMessage[],
  outcomes: readonly Outcome[],
  sealedBodies: readonly Buffer[],
): NewMessage[] {
  return messages.map((message, place) => {
    const { bodySha256, messageType } = message;
    const { outcome = 'ignored', reason = null } = outcomes[place] ?? {};
    const sealedBody = sealedBodies[place] ?? Buffer.alloc(0);
    return { ...keyOf(message), bodySha256, messageType, sealedBody, outcome, reason };
  });
}

/** The messages whose key was kept before, and whether they say the same as the first. */
async function compareWithFirst(
  tx: Tx,
  messages: readonly IncomingMessage[],
  kept: KeptMessages,
): Promise<Map<IncomingMessage, 'repeated' | 'conflict'>> {
  const again = messages.filter((message) => !kept.has(messageKeyOf(keyOf(message))));
  if (again.length === 0) return new Map();
  const stored = await listMessages(tx, again.map(keyOf));
  const firsts = new Map(stored.map((row) => [messageKeyOf(row), row]));
  const compared = again.map((message) => {
    const first = firsts.get(messageKeyOf(keyOf(message)));
    const isSame = first === undefined || first.bodySha256.equals(message.bodySha256);
    return { message, first, outcome: isSame ? ('repeated' as const) : ('conflict' as const) };
  });
  // A shop's repeated id is refused by the caller and must leave no trace; a platform's cannot be refused, so it is recorded.
  const conflicts = compared.flatMap(({ message: { source, store, bodySha256 }, first, outcome }) =>
    outcome === 'conflict' && source === 'youzan' && first !== undefined
      ? [{ messageId: first.id, brandId: store.brandId, bodySha256 }]
      : [],
  );
  if (conflicts.length > 0) await insertMessageConflicts(tx, conflicts);
  return new Map(compared.map(({ message, outcome }) => [message, outcome]));
}

function eventRowsOf(
  events: readonly PreparedEvent[],
  kept: KeptMessages,
  orders: readonly { id: string; storeId: string; externalOrderId: string }[],
) {
  const idOf = new Map(orders.map((order) => [orderKeyOf(order), order.id]));
  return events.map((event) => {
    const orderId = idOf.get(event.orderKey);
    const messageId = kept.get(messageKeyOf(keyOf(event.message)));
    assert(orderId !== undefined && messageId !== undefined, 'a kept message has made its orders');
    return { ...event.row, orderId, messageId };
  });
}
