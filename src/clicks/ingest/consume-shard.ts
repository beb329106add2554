import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import { retry, sleep } from '../../infra/retry.ts';
import type { AcknowledgeBatch } from './acknowledge-batch.ts';
import { decodeEntries } from './entry-source.ts';
import type { EntrySource, ReadEntries } from './entry-source.ts';
import type { IngestMetrics } from './metrics.ts';
import type { PlanBatch, PlannedBatch, ProjectedState } from './plan-batch.ts';
import { raiseWatermark } from './shard-queries.ts';
import type { IngestStep } from './entry-source.ts';
import type { BatchStore, StoreResult } from './store-batch.ts';
import { isNoGroup } from './stream-consumer.ts';
import type { StreamConsumer, StreamEntry } from './stream-consumer.ts';

export interface ShardDeps {
  db: Db;
  shard: number;
  stream: string;
  consumer: StreamConsumer;
  metrics: IngestMetrics;
  log: Logger;
  /** Called each time the consumption of the shard starts. */
  createSource: () => EntrySource;
  plan: PlanBatch;
  store: BatchStore;
  acknowledge: AcknowledgeBatch;
  watermarkEveryMs: number;
  onStep: (step: IngestStep) => Promise<void> | void;
  signal: AbortSignal;
}

/** A click gets its time up to 80 ms before it is appended, from a clock that may differ from that of Redis by some seconds. */
const WATERMARK_MARGIN_MS = 5_000;
/** While a dependency is away: 100, 200, 400, … 5,000 ms, each times 0.5 to 1, so that workers do not retry all at once. */
const RETRY = { firstMs: 100, longestMs: 5_000 };

/** Returns the function that writes to Postgres up to when every click of the shard is stored, at most once in `watermarkEveryMs`. */
function createWatermark({ shard, consumer, db, metrics, watermarkEveryMs }: ShardDeps): () => Promise<void> {
  let dueAtMs = -Infinity;
  return async () => {
    if (performance.now() < dueAtMs) return;
    dueAtMs = performance.now() + watermarkEveryMs;
    const { now, oldestAt, entries } = await consumer.inspect();
    const lagMs = oldestAt === undefined ? 0 : Math.max(0, now.getTime() - oldestAt.getTime());
    metrics.streamSeen({ shard, entries, lagSeconds: lagMs / 1_000 });
    await raiseWatermark(db, shard, new Date((oldestAt ?? now).getTime() - WATERMARK_MARGIN_MS));
  };
}

/** Runs `work` until it succeeds or the signal fires. `work` must be safe to repeat. */
async function retryStep<T>({ shard, log, signal }: ShardDeps, work: () => Promise<T>): Promise<T> {
  return retry(work, {
    backoff: RETRY,
    signal,
    onFailure: (error, failures) => {
      if (isNoGroup(error)) throw error;
      // Log the third failure, then every tenth, so that an outage does not flood the log.
      if (failures % 10 === 3) log.error({ err: error, shard, failures }, 'clicks cannot be stored now; trying again');
    },
  });
}

/** Attaches a handler now, so that Node reports no unhandled rejection; the error surfaces when the promise is awaited. */
function awaitedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

interface Batch {
  source: StreamEntry[];
  planned: PlannedBatch;
}

/** A batch that was sent to Postgres. */
interface SentBatch {
  projected: ProjectedState | undefined;
  result: Promise<StoreResult>;
}

interface SendingBatch {
  source: StreamEntry[];
  read: ReadEntries;
  storing: Promise<StoreResult>;
}

/**
 * Stores batch after batch: while Postgres stores one, the next one waits in the connection, the one after that is planned as if both had
 * succeeded, and a fourth one is read. When a batch cannot be stored optimistically, Postgres refuses the one sent behind it too; both are
 * then stored idempotently, and the planned one is planned again.
 */
class Pipeline {
  readonly #deps: ShardDeps;
  readonly #nextEntries: EntrySource;
  readonly #watermark: () => Promise<void>;
  #reading: Promise<StreamEntry[]> | undefined;
  #preparing: Promise<Batch | undefined> | undefined;
  /** The last two batches that were sent; every earlier one is committed. */
  #previous: SentBatch | undefined;
  #latest: SentBatch | undefined;
  #acknowledging: Promise<void> = Promise.resolve();

  constructor(deps: ShardDeps) {
    this.#deps = deps;
    this.#nextEntries = deps.createSource();
    this.#watermark = createWatermark(deps);
  }

