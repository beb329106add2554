import { LRUCache } from 'lru-cache';
import { open, type SealingKey } from '../../infra/secrets.ts';
import type { Db } from '../../infra/db.ts';
import { answerInTime } from './batch-messages.ts';
import { findStoreOfYouzanClient, listOrderStores, listYouzanStores, type OrderStore } from './store-queries.ts';

type FindStore = (key: string) => Promise<OrderStore | undefined>;

/** A store with what its own system signs by. */
export interface SigningStore {
  store: OrderStore;
  secret: string;
}

/** The stores that messages are verified by. Each lookup shares its statement with those that arrive at the same time. */
export interface SigningStores {
  /** As it is now; remembered from then on. */
  find: (storeId: string) => Promise<SigningStore | undefined>;
  /** As it was when it was found last; the transaction that records a message checks it again (`isStoreRemembered`). */
  remembered: (storeId: string) => SigningStore | undefined;
  /** By shop number (kdt_id). */
  findYouzanStore: FindStore;
  /** Some store of a Youzan app (client id). */
  findStoreOfYouzanClient: FindStore;
}

/** A Postgres that stands still must not keep a sender waiting; the intake has the same limit. */
const FOUND_WITHIN_MS = 2_000;
/** Some 1 kB each. */
const REMEMBERED_STORES = 2_000;

/** @param deps.sealingKeys  what the secrets of stores are sealed with */
export function createSigningStores({
  db,
  sealingKeys,
}: {
  db: Db;
  sealingKeys: readonly SealingKey[];
}): SigningStores {
  const inTime =
    (find: FindStore): FindStore =>
    async (key) =>
      answerInTime(find(key), FOUND_WITHIN_MS);
  const findStore = inTime(createGroupedLookup((storeIds) => listOrderStores(db, storeIds)));
  const remembered = new LRUCache<string, SigningStore>({ max: REMEMBERED_STORES });
  return {
    find: async (storeId) => {
      const store = await findStore(storeId);
      if (store === undefined) {
        remembered.delete(storeId);
        return undefined;
      }
      const secret = open(sealingKeys, store.webhookSecretSealed).toString('utf8');
      const found = { store, secret };
      remembered.set(storeId, found);
      return found;
    },
    remembered: (storeId) => remembered.get(storeId),
    findYouzanStore: inTime(createGroupedLookup((shopIds) => listYouzanStores(db, shopIds))),
    findStoreOfYouzanClient: inTime((clientId) => findStoreOfYouzanClient(db, clientId)),
  };
}

/**
 * A lookup of many keys at once: keys that are wanted while one statement is under way go together with the next. An answer is never older
 * than its lookup, so a changed row is seen at the next one.
 *
 * @param load  the values of all keys that have one
 */
function createGroupedLookup<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let gathering: { keys: Set<string>; answers: Promise<ReadonlyMap<string, Value>> } | undefined;
  let underWay: Promise<unknown> = Promise.resolve();

  const gather = (): NonNullable<typeof gathering> => {
    const keys = new Set<string>();
    const loadGathered = async (): Promise<ReadonlyMap<string, Value>> => {
      await underWay;
      // Keys wanted in this turn of the event loop go along.
      await new Promise(setImmediate);
      gathering = undefined;
      const answers = load([...keys]);
      underWay = answers.catch(() => undefined);
      return answers;
    };
    return { keys, answers: loadGathered() };
  };
  return async (key) => {
    gathering ??= gather();
    gathering.keys.add(key);
    return (await gathering.answers).get(key);
  };
}
