import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { pause } from '../../infra/repeat.ts';
import { shardsOf } from '../click-batch.ts';
import { leaveShards, registerShards, releaseLeases, seeShards, takeLeases } from './shard-queries.ts';
import type { ShardView } from './shard-queries.ts';

/** What consumes one shard as long as this worker has its lease. */
export interface ShardConsumer {
  /** Ends it: the batch in hand is finished. Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

export interface ShardLeasesDeps {
  db: Db;
  /** A name no other process ever had. */
  worker: string;
  /** CLICK_SHARDS; shards beyond it that were used before are shared out too. */
  shardCount: number;
  limits: ShardLeaseLimits;
  log: Logger;
  start: (shard: number) => ShardConsumer;
  onHeld: (shards: readonly number[]) => void;
}

export interface ShardLeaseLimits {
  /** A lease that is not renewed for so long is anybody's: how long the shards of a dead worker wait. */
  leaseMs: number;
  renewEveryMs: number;
}

export interface ShardLeases {
  held(): number[];
  /** Ends all consumers and gives the leases back, so that other workers may have them at once. */
  stop(): Promise<void>;
}

/**
 * Shares the shards out among the workers that live, evenly, through leases in Postgres, by its clock: every worker says each second that it
 * is there, renews what it has, gives back what is above its share, and takes what is free.
 *
 * A lease is about order, not about truth: what a worker that was stopped for a minute still stores after its lease ran out is checked by
 * the shard's lock, its last writer and the keys of the clicks.
 */
export function startShardLeases(deps: ShardLeasesDeps): ShardLeases {
  const keeper = new LeaseKeeper(deps);
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await keeper.look();
      await pause(deps.limits.renewEveryMs, stopped.signal);
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
  /** Of these, those whose leases are kept until they have ended. */
  readonly #givingBack = new Set<number>();
  #isRegistered = false;
  #isFailing = false;
  /** By this process's own monotonic clock, read before Postgres was asked: never later than what Postgres has. */
  #validUntilMs = Infinity;

  constructor(deps: ShardLeasesDeps) {
    this.#deps = deps;
  }

  held(): number[] {
    return [...this.#consumers.keys()];
  }

  /** One look at who is there and who has what. Never rejects: without Postgres there is nothing to share out. */
  async look(): Promise<void> {
    const startedAtMs = performance.now();
    try {
      await this.#share(startedAtMs);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#deps.log.error({ err: error }, 'click shards cannot be shared out now; trying again');
      this.#isFailing = true;
      // Others may have them by now.
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
      this.#deps.log.warn({ err: error }, 'click shards could not be given back; they run out by themselves');
    }
  }

  async #share(startedAtMs: number): Promise<void> {
    const { db, worker, shardCount, limits } = this.#deps;
    if (!this.#isRegistered) await registerShards(db, shardsOf(shardCount));
    this.#isRegistered = true;
    const { shards, liveWorkers } = await seeShards(db, { worker, ttlMs: limits.leaseMs });
    const fairShare = Math.ceil(shards.length / liveWorkers);
    const mine = this.held();
    for (const shard of mine.slice(fairShare)) this.#giveBack(shard);
    const kept = [...mine.slice(0, fairShare), ...this.#givingBack];
    const isFree = ({ shard, holder }: ShardView['shards'][number]): boolean =>
      (holder === undefined || holder === worker) && !kept.includes(shard) && !this.#ending.has(shard);
    // Workers that begin at different ends seldom want the same.
    const free = shuffled(shards.filter(isFree).map(({ shard }) => shard));
    const wanted = free.slice(0, Math.max(0, fairShare - kept.length));
    const taken = await takeLeases(db, { worker, shards: [...kept, ...wanted], ttlMs: limits.leaseMs });
    this.#validUntilMs = startedAtMs + limits.leaseMs;
    for (const shard of this.held()) {
      if (taken.has(shard)) continue;
      this.#deps.log.warn({ shard }, 'a click shard went to another worker: this one was away for too long');
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

  /** Stops consuming, then lets others have it. */
  #giveBack(shard: number): void {
    this.#end(shard);
    this.#givingBack.add(shard);
    const { db, worker, log } = this.#deps;
    const release = async (): Promise<void> => {
      try {
        await this.#ending.get(shard);
        await releaseLeases(db, { worker, shards: [shard] });
      } catch (error) {
        log.warn({ err: error, shard }, 'a click shard could not be given back; its lease runs out by itself');
      } finally {
        this.#givingBack.delete(shard);
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
