import { LRUCache } from 'lru-cache';
import { open, type SealingKey } from '../../../infra/secrets.ts';
import { answerWithin } from '../answer-within.ts';
import { createMessageIntake, type IntakeMetrics, type MessageIntake } from '../message-intake.ts';
import { findOrderStores, findStoreOfYouzanClient, findYouzanStores, type OrderStore } from '../queries.ts';
import type { RecordDeps } from '../record-message.ts';
import { createGroupedLookup } from './grouped-lookup.ts';

type FindStore = (key: string) => Promise<OrderStore | undefined>;

/** A store with what its own system signs by. */
export interface SigningStore {
  store: OrderStore;
  secret: string;
}

/** What it takes to take a message: whose it is, what its secrets are sealed with, and where it is recorded. */
export interface TakeDeps {
  /** As it is now; remembered from then on. */
  findSigningStore: (storeId: string) => Promise<SigningStore | undefined>;
  /** As it was when it was found last: who records by it has it looked at again (`isStoreRemembered`). */
  rememberedStore: (storeId: string) => SigningStore | undefined;
  /** By shop number (kdt_id). */
  findYouzanStore: FindStore;
  /** Some store of a Youzan app (client id). */
  findStoreOfYouzanClient: FindStore;
  sealingKeys: readonly SealingKey[];
  intake: MessageIntake;
}

/** A Postgres that stands still must not keep a sender waiting; the intake has the same limit. */
const FOUND_WITHIN_MS = 2_000;
/** Some 1 kB each. */
const REMEMBERED_STORES = 2_000;

/** Lookups and intake that messages arriving at the same time share. */
export function createTakeDeps(deps: RecordDeps & { metrics: IntakeMetrics }): TakeDeps {
  const { db, sealingKeys } = deps;
  const inTime =
    (find: FindStore): FindStore =>
    async (key) =>
      answerWithin(FOUND_WITHIN_MS, find(key));
  const findStore = inTime(createGroupedLookup((storeIds) => findOrderStores(db, storeIds)));
  const remembered = new LRUCache<string, SigningStore>({ max: REMEMBERED_STORES });
  return {
    findSigningStore: async (storeId) => {
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
    rememberedStore: (storeId) => remembered.get(storeId),
    findYouzanStore: inTime(createGroupedLookup((shopIds) => findYouzanStores(db, shopIds))),
    findStoreOfYouzanClient: inTime((clientId) => findStoreOfYouzanClient(db, clientId)),
    sealingKeys,
    intake: createMessageIntake(deps),
  };
}