  /** Runs until the signal fires, and finishes the batches that were read by then; rejects when the consumer group is gone. */
  async run(): Promise<void> {
    try {
      this.#reading = awaitedLater(this.#read());
      this.#preparing = awaitedLater(this.#prepare());
      while (this.#preparing !== undefined) await this.#sendNext(this.#preparing);
      await this.#previous?.result;
      await this.#latest?.result;
      await this.#acknowledging;
    } finally {
      const sent = [this.#previous, this.#latest].map(async (batch) => batch?.result);
      await Promise.allSettled([this.#reading, this.#preparing, this.#acknowledging, ...sent]);
    }
  }

  async #sendNext(next: Promise<Batch | undefined>): Promise<void> {
    const planned = await next;
    const batch = (await this.#isPlanValid()) ? planned : await this.#planAgain(planned);
    this.#previous = this.#latest;
    this.#latest = batch && this.#send(batch);
    this.#preparing = this.#reading === undefined ? undefined : awaitedLater(this.#prepare());
  }

  /** Waits until all batches but the latest are committed. Returns whether the state that they were planned to leave is the stored one. */
  async #isPlanValid(): Promise<boolean> {
    return (await this.#previous?.result)?.isOptimistic !== false;
  }

  /** Plans a batch when all batches before it are committed, from what is stored alone. */
  async #planAgain(batch: Batch | undefined): Promise<Batch | undefined> {
    await this.#latest?.result;
    this.#previous = undefined;
    this.#latest = undefined;
    return batch && this.#plan(batch.source);
  }

  /** Plans as if the batches in flight were stored. */
  #plan(source: StreamEntry[]): Promise<Batch> {
    const before = [this.#previous?.projected, this.#latest?.projected].filter((each) => each !== undefined);
    return this.#planAfter(source, before);
  }

  #planAfter(source: StreamEntry[], before: readonly ProjectedState[]): Promise<Batch> {
    const { stream, plan } = this.#deps;
    return retryStep(this.#deps, async () => ({ source, planned: await plan(decodeEntries(stream, source), before) }));
  }

  /** The next entries, still encoded: decoded ones are ten times as large. Empty where none came for a while. */
  async #read(): Promise<StreamEntry[]> {
    await retryStep(this.#deps, this.#watermark);
    return retryStep(this.#deps, this.#nextEntries);
  }

  /** Plans the entries that were read, and starts reading the next ones. */
  async #prepare(): Promise<Batch | undefined> {
    const entries = (await this.#reading) ?? [];
    this.#reading = this.#deps.signal.aborted ? undefined : awaitedLater(this.#read());
    return entries.length === 0 ? undefined : this.#plan(entries);
  }

  /**
   * Sends a batch at once. Keep only the encoded lines: click objects that live through the write are copied by the garbage collector
   * several times.
   */
  #send({ source, planned }: Batch): SentBatch {
    const { entryIds, deadLetters, retryable } = planned.entries;
    const storing = awaitedLater(this.#deps.store.storeOptimistic(planned));
    const read = { entryIds, deadLetters, retryable };
    const result = awaitedLater(this.#finish({ source, read, storing }, this.#previous));
    return { projected: planned.projected, result };
  }

  /** Resolves when the batch and the one before it are committed; the acknowledgement goes on meanwhile. */
  async #finish({ source, read, storing }: SendingBatch, previous: SentBatch | undefined): Promise<StoreResult> {
    await previous?.result;
    // A click is stored already or cannot be stored, another worker wrote between, or Postgres is away: storing idempotently handles each.
    const result = await storing.catch(() => this.#storeIdempotent(source));
    await this.#deps.onStep('committed');
    await this.#acknowledging;
    this.#acknowledging = awaitedLater(retryStep(this.#deps, () => this.#deps.acknowledge(read, result)));
    return result;
  }

  async #storeIdempotent(source: StreamEntry[]): Promise<StoreResult> {
    const { planned } = await this.#planAfter(source, []);
    return retryStep(this.#deps, () => this.#deps.store.storeIdempotent(planned));
  }
}

/** Consumes one shard until the signal fires; never rejects. */
export async function consumeShard(deps: ShardDeps): Promise<void> {
  const { shard, consumer, log, signal } = deps;
  while (!signal.aborted) {
    try {
      await retryStep(deps, () => consumer.join());
      await consumer.removeConsumers('abandoned');
      // Plans made from now on are valid until another worker stores clicks of this shard.
      await retryStep(deps, () => deps.store.begin());
      await new Pipeline(deps).run();
    } catch (error) {
      // A stream or group that is gone (FLUSHALL, a new Redis) is made again; no other error may end the worker either.
      if (!signal.aborted) log.error({ err: error, shard }, 'the click worker starts again');
      await sleep(RETRY.firstMs, signal);
    }
  }
}
