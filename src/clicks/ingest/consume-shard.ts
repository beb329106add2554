import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { pause } from '../../infra/repeat.ts';
import type { ClickMetrics } from '../metrics.ts';
import { raiseWatermark } from '../queries.ts';
import { isNoGroup } from '../stream-reader.ts';
import type { StreamEntry, StreamReader } from '../stream-reader.ts';
import { decodeEntries } from './decode-entries.ts';
import type { createEntrySource } from './entry-source.ts';
import type { Aftermath, PlannedBatch, createPlanner } from './plan-batch.ts';
import type { createSettlement } from './settle-batch.ts';
import type { IngestStep, StoreResult, createStore } from './store-batch.ts';

export interface ShardDeps {
  db: Db;
  shard: number;
  stream: string;
  reader: StreamReader;
  metrics: ClickMetrics;
  log: Logger;
  /** A new one for every time the shard is consumed anew. */
  createSource: () => ReturnType<typeof createEntrySource>;
  plan: ReturnType<typeof createPlanner>;
  store: ReturnType<typeof createStore>;
  settle: ReturnType<typeof createSettlement>;
  becomeWriter: () => Promise<void>;
  watermarkEveryMs: number;
  onStep: (step: IngestStep) => Promise<void> | void;
  signal: AbortSignal;
}

/** A click is stamped before it is appended (80 ms at most), by a clock that may differ from that of Redis by some seconds. */
const WATERMARK_MARGIN_MS = 5_000;
/** While a dependency is away: 100, 200, 400, … 5,000 ms, each times 0.5 to 1, so that workers do not come all at once. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** Tells Postgres up to when everything is stored, at most once in a while. */
function createWatermark({ shard, reader, db, metrics, watermarkEveryMs }: ShardDeps): () => Promise<void> {
  let dueAtMs = -Infinity;
  return async () => {
    if (performance.now() < dueAtMs) return;
    dueAtMs = performance.now() + watermarkEveryMs;
    const { now, oldestAt, entries } = await reader.look();
    const lagMs = oldestAt === undefined ? 0 : Math.max(0, now.getTime() - oldestAt.getTime());
    metrics.streamSeen({ shard, entries, lagSeconds: lagMs / 1_000 });
    await raiseWatermark(db, shard, new Date((oldestAt ?? now).getTime() - WATERMARK_MARGIN_MS));
  };
}

/** Runs `work` until it succeeds or the shard is given up. What is tried again must be safe to repeat. */
async function insist<T>({ shard, log, signal }: ShardDeps, work: () => Promise<T>): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await work();
    } catch (error) {
      failures += 1;
      if (signal.aborted || isNoGroup(error)) throw error;
      // A busy moment is nobody's business; an outage is told once, then once in some ten tries: nobody reads more.
      if (failures % 10 === 3) log.error({ err: error, shard, failures }, 'clicks cannot be stored now; trying again');
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
      await pause(delayMs * (0.5 + Math.random() / 2), signal);
    }
  }
}

/** A failure of what runs ahead is looked at when its turn comes; until then it must not count as nobody's. */
function ahead<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

/**
 * Batch after batch: while one is being stored, the one before it is acknowledged, and the next is read and planned as if this one had
 * succeeded. Where it did not go as planned, the next is planned again.
 */
class Pipeline {
  readonly #deps: ShardDeps;
  readonly #nextEntries: ReturnType<typeof createEntrySource>;
  readonly #watermark: () => Promise<void>;
  /** Two batches ahead of the one being stored. */
  #reading: Promise<StreamEntry[]> | undefined;
  /** One batch ahead. */
  #ahead: Promise<PlannedBatch | undefined> | undefined;
  #settling: Promise<void> = Promise.resolve();

  constructor(deps: ShardDeps) {
    this.#deps = deps;
    this.#nextEntries = deps.createSource();
    this.#watermark = createWatermark(deps);
  }

  /** Runs until the signal fires, and finishes what was read by then; rejects where the group is gone. */
  async run(): Promise<void> {
    try {
      let isAsPlanned = true;
      this.#reading = ahead(this.#read());
      this.#ahead = ahead(this.#prepare(undefined));
      while (this.#ahead !== undefined) {
        let batch: PlannedBatch | undefined = await this.#ahead;
        if (batch !== undefined && !isAsPlanned) batch = await this.#plan(batch.entries, undefined);
        this.#ahead = this.#reading === undefined ? undefined : ahead(this.#prepare(batch?.aftermath));
        if (batch !== undefined) isAsPlanned = await this.#store(batch);
      }
      await this.#settling;
    } finally {
      await Promise.allSettled([this.#reading, this.#ahead, this.#settling]);
    }
  }

  #plan(entries: PlannedBatch['entries'], before: Aftermath | undefined): Promise<PlannedBatch> {
    return insist(this.#deps, () => this.#deps.plan(entries, before));
  }

  /** The next entries, as they came: taken apart they are ten times as large. None where nothing came for a while. */
  async #read(): Promise<StreamEntry[]> {
    await insist(this.#deps, this.#watermark);
    return insist(this.#deps, this.#nextEntries);
  }

  /** Plans what was read, and reads what comes after it. */
  async #prepare(before: Aftermath | undefined): Promise<PlannedBatch | undefined> {
    const entries = (await this.#reading) ?? [];
    this.#reading = this.#deps.signal.aborted ? undefined : ahead(this.#read());
    return entries.length === 0 ? undefined : this.#plan(decodeEntries(this.#deps.stream, entries), before);
  }

  /** Resolves when the batch is committed; it is acknowledged meanwhile. Returns whether it went as planned. */
  async #store(batch: PlannedBatch): Promise<boolean> {
    const result = await insist(this.#deps, () => this.#deps.store(batch));
    await this.#deps.onStep('committed');
    await this.#settling;
    this.#settling = ahead(this.#settle(batch, result));
    return result.isAsPlanned;
  }

  async #settle(batch: PlannedBatch, result: StoreResult): Promise<void> {
    await insist(this.#deps, () => this.#deps.settle(batch.entries, result));
  }
}

/** Consumes one shard until the signal fires; never rejects. */
export async function consumeShard(deps: ShardDeps): Promise<void> {
  const { shard, reader, log, signal } = deps;
  while (!signal.aborted) {
    try {
      await insist(deps, () => reader.join());
      await reader.removeConsumers('abandoned');
      // What is planned from now on is right unless another worker stores something first.
      await insist(deps, deps.becomeWriter);
      await new Pipeline(deps).run();
    } catch (error) {
      // A stream or group that is gone (FLUSHALL, a new Redis) is made again; whatever else it is must not end the worker.
      if (!signal.aborted) log.error({ err: error, shard }, 'the click worker starts again');
      await pause(FIRST_RETRY_MS, signal);
    }
  }
}
