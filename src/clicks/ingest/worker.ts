import { randomBytes } from 'node:crypto';
import os from 'node:os';
import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { closeRedis, createRedis, waitForRedis } from '../../infra/redis.ts';
import type { RedisClient } from '../../infra/redis.ts';
import { sleep } from '../../infra/retry.ts';
import { streamKey } from '../click-batch.ts';
import { createBatchAcknowledger } from './acknowledge-batch.ts';
import { consumeShard } from './consume-shard.ts';
import { createEntrySource } from './entry-source.ts';
import type { EntrySourceLimits } from './entry-source.ts';
import type { IngestMetrics } from './metrics.ts';
import { createLinkDirectory, createPlanner } from './plan-batch.ts';
import type { PlanBatch } from './plan-batch.ts';
import { startShardLeases } from './shard-leases.ts';
import type { ShardConsumer, ShardLeaseLimits } from './shard-leases.ts';
import { createPartitions, createStore } from './store-batch.ts';
import type { IngestStep } from './entry-source.ts';
import type { EnsurePartitions } from './store-batch.ts';
import { createStreamConsumer } from './stream-consumer.ts';

export interface ClickWorkerDeps {
  db: Db;
  /** The Redis of the streams; the worker makes its own connections. */
  redisUrls: string;
  /** CLICK_SHARDS. */
  shardCount: number;
  metrics: IngestMetrics;
  log: Logger;
  now: () => Date;
  limits?: Partial<ClickWorkerLimits>;
  /** Called and awaited at the places where tests kill or stop a worker. */
  onStep?: (step: IngestStep) => Promise<void> | void;
}

export interface ClickWorkerLimits extends EntrySourceLimits, ShardLeaseLimits {
  /** A click that could not be stored after this number of deliveries becomes a dead letter. */
  maxDeliveries: number;
  watermarkEveryMs: number;
}

export interface ClickWorker {
  /** The shards this worker consumes now. */
  shards(): number[];
  /** Finishes the batches in flight, releases the shards and resolves within 5 s; another worker takes over the rest. */
  stop(): Promise<void>;
}

const LIMITS: ClickWorkerLimits = {
  entriesPerRead: 320,
  blockMs: 1_000,
  minIdleMs: 30_000,
  claimEveryMs: 5_000,
  maxDeliveries: 5,
  watermarkEveryMs: 1_000,
  leaseMs: 4_000,
  renewEveryMs: 1_000,
};

const STOP_WITHIN_MS = 4_500;
const CONNECT_WITHIN_MS = 2_000;

interface WorkerParts extends ClickWorkerDeps {
  worker: string;
  allLimits: ClickWorkerLimits;
  redis: RedisClient;
  plan: PlanBatch;
  ensurePartitions: EnsurePartitions;
  nextFencingToken: () => number;
}

/** Consumes one shard, with its own connection for the blocking reads. */
function startShard(parts: WorkerParts, shard: number): ShardConsumer {
  const { db, redis, metrics, log, worker, allLimits: limits } = parts;
  const onStep = parts.onStep ?? (() => undefined);
  const stopped = new AbortController();
  const blocking = createRedis({ urls: parts.redisUrls, role: 'blocking', log });
  const stream = streamKey(shard);
  const consumer = createStreamConsumer({ shard, name: worker, redis, blocking });
  const run = async (): Promise<void> => {
    await Promise.all([redis, blocking].map((client) => waitForRedis(client, CONNECT_WITHIN_MS)));
    await consumeShard({
      db,
      shard,
      stream,
      consumer,
      metrics,
      log,
      onStep,
      createSource: () => createEntrySource({ shard, consumer, metrics, log, limits, onStep }),
      plan: parts.plan,
      store: createStore({ ...parts, shard, onStep }),
      acknowledge: createBatchAcknowledger({ db, stream, consumer, metrics, log, maxDeliveries: limits.maxDeliveries }),
      watermarkEveryMs: limits.watermarkEveryMs,
      signal: stopped.signal,
    });
  };
  const running = run();
  return {
    stop: async () => {
      stopped.abort();
      const patience = new AbortController();
      await Promise.race([running, sleep(STOP_WITHIN_MS, patience.signal)]);
      patience.abort();
      await Promise.allSettled([consumer.removeConsumers('own')]);
      await closeRedis(blocking);
    },
  };
}

/**
 * Moves clicks from the streams to Postgres: one transaction for each batch, acknowledged after its COMMIT, so that a worker may die at any
 * moment and no click is lost or stored twice. Any number of workers may run: they share out the shards, one consumer for each.
 */
export function startClickWorker(deps: ClickWorkerDeps): ClickWorker {
  const limits = { ...LIMITS, ...deps.limits };
  const worker = `${os.hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const redis = createRedis({ urls: deps.redisUrls, role: 'commands', log: deps.log });
  let fencingToken = 0;
  const parts: WorkerParts = {
    ...deps,
    worker,
    allLimits: limits,
    redis,
    plan: createPlanner({ db: deps.db, links: createLinkDirectory(deps.db), now: deps.now }),
    ensurePartitions: createPartitions(deps.db),
    nextFencingToken: () => (fencingToken += 1),
  };
  const leases = startShardLeases({
    db: deps.db,
    worker,
    limits,
    log: deps.log,
    shardCount: deps.shardCount,
    start: (shard) => startShard(parts, shard),
    onHeld: (shards) => deps.metrics.shardsHeld(shards.length),
  });
  return {
    shards: () => leases.held().toSorted((a, b) => a - b),
    stop: async () => {
      await leases.stop();
      await closeRedis(redis);
    },
  };
}
