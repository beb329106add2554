import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import type { RedisClient } from '../../infra/redis.ts';
import { pause } from '../../infra/repeat.ts';
import { CLICK_FIELD, streamKey } from '../click-batch.ts';
import { codeOf } from './folder.ts';
import { joinSpoolFrames } from './frame.ts';
import type { SpoolEntry, SpoolGap } from './frame.ts';
import type { SpoolMetrics } from './metrics.ts';
import { startPublishing } from './publish-status.ts';
import { keepGap, readSegment, setAside } from './segment-reader.ts';
import type { Segment } from './spool-index.ts';
import type { DrainableSpool } from './spool.ts';

export interface SpoolDrainDeps {
  spool: DrainableSpool;
  /** A connection of role `commands`. */
  redis: RedisClient;
  db: Db;
  log: Logger;
  metrics: SpoolMetrics;
  now: () => Date;
}

/** How often it is looked whether there is something to drain and somebody to drain to. */
const LOOK_EVERY_MS = 100;
/** The segment being written is taken when it has been written to for so long: a Redis that is late now and then makes few files. */
const SEAL_AFTER_MS = 500;
/**
 * Between pieces of 256 KB, some 2,500 clicks: at most 80,000 clicks a second, about what a worker takes. Without it a replay ran at 700,000 a
 * second and left visitors half of the processor.
 */
const BETWEEN_PIECES_MS = 30;
/** While Redis refuses: 100, 200, 400, … 2,000 ms, each times 0.5 to 1, so that processes do not come all at once. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
/** A file that cannot be read is left alone for so long, then twice as long, up to ten minutes. */
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 600_000;
/** While stopping, what can be drained within this need not wait for the next process. */
const LAST_DRAIN_MS = 1_000;
const LAST_WORD_MS = 500;

class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** Sends one entry until Redis has acknowledged it; the time of the entry, ms. Sending twice is harmless: the click ids absorb it. */
async function send(entry: SpoolEntry, { redis, log }: SpoolDrainDeps, signal: AbortSignal): Promise<number> {
  for (let failures = 0; ;) {
    if (signal.aborted) throw new StoppedError();
    try {
      if (redis.status === 'ready') {
        const id = await redis.xadd(streamKey(entry.shard), '*', CLICK_FIELD, entry.text);
        return Number.parseInt(id ?? '', 10);
      }
    } catch (error) {
      if (failures === 0) log.warn({ err: error }, 'spooled clicks cannot be handed to redis; trying again');
    }
    failures += 1;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
    await pause(delayMs * (0.5 + Math.random() / 2), signal);
  }
}

/** Keeps what is no click, before the segment is deleted; where the bytes cannot be copied, the file is set aside as a whole. */
async function dealWithGaps(segment: Segment, gaps: readonly SpoolGap[], deps: SpoolDrainDeps): Promise<void> {
  const { spool, metrics, log } = deps;
  for (const gap of gaps) {
    // Behind the last fdatasync of this very process nobody was promised anything.
    const isTorn = gap.isTorn || (segment.syncedBytes !== undefined && gap.start >= segment.syncedBytes);
    metrics.damaged(isTorn ? 'torn' : 'damaged');
    const facts = { file: segment.path, from: gap.start, bytes: gap.end - gap.start };
    if (isTorn) log.warn(facts, 'a write to the spool was cut short; nobody was told that it was kept');
    else log.error(facts, 'a spool file is damaged');
    if ((await keepGap(segment, gap, spool.damagedDir)) || isTorn || segment.fd !== undefined) continue;
    await setAside(segment, spool.damagedDir);
    return;
  }
}

async function drainSegment(segment: Segment, deps: SpoolDrainDeps, signal: AbortSignal): Promise<void> {
  const { spool, metrics, now } = deps;
  const gaps: SpoolGap[] = [];
  let sentAtMs = now().getTime();
  for await (const piece of readSegment(segment)) {
    gaps.push(...piece.gaps);
    for (const entry of joinSpoolFrames(piece.frames)) {
      sentAtMs = Math.max(sentAtMs, await send(entry, deps, signal));
      metrics.drained(entry.clicks);
    }
    await pause(BETWEEN_PIECES_MS, signal);
  }
  await dealWithGaps(segment, gaps, deps);
  await spool.finish(segment, sentAtMs);
}

/** What a segment that could not be drained means for it. */
function setBack(segment: Segment, error: unknown, { spool, metrics, log, now }: SpoolDrainDeps): void {
  if (codeOf(error) === 'ENOENT') {
    metrics.damaged('vanished');
    log.error({ file: segment.path, clicks: segment.clicks }, 'a spool file is gone: removed, or taken over');
    spool.index.markSent(segment, now().getTime());
    return;
  }
  const restMs = Math.min(2 * (segment.restMs ?? FIRST_REST_MS / 2), LONGEST_REST_MS);
  segment.restMs = restMs;
  segment.restUntilMs = performance.now() + restMs;
  log.error({ err: error, file: segment.path, restMs }, 'a spool file cannot be drained; trying again later');
}

/**
 * Hands spooled clicks to Redis as soon as it takes them, the oldest segment first, one entry at a time, so that live clicks come between.
 * A segment is deleted when all of it is acknowledged. It also tells Postgres what is still on disk, because attribution waits for that.
 *
 * `stop` hands over for a second what it can, says to Postgres what is left, and resolves within 2 s.
 */
export function startSpoolDrain(deps: SpoolDrainDeps): { stop(): Promise<void> } {
  const { spool, redis } = deps;
  const stopping = new AbortController();
  const stopped = new AbortController();
  const publishing = startPublishing({ ...deps, index: spool.index });
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const isStopping = stopping.signal.aborted;
      const segment =
        redis.status === 'ready' ? spool.next({ sealAfterMs: isStopping ? 0 : SEAL_AFTER_MS }) : undefined;
      if (segment === undefined) {
        if (isStopping && (redis.status !== 'ready' || spool.backlog().clicks === 0)) return;
        await pause(LOOK_EVERY_MS, isStopping ? stopped.signal : stopping.signal);
        continue;
      }
      try {
        await drainSegment(segment, deps, stopped.signal);
      } catch (error) {
        if (!(error instanceof StoppedError)) setBack(segment, error, deps);
      }
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      const patience = new AbortController();
      await Promise.race([running, pause(LAST_DRAIN_MS, patience.signal)]);
      stopped.abort();
      await running;
      await Promise.race([publishing.stop(), pause(LAST_WORD_MS, patience.signal)]);
      patience.abort();
    },
  };
}
