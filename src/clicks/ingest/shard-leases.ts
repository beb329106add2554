import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { sleep } from '../../infra/retry.ts';
import { shardsOf } from '../click-batch.ts';
import { leaveShards, registerShards, releaseLeases, viewShards, takeLeases } from './shard-queries.ts';
import type { ShardView } from './shard-queries.ts';

/** Consumes one shard while this worker holds its lease. */
export interface ShardConsumer {
  /** Finishes the batches in flight; resolves when nothing runs any more. */
  stop(): Promise<void>;
}

export interface ShardLeasesDeps {
  db: Db;
  /** A name that no other process ever had. */
  worker: string;
  /** CLICK_SHARDS; shards of an earlier, larger number are shared out too. */
  shardCount: number;
  limits: ShardLeaseLimits;
  log: Logger;
  start: (shard: number) => ShardConsumer;
  onHeld: (shards: readonly number[]) => void;
}

export interface ShardLeaseLimits {
  /** A lease that is not renewed for this time is free: the longest wait for the shards of a dead worker. */
  leaseMs: number;
  renewEveryMs: number;
}

export interface ShardLeases {
  held(): number[];
  /** Ends all consumers and releases the leases, so that other workers may take them at once. */
  stop(): Promise<void>;
}

/**
 * Shares the shards out evenly among the living workers, through leases in Postgres and by its clock: every second each worker records that it
 * lives, renews its leases, releases those above its share, and takes free ones.
 *
 * Leases only keep workers from working on the same shard; they do not protect the data. A worker that was stopped for a minute may still store
 * a batch after its lease expired: the shard's lock, the fencing token and the keys of the clicks decide whether it may.
 */
export function startShardLeases(deps: ShardLeasesDeps): ShardLeases {
  const keeper = new LeaseKeeper(deps);
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await keeper.renew();
      await sleep(deps.limits.renewEveryMs, stopped.signal);
    }
  };
  const running = run();
  return {
    held: () => keeper.held(),
    stop: async () => {
      stopped.abort();
      await running;
      await keeper.leave();
    },
  };
}

class LeaseKeeper {
  readonly #deps: ShardLeasesDeps;
  readonly #consumers = new Map<number, ShardConsumer>();
  /** Consumers that are ending. */
  readonly #ending = new Map<number, Promise<void>>();
  /** Those of the ending consumers whose leases are released when they have ended. */
  readonly #releasing = new Set<number>();
  #isRegistered = false;
  #isFailing = false;
  /** By this process's monotonic clock, read before the query: never later than the expiry in Postgres. A stop of this process counts. */
  #validUntilMs = Infinity;

  constructor(deps: ShardLeasesDeps) {
    this.#deps = deps;
  }

  held(): number[] {
    return [...this.#consumers.keys()];
  }

  /** One round of renewing and sharing out. Never rejects: without Postgres there is nothing to share out. */
  async renew(): Promise<void> {
    const startedAtMs = performance.now();
    try {
      await this.#share(startedAtMs);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#deps.log.error({ err: error }, 'click shards cannot be shared out now; trying again');
      this.#isFailing = true;
      // Other workers may hold them by now.
      if (performance.now() >= this.#validUntilMs) for (const shard of this.held()) this.#end(shard);
    }
    this.#deps.onHeld(this.held());
  }

  async leave(): Promise<void> {
    for (const shard of this.held()) this.#end(shard);
    this.#deps.onHeld([]);
    await Promise.all(this.#ending.values());
    try {
      await leaveShards(this.#deps.db, this.#deps.worker);
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'click shards could not be released; their leases expire by themselves');
    }
  }

  async #share(startedAtMs: number): Promise<void> {
    const { db, worker, shardCount, limits } = this.#deps;
    if (!this.#isRegistered) await registerShards(db, shardsOf(shardCount));
    this.#isRegistered = true;
    const { shards, liveWorkers } = await viewShards(db, { worker, ttlMs: limits.leaseMs });
    const fairShare = Math.ceil(shards.length / liveWorkers);
    const mine = this.held();
    for (const shard of mine.slice(fairShare)) this.#releaseShard(shard);
    const kept = [...mine.slice(0, fairShare), ...this.#releasing];
    const isFree = ({ shard, holder }: ShardView['shards'][number]): boolean =>
      (holder === undefined || holder === worker) && !kept.includes(shard) && !this.#ending.has(shard);
    // In random order, so that two workers rarely try to take the same shard.
    const free = shuffled(shards.filter(isFree).map(({ shard }) => shard));
    const wanted = free.slice(0, Math.max(0, fairShare - kept.length));
    const taken = await takeLeases(db, { worker, shards: [...kept, ...wanted], ttlMs: limits.leaseMs });
    this.#validUntilMs = startedAtMs + limits.leaseMs;
    for (const shard of this.held()) {
      if (taken.has(shard)) continue;
      this.#deps.log.warn({ shard }, 'another worker took a click shard: this one did not renew its lease in time');
      this.#end(shard);
    }
    for (const shard of wanted) if (taken.has(shard)) this.#begin(shard);
  }

  #begin(shard: number): void {
    this.#consumers.set(shard, this.#deps.start(shard));
  }

  /** Stops consuming; the lease stays as it is. */
  #end(shard: number): void {
    const consumer = this.#consumers.get(shard);
    if (consumer === undefined) return;
    this.#consumers.delete(shard);
    const ended = consumer.stop().finally(() => this.#ending.delete(shard));
    this.#ending.set(shard, ended);
  }

  /** Stops consuming, then releases the lease. */
  #releaseShard(shard: number): void {
    this.#end(shard);
    this.#releasing.add(shard);
    const { db, worker, log } = this.#deps;
    const release = async (): Promise<void> => {
      try {
        await this.#ending.get(shard);
        await releaseLeases(db, { worker, shards: [shard] });
      } catch (error) {
        log.warn({ err: error, shard }, 'a click shard could not be released; its lease expires by itself');
      } finally {
        this.#releasing.delete(shard);
      }
    };
    void release();
  }
}

function shuffled(shards: readonly number[]): number[] {
  return shards
    .map((shard) => ({ shard, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ shard }) => shard);
}
