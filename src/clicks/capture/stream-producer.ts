import type { Logger } from 'pino';

import type { Click } from '../../core/clicks/click.ts';
import { encodeClickLine, shardOf, shardsOf } from '../click-batch.ts';
import { ClickBatcher } from './click-batcher.ts';
import type { BatcherDeps, ReportUnacked } from './click-batcher.ts';

export interface StreamProducer {
  /**
   * Adds a click and calls `done` exactly once: true when the click is durable (Redis acknowledged it, or after at most 80 ms the spool took
   * it to disk), false when it could not be kept in time. After false the click may still be stored.
   */
  append(click: Click, done: (isKept: boolean) => void): void;
  /** Resolves when `done` of every click was called. Append nothing after calling it. */
  stop(): Promise<void>;
}

export interface StreamProducerDeps extends BatcherDeps {
  /** CLICK_SHARDS: the number of streams over which visitors are spread. */
  shardCount: number;
}

/** An outage is logged once in this interval, with the number of clicks since the last line. */
const LOG_EVERY_MS = 5_000;

/** Counts clicks that Redis did not acknowledge, and logs sums: during an outage there are thousands a second. */
function createReport({ metrics, log }: { metrics: StreamProducerDeps['metrics']; log: Logger }): ReportUnacked {
  let spooled = 0;
  let untracked = 0;
  let loggedAtMs = -Infinity;
  return ({ reason, isKept, error }) => {
    metrics.unacked(reason);
    if (isKept) spooled += 1;
    else untracked += 1;
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < LOG_EVERY_MS) return;
    loggedAtMs = nowMs;
    const facts = { reason, spooled, untracked, err: error };
    if (untracked > 0) log.error(facts, 'clicks could not be kept: visitors are redirected untracked');
    else log.warn(facts, 'redis does not acknowledge clicks: the spool keeps them');
    spooled = 0;
    untracked = 0;
  };
}

/** Appends clicks to the streams of all shards, and answers when they are durable. */
export function createStreamProducer(deps: StreamProducerDeps): StreamProducer {
  const report = createReport(deps);
  const { shardCount } = deps;
  const batchers = shardsOf(shardCount).map((shard) => new ClickBatcher(shard, deps, report));
  return {
    append: (click, done) => {
      const line = encodeClickLine(click);
      const batcher = batchers[shardOf(click.visitor, shardCount)];
      if (batcher === undefined) throw new RangeError('every visitor belongs to a shard');
      batcher.append(line, done);
    },
    stop: async () => {
      await Promise.all(batchers.map((batcher) => batcher.idle()));
    },
  };
}
