import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { pause } from '../../infra/repeat.ts';
import type { IngestMetrics } from './metrics.ts';
import { raiseWatermark } from './shard-queries.ts';
import { isNoGroup } from './stream-consumer.ts';
import type { StreamEntry, StreamReader } from './stream-consumer.ts';
import { decodeEntries } from './entry-source.ts';
import type { ReadEntries } from './entry-source.ts';
import type { createEntrySource } from './entry-source.ts';
import type { Aftermath, PlannedBatch, createPlanner } from './plan-batch.ts';
import type { createSettlement } from './acknowledge-batch.ts';
import type { BatchStore, IngestStep, StoreResult } from './store-batch.ts';

export interface ShardDeps {
  db: Db;
  shard: number;
  stream: string;
  reader: StreamReader;
  metrics: IngestMetrics;
  log: Logger;
  /** A new one for every time the shard is consumed anew. */
  createSource: () => ReturnType<typeof createEntrySource>;
  plan: ReturnType<typeof createPlanner>;
  store: BatchStore;
  settle: ReturnType<typeof createSettlement>;
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

interface Batch {
  source: StreamEntry[];
  planned: PlannedBatch;
}

/** A batch that was sent, and what becomes of it. */
interface Storing {
  aftermath: Aftermath | undefined;
  result: Promise<StoreResult>;
}

interface Sent {
  source: StreamEntry[];
  read: ReadEntries;
  asPlanned: Promise<StoreResult>;
}

/**
 * Batch after batch: while Postgres stores one, the next waits for it in the connection, the one after that is planned as if both had
 * succeeded, and one more is read. Where one did not go as planned, those behind it that were sent are refused and stored carefully, and
 * the one behind them is planned again.
 */
class Pipeline {
  readonly #deps: ShardDeps;
  readonly #nextEntries: ReturnType<typeof createEntrySource>;
  readonly #watermark: () => Promise<void>;
  #reading: Promise<StreamEntry[]> | undefined;
  #ahead: Promise<Batch | undefined> | undefined;
  /** The two that were sent last; of those before, everything is committed. */
  #before: Storing | undefined;
  #latest: Storing | undefined;
  #settling: Promise<void> = Promise.resolve();

  constructor(deps: ShardDeps) {
    this.#deps = deps;
    this.#nextEntries = deps.createSource();
    this.#watermark = createWatermark(deps);
  }

  /** Runs until the signal fires, and finishes what was read by then; rejects where the group is gone. */
  async run(): Promise<void> {
    try {
      this.#reading = ahead(this.#read());
      this.#ahead = ahead(this.#prepare());
      while (this.#ahead !== undefined) await this.#sendNext(this.#ahead);
      await this.#before?.result;
      await this.#latest?.result;
      await this.#settling;
    } finally {
      const sent = [this.#before, this.#latest].map(async (storing) => storing?.result);
      await Promise.allSettled([this.#reading, this.#ahead, this.#settling, ...sent]);
    }
  }

  async #sendNext(next: Promise<Batch | undefined>): Promise<void> {
    const planned = await next;
    const batch = (await this.#isStillRight()) ? planned : await this.#planAgain(planned);
    this.#before = this.#latest;
    this.#latest = batch && this.#send(batch);
    this.#ahead = this.#reading === undefined ? undefined : ahead(this.#prepare());
  }

  /** Waits until all batches but the latest are committed. Returns whether they went as planned. */
  async #isStillRight(): Promise<boolean> {
    return (await this.#before?.result)?.isAsPlanned !== false;
  }

  /** When all batches before it are committed, and with what is stored alone. */
  async #planAgain(batch: Batch | undefined): Promise<Batch | undefined> {
    await this.#latest?.result;
    this.#before = undefined;
    this.#latest = undefined;
    return batch && this.#plan(batch.source);
  }

  /** As if what is under way were stored. */
  #plan(source: StreamEntry[]): Promise<Batch> {
    const before = [this.#before?.aftermath, this.#latest?.aftermath].filter((each) => each !== undefined);
    return this.#planAfter(source, before);
  }

  #planAfter(source: StreamEntry[], before: readonly Aftermath[]): Promise<Batch> {
    const { stream, plan } = this.#deps;
    return insist(this.#deps, async () => ({ source, planned: await plan(decodeEntries(stream, source), before) }));
  }

  /** The next entries, as they came: taken apart they are ten times as large. None where nothing came for a while. */
  async #read(): Promise<StreamEntry[]> {
    await insist(this.#deps, this.#watermark);
    return insist(this.#deps, this.#nextEntries);
  }

  /** Plans what was read, and reads what comes after it. */
  async #prepare(): Promise<Batch | undefined> {
    const entries = (await this.#reading) ?? [];
    this.#reading = this.#deps.signal.aborted ? undefined : ahead(this.#read());
    return entries.length === 0 ? undefined : this.#plan(entries);
  }

  /** Sends it at once. Of its clicks only the texts are kept: what lives while Postgres writes is copied by the collector again and again. */
  #send({ source, planned }: Batch): Storing {
    const { entryIds, letters, doubtful } = planned.entries;
    const asPlanned = ahead(this.#deps.store.asPlanned(planned));
    const result = ahead(this.#finish({ source, read: { entryIds, letters, doubtful }, asPlanned }, this.#before));
    return { aftermath: planned.aftermath, result };
  }

  /** Resolves when it and the one before it are committed; it is acknowledged meanwhile. */
  async #finish({ source, read, asPlanned }: Sent, before: Storing | undefined): Promise<StoreResult> {
    await before?.result;
    // Something was there already, another worker came between, a click cannot be stored, or Postgres is away: the careful way finds out.
    const result = await asPlanned.catch(() => this.#storeCarefully(source));
    await this.#deps.onStep('committed');
    await this.#settling;
    this.#settling = ahead(insist(this.#deps, () => this.#deps.settle(read, result)));
    return result;
  }

  async #storeCarefully(source: StreamEntry[]): Promise<StoreResult> {
    const { planned } = await this.#planAfter(source, []);
    return insist(this.#deps, () => this.#deps.store.carefully(planned));
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
      await insist(deps, () => deps.store.begin());
      await new Pipeline(deps).run();
    } catch (error) {
      // A stream or group that is gone (FLUSHALL, a new Redis) is made again; whatever else it is must not end the worker.
      if (!signal.aborted) log.error({ err: error, shard }, 'the click worker starts again');
      await pause(FIRST_RETRY_MS, signal);
    }
  }
}
