import assert from 'node:assert/strict';
import { type Db, inPipelinedTransaction, type Tx } from '../../infra/db.ts';
import { seal, type SealingKey } from '../../infra/secrets.ts';
import { together } from '../../infra/together.ts';
import { applyEvents, findNoteCodes, notesOf, prepareEvents, readFactsIfNew } from './apply-events.ts';
import { externalIdsOf, type IncomingMessage, isEvidenceOnly, keyOf } from './incoming-message.ts';
import {
  insertMessageConflicts,
  insertMessages,
  listKnownOrders,
  listMessages,
  type MessageKey,
  type NewMessage,
  setBatchMode,
} from './intake-queries.ts';
import { listChangedStores, type OrderStore } from './queries.ts';
import type { RecomputeDeps } from './recompute.ts';

export type { IncomingMessage, ReadEvent } from './incoming-message.ts';

/** `conflict`: the key was used before for other content; nothing but the fact of the conflict was kept. */
export type RecordOutcome = 'applied' | 'supplementary' | 'ignored' | 'quarantined' | 'repeated' | 'conflict';

/** A store that was remembered is not any more what a message was verified by. Nothing was kept. */
export class StoreChangedError extends Error {
  override readonly name = 'StoreChangedError';

  constructor() {
    super('a store has changed since it was remembered');
  }
}

export interface RecordDeps extends RecomputeDeps {
  db: Db;
  sealingKeys: readonly SealingKey[];
}

/**
 * Keeps a verified message together with everything it changes, in one transaction: inbox, events, order, attribution, journal.
 *
 * Resolves only after COMMIT, so a caller may acknowledge. A repeat changes nothing. Any error means that nothing was kept.
 */
export async function recordMessage(deps: RecordDeps, message: IncomingMessage): Promise<RecordOutcome> {
  const [outcome] = await recordMessages(deps, [message]);
  assert(outcome !== undefined, 'every message has an outcome');
  return outcome;
}

/**
 * Keeps several verified messages in one transaction, with the outcome that each would have had alone, one after the other.
 *
 * All or none: any error means that nothing was kept of any of them. Locks are always taken in the same order (message keys, then orders,
 * each in the order of its key), so concurrent batches queue, never deadlock.
 *
 * @param messages  as `createBatch` lets them come together: no two with one key
 * @param options.lockTimeoutMs  gives up (SQLSTATE 55P03) where another transaction holds an order or a key longer
 * @returns the outcomes in the order given, after COMMIT
 * @throws StoreChangedError where a store that was remembered has changed
 */
export async function recordMessages(
  deps: RecordDeps,
  messages: readonly IncomingMessage[],
  options: { lockTimeoutMs?: number } = {},
): Promise<RecordOutcome[]> {
  const sealed = messages.map(({ rawBody }) => seal(deps.sealingKeys, rawBody));
  // Most batches have nothing to ask before they write.
  const asksFirst = messages.some(isEvidenceOnly) || notesOf(messages).size > 0;
  return inPipelinedTransaction(deps.db, async (tx, begin) => {
    const [, decided, codes] = await together(tx, () => [
      asksFirst ? begin() : undefined,
      decideOutcomes(tx, messages),
      findNoteCodes(tx, messages),
    ]);
    const batch = prepareEvents(messages, codes);
    const rows = decided.map(({ message, ...outcome }, place): NewMessage => {
      const { store, source, messageKey, bodySha256, messageType } = message;
      const { storeId, brandId } = store;
      const sealedBody = sealed[place] ?? Buffer.alloc(0);
      return { storeId, brandId, source, messageKey, bodySha256, messageType, sealedBody, ...outcome };
    });
    const [, , changed, { kept, made }, ifNew] = await together(tx, () => [
      asksFirst ? undefined : begin(),
      setBatchMode(tx, options.lockTimeoutMs),
      listChangedStores(tx, rememberedStores(messages)),
      insertMessages(tx, rows, batch.orders),
      readFactsIfNew(tx, batch, deps),
    ]);
    if (changed.size > 0) throw new StoreChangedError();
    const idOf = new Map(kept.map((row) => [messageKeyOf(row), row.messageId]));
    const again = await compareWithFirst(tx, messages, idOf);
    const messageIdOf = (message: IncomingMessage): bigint | undefined => idOf.get(messageKeyOf(keyOf(message)));
    await applyEvents(tx, deps, { batch, messageIdOf, made, ifNew });
    return decided.map(({ message, outcome }) => again.get(message) ?? outcome);
  });
}

/** As the messages were verified by them: of one store there may be two versions among them, and one of these has changed. */
function rememberedStores(messages: readonly IncomingMessage[]): OrderStore[] {
  return [...new Set(messages.flatMap(({ store, isStoreRemembered }) => (isStoreRemembered === true ? [store] : [])))];
}

function messageKeyOf({ storeId, source, messageKey }: Omit<MessageKey, 'brandId'>): string {
  return `${storeId} ${source} ${messageKey}`;
}

function orderKeyOf({ storeId, externalOrderId }: { storeId: string; externalOrderId: string }): string {
  return `${storeId} ${externalOrderId}`;
}

interface Decided {
  message: IncomingMessage;
  outcome: NewMessage['outcome'];
  reason: string | null;
}

/**
 * Only the store's own order source makes money facts. What another source says is kept as evidence: `supplementary` for orders that are
 * known, else `quarantined` where an operator finds it (and used all the same, should its order become known).
 */
async function decideOutcomes(tx: Tx, messages: readonly IncomingMessage[]): Promise<Decided[]> {
  const asked = messages.filter(isEvidenceOnly).flatMap((message) =>
    externalIdsOf(message).map((externalOrderId) => {
      const { brandId, storeId } = message.store;
      return { brandId, storeId, externalOrderId };
    }),
  );
  const known = new Set(asked.length === 0 ? [] : (await listKnownOrders(tx, asked)).map(orderKeyOf));
  return messages.map((message): Decided => {
    const { content, store } = message;
    if (content.kind !== 'events') return { message, outcome: content.kind, reason: content.reason };
    if (!isEvidenceOnly(message)) return { message, outcome: 'applied', reason: null };
    const isKnown = externalIdsOf(message).every((externalOrderId) =>
      known.has(orderKeyOf({ storeId: store.storeId, externalOrderId })),
    );
    return isKnown
      ? { message, outcome: 'supplementary', reason: null }
      : { message, outcome: 'quarantined', reason: 'not_the_order_source' };
  });
}

/** What those messages are whose key was kept before. */
async function compareWithFirst(
  tx: Tx,
  messages: readonly IncomingMessage[],
  kept: ReadonlyMap<string, bigint>,
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
