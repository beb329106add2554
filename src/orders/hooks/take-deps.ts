import type { SealingKey } from '../../infra/secrets.ts';
import { answerWithin } from '../answer-within.ts';
import { createMessageIntake, type IntakeMetrics, type MessageIntake } from '../message-intake.ts';
import { findOrderStores, findStoreOfYouzanClient, findYouzanStores, type OrderStore } from '../queries.ts';
import type { RecordDeps } from '../record-message.ts';
import { createGroupedLookup } from './grouped-lookup.ts';

type FindStore = (key: string) => Promise<OrderStore | undefined>;

/** What it takes to take a message: whose it is, what its secrets are sealed with, and where it is recorded. */
export interface TakeDeps {
  findStore: FindStore;
  /** By shop number (kdt_id). */
  findYouzanStore: FindStore;
  /** Some store of a Youzan app (client id). */
  findStoreOfYouzanClient: FindStore;
  sealingKeys: readonly SealingKey[];
  intake: MessageIntake;
}

/** A Postgres that stands still must not keep a sender waiting; the intake has the same limit. */
const FOUND_WITHIN_MS = 2_000;

/** Lookups and intake that messages arriving at the same time share. */
export function createTakeDeps(deps: RecordDeps & { metrics: IntakeMetrics }): TakeDeps {
  const { db, sealingKeys } = deps;
  const inTime =
    (find: FindStore): FindStore =>
    async (key) =>
      answerWithin(FOUND_WITHIN_MS, find(key));
  return {
    findStore: inTime(createGroupedLookup((storeIds) => findOrderStores(db, storeIds))),
    findYouzanStore: inTime(createGroupedLookup((shopIds) => findYouzanStores(db, shopIds))),
    findStoreOfYouzanClient: inTime((clientId) => findStoreOfYouzanClient(db, clientId)),
    sealingKeys,
    intake: createMessageIntake(deps),
  };
}
