import { randomBytes } from 'node:crypto';
import os from 'node:os';
import type { Logger } from 'pino';

import type { Db } from '../infra/db.ts';
import { closeRedis, createRedis, waitForRedis } from '../infra/redis.ts';
import { pause } from '../infra/repeat.ts';
import { createBatchProcessor } from './process-batch.ts';
import type { ClickMetrics } from './metrics.ts';
import { raiseWatermark } from './queries.ts';
import { SHARDS } from './shards.ts';
import { createStreamReader, isNoGroup } from './stream-reader.ts';
import type { StreamEntry, StreamReader } from './stream-reader.ts';

export interface ClickWorkerDeps {
  db: Db;
  /** Where the streams are; the worker makes connections of its own. */
  redisUrls: string;
  metrics: ClickMetrics;
  log: Logger;
  now: () => Date;
  limits?: Partial<ClickWorkerLimits>;
}

export interface ClickWorkerLimits {
  /** Entries read at once; each holds 1 to 1,000 clicks, some 30 under load. */
  entriesPerRead: number;
  blockMs: number;
  /** An entry that a worker has had for so long without finishing it is taken over. More than a batch ever takes. */
  minIdleMs: number;
  claimEveryMs: number;
  /** What could not be stored after so many deliveries is set aside. */
  maxDeliveries: number;
  watermarkEveryMs: number;
}

const LIMITS: ClickWorkerLimits = {
  entriesPerRead: 200,
  blockMs: 1_000,
  minIdleMs: 30_000,
  claimEveryMs: 5_000,
  maxDeliveries: 5,
  watermarkEveryMs: 1_000,
};

/** A click is stamped before it is appended (80 ms at most), by a clock that may differ from that of Redis by some seconds. */
const WATERMARK_MARGIN_MS = 5_000;
/** While a dependency is away: 100, 200, 400, … 5,000 ms, each times 0.5 to 1, so that workers do not come all at once. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
const STOP_WITHIN_MS = 4_500;
const CONNECT_WITHIN_MS = 2_000;

interface ShardWorker {
  shard: number;
  reader: StreamReader;
  process: (entries: readonly StreamEntry[]) => Promise<void>;
  deps: ClickWorkerDeps;
  limits: ClickWorkerLimits;
  signal: AbortSignal;
}

/** Entries a dead worker left, from time to time; else new ones. */
function createSource({ shard, reader, deps, limits }: ShardWorker): () => Promise<StreamEntry[]> {
  let claimAtMs = -Infinity;
  return async () => {
    if (performance.now() >= claimAtMs) {
      const { entries, vanished } = await reader.claim({ count: limits.entriesPerRead, minIdleMs: limits.minIdleMs });
      if (vanished > 0) {
        deps.metrics.vanished(vanished);
        deps.log.error({ shard, vanished }, 'stream entries were deleted before they were stored');
      }
      // As long as there are some, the next ones follow at once.
      if (entries.length > 0) return entries;
      claimAtMs = performance.now() + limits.claimEveryMs;
    }
    return await reader.read({ count: limits.entriesPerRead, blockMs: limits.blockMs });
  };
}

/** Tells Postgres up to when everything is stored, at most once in a while. */
function createWatermark({ shard, reader, deps, limits }: ShardWorker): () => Promise<void> {
  let dueAtMs = -Infinity;
  return async () => {
    if (performance.now() < dueAtMs) return;
    dueAtMs = performance.now() + limits.watermarkEveryMs;
    const { now, oldestAt, entries } = await reader.look();
    const lagMs = oldestAt === undefined ? 0 : Math.max(0, now.getTime() - oldestAt.getTime());
    deps.metrics.streamSeen({ shard, entries, lagSeconds: lagMs / 1_000 });
    await raiseWatermark(deps.db, shard, new Date((oldestAt ?? now).getTime() - WATERMARK_MARGIN_MS));
  };
}

/** Runs `work` until it succeeds or the worker stops. What is tried again must be safe to repeat. */
async function insist(worker: ShardWorker, work: () => Promise<void>): Promise<void> {
  for (let failures = 0; ;) {
    try {
      await work();
      return;
    } catch (error) {
      failures += 1;
      if (worker.signal.aborted) throw error;
      if (isNoGroup(error)) throw error;
      // Once an outage, then once in some ten tries: nobody reads more.
      if (failures % 10 === 1)
        worker.deps.log.error(
          { err: error, shard: worker.shard, failures },
          'clicks cannot be stored now; trying again',
        );
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
      await pause(delayMs * (0.5 + Math.random() / 2), worker.signal);
    }
  }
}

/** Reads, stores, acknowledges, one batch after the other, until the signal fires; the batch in hand is finished. */
async function runShard(worker: ShardWorker): Promise<void> {
  const { reader, signal } = worker;
  const nextEntries = createSource(worker);
  const watermark = createWatermark(worker);
  while (!signal.aborted) {
    try {
      await insist(worker, async () => await reader.join());
      await reader.removeConsumers('abandoned');
      while (!signal.aborted) {
        let entries: StreamEntry[] = [];
        await insist(worker, async () => {
          entries = await nextEntries();
        });
        if (entries.length > 0) await insist(worker, async () => await worker.process(entries));
        await insist(worker, watermark);
      }
    } catch (error) {
      // A stream or group that is gone (FLUSHALL, a new Redis) is made again; whatever else it is must not end the worker.
      if (!signal.aborted) worker.deps.log.error({ err: error, shard: worker.shard }, 'the click worker starts again');
      await pause(FIRST_RETRY_MS, signal);
    }
  }
}

/**
 * Moves clicks from the streams to Postgres: one transaction a batch, acknowledged after its COMMIT, so that a worker may die at any moment
 * and nothing is lost or doubled. Any number of workers may run.
 *
 * `stop` finishes the batch in hand and resolves within 5 s; what it could not finish another worker takes over.
 */
export function startClickWorker(deps: ClickWorkerDeps): { stop(): Promise<void> } {
  const limits = { ...LIMITS, ...deps.limits };
  const stopped = new AbortController();
  const consumer = `${os.hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const redis = createRedis({ urls: deps.redisUrls, role: 'commands', log: deps.log });
  const workers = SHARDS.map((shard) => {
    const blocking = createRedis({ urls: deps.redisUrls, role: 'blocking', log: deps.log });
    const reader = createStreamReader({ shard, consumer, redis, blocking });
    const process = createBatchProcessor({ ...deps, shard, reader, maxDeliveries: limits.maxDeliveries });
    return { worker: { shard, reader, process, deps, limits, signal: stopped.signal }, blocking };
  });
  const run = async (): Promise<void> => {
    await Promise.all(
      [redis, ...workers.map(({ blocking }) => blocking)].map((client) => waitForRedis(client, CONNECT_WITHIN_MS)),
    );
    await Promise.all(workers.map(({ worker }) => runShard(worker)));
  };
  const running = run();
  return {
    stop: async () => {
      stopped.abort();
      const patience = new AbortController();
      await Promise.race([running, pause(STOP_WITHIN_MS, patience.signal)]);
      patience.abort();
      await Promise.allSettled(workers.map(({ worker }) => worker.reader.removeConsumers('own')));
      await Promise.all([redis, ...workers.map(({ blocking }) => blocking)].map(closeRedis));
    },
  };
}
