import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import type { RedisClient } from '../../infra/redis.ts';
import { jitteredBackoffMs, sleep } from '../../infra/retry.ts';
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

/** Interval of the checks whether there are clicks to drain and a Redis that takes them. */
const CHECK_EVERY_MS = 100;
/** The open segment is drained only when its first click is this old, so that a Redis that is late now and then makes few files. */
const SEAL_AFTER_MS = 500;
/**
 * Pause between pieces of 256 KB, about 2,500 clicks: at most 80,000 clicks a second, about what a worker takes. Without it a replay ran at
 * 700,000 a second and took half of the processor from visitors.
 */
const BETWEEN_PIECES_MS = 30;
/** While Redis refuses: 100, 200, 400, … 2,000 ms, each times 0.5 to 1, so that processes do not retry all at once. */
const RETRY = { firstMs: 100, longestMs: 2_000 };
/** A file that cannot be read rests for 5 s, then twice as long each time, up to ten minutes. */
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 600_000;
/** Time for a last drain while stopping, so that fewer clicks wait for the next process. */
const LAST_DRAIN_MS = 1_000;
const LAST_PUBLISH_MS = 500;

class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** Sends one entry until Redis acknowledges it. Sending twice is harmless: the click ids remove duplicates. @returns the time of the entry, ms */
async function send(entry: SpoolEntry, { redis, log }: SpoolDrainDeps, signal: AbortSignal): Promise<number> {
  for (let failures = 0; ;) {
    if (signal.aborted) throw new StoppedError();
    try {
      if (redis.status === 'ready') {
        const id = await redis.xadd(streamKey(entry.shard), '*', CLICK_FIELD, entry.text);
        return Number.parseInt(id ?? '', 10);
      }
    } catch (error) {
      if (failures === 0) log.warn({ err: error }, 'redis does not take spooled clicks; trying again');
    }
    failures += 1;
    await sleep(jitteredBackoffMs(failures, RETRY), signal);
  }
}

/** Copies bytes that are no click before the segment is deleted; when they cannot be copied, moves the whole file aside. */
async function keepGaps(segment: Segment, gaps: readonly SpoolGap[], deps: SpoolDrainDeps): Promise<void> {
  const { spool, metrics, log } = deps;
  for (const gap of gaps) {
    // No visitor was answered for bytes behind the last fdatasync of this process.
    const isTorn = gap.isTorn || (segment.syncedBytes !== undefined && gap.start >= segment.syncedBytes);
    metrics.damaged(isTorn ? 'torn' : 'damaged');
    const facts = { file: segment.path, from: gap.start, bytes: gap.end - gap.start };
    if (isTorn) log.warn(facts, 'a write to the spool was cut short; its clicks were answered as not kept');
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
    await sleep(BETWEEN_PIECES_MS, signal);
  }
  await keepGaps(segment, gaps, deps);
  await spool.finish(segment, sentAtMs);
}

/** Records why a segment could not be drained: a missing file is forgotten, any other rests. */
function restSegment(segment: Segment, error: unknown, { spool, metrics, log, now }: SpoolDrainDeps): void {
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
 * Sends spooled clicks to Redis as soon as Redis takes them: the oldest segment first, one entry at a time, so that live clicks pass between.
 * A segment is deleted when all of it is acknowledged. Publishes to Postgres what is still on disk, because attribution waits for it.
 *
 * `stop` drains for another second, publishes what is left, and resolves within 2 s.
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
        await sleep(CHECK_EVERY_MS, isStopping ? stopped.signal : stopping.signal);
        continue;
      }
      try {
        await drainSegment(segment, deps, stopped.signal);
      } catch (error) {
        if (!(error instanceof StoppedError)) restSegment(segment, error, deps);
      }
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      const limits = new AbortController();
      await Promise.race([running, sleep(LAST_DRAIN_MS, limits.signal)]);
      stopped.abort();
      await running;
      await Promise.race([publishing.stop(), sleep(LAST_PUBLISH_MS, limits.signal)]);
      limits.abort();
    },
  };
}
