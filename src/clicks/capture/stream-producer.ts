import type { Logger } from 'pino';

import { encodeClickLine } from '../click-batch.ts';
import type { Click } from '../../core/clicks/click.ts';
import { Lane } from './click-batcher.ts';
import type { LaneDeps, ReportUnacked } from './click-batcher.ts';
import { shardOf, shardsOf } from '../click-batch.ts';

export interface ClickStream {
  /**
   * Adds a click and calls back exactly once: true when it is durable (Redis acknowledged it, or after 80 ms at most the spool has it on
   * disk), false when it could not be kept in time. After false the click may still be stored.
   */
  append(click: Click, done: (isKept: boolean) => void): void;
  /** Resolves when every click was called back for. Append nothing after it was called. */
  stop(): Promise<void>;
}

export interface ClickStreamDeps extends LaneDeps {
  /** CLICK_SHARDS: over how many streams visitors are spread. */
  shardCount: number;
}

/** An outage is logged once in as long, with the number of clicks since. */
const LOG_EVERY_MS = 5_000;

/** Counts clicks that Redis did not acknowledge, and logs them once in a while: during an outage there are thousands a second. */
function createReport({ metrics, log }: { metrics: ClickStreamDeps['metrics']; log: Logger }): ReportUnacked {
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
    if (untracked > 0) log.error(facts, 'clicks could not be kept: visitors are sent on untracked');
    else log.warn(facts, 'redis does not acknowledge clicks: the spool keeps them');
    spooled = 0;
    untracked = 0;
  };
}

/** The streams of all shards, as the redirect sees them: a click in, an acknowledgement out. */
export function createClickStream(deps: ClickStreamDeps): ClickStream {
  const report = createReport(deps);
  const { shardCount } = deps;
  const lanes = shardsOf(shardCount).map((shard) => new Lane(shard, deps, report));
  return {
    append: (click, done) => {
      const line = encodeClickLine(click);
      const lane = lanes[shardOf(click.visitor, shardCount)];
      if (lane === undefined) throw new RangeError('a visitor falls into a shard');
      lane.append(line, done);
    },
    stop: async () => {
      await Promise.all(lanes.map((lane) => lane.idle()));
    },
  };
}
