import type { Logger } from 'pino';
import { Counter, Gauge } from 'prom-client';

import type { MetricsRegistry } from '../../http/metrics.ts';

/** Why the spool did not keep a click: its size limit is reached, the disk fails, the disk is too slow, too many clicks wait, the process stops. */
export type SpoolRefusal = 'full' | 'failing' | 'late' | 'busy' | 'stopped';

/**
 * What was found in a spool instead of clicks: the end of a write that was cut short, other bytes without a valid checksum, a missing file.
 */
export type SpoolDamage = 'torn' | 'damaged' | 'vanished';

export interface SpoolBacklog {
  clicks: number;
  bytes: number;
  /** Time of the oldest click that is kept and not drained; undefined when there is none. */
  oldestAt: Date | undefined;
}

export interface SpoolMetrics {
  /** Clicks that reached the disk. */
  spooled(clicks: number): void;
  refused(reason: SpoolRefusal): void;
  /** Clicks that Redis acknowledged. */
  drained(clicks: number): void;
  damaged(kind: SpoolDamage): void;
  usable(isUsable: boolean): void;
  /** Sets the functions that are called at each collection. */
  watch(backlog: () => SpoolBacklog, now: () => Date): void;
}

/** Registers everything that is measured of the spool. */
export function createSpoolMetrics(registry: MetricsRegistry): SpoolMetrics {
  const registers = [registry];
  let backlog = (): SpoolBacklog => ({ clicks: 0, bytes: 0, oldestAt: undefined });
  let now = (): Date => new Date(0);
  const spooled = new Counter({ name: 'clicks_spooled_total', help: 'Clicks kept on the local disk', registers });
  const refused = new Counter({
    name: 'click_spool_refused_total',
    help: 'Clicks the spool could not keep; their visitors were redirected without a click id',
    labelNames: ['reason'],
    registers,
  });
  const drained = new Counter({
    name: 'clicks_drained_total',
    help: 'Clicks sent from the spool to Redis; those sent again after a failure count again',
    registers,
  });
  const damaged = new Counter({
    name: 'click_spool_damaged_total',
    help: 'Pieces of spool files that are no click, and missing files',
    labelNames: ['kind'],
    registers,
  });
  const usable = new Gauge({
    name: 'click_spool_usable',
    help: '1 while the spool takes clicks',
    // Of several processes, the one whose spool fails is the one that an operator must see.
    aggregator: 'min',
    registers,
  });
  const backlogClicks = new Gauge({
    name: 'click_spool_backlog_clicks',
    help: 'Clicks in the spool',
    registers,
    collect: () => {
      backlogClicks.set(backlog().clicks);
    },
  });
  const backlogBytes = new Gauge({
    name: 'click_spool_backlog_bytes',
    help: 'Bytes of clicks in the spool',
    registers,
    collect: () => {
      backlogBytes.set(backlog().bytes);
    },
  });
  const oldestSeconds = new Gauge({
    name: 'click_spool_oldest_seconds',
    help: 'Age of the oldest click in the spool',
    aggregator: 'max',
    registers,
    collect: () => {
      const { oldestAt } = backlog();
      oldestSeconds.set(oldestAt === undefined ? 0 : Math.max(0, now().getTime() - oldestAt.getTime()) / 1_000);
    },
  });
  return {
    spooled: (clicks) => spooled.inc(clicks),
    refused: (reason) => refused.inc({ reason }),
    drained: (clicks) => drained.inc(clicks),
    damaged: (kind) => damaged.inc({ kind }),
    usable: (isUsable) => usable.set(isUsable ? 1 : 0),
    watch: (...given) => {
      [backlog, now] = given;
    },
  };
}

const LOG_EVERY_MS = 5_000;
/** Refusals that are logged, as one sum for each interval and not once for each click. */
const LOGGED: ReadonlySet<SpoolRefusal> = new Set(['full', 'failing', 'late', 'busy']);

/** Returns the function that counts a refused click, and logs sums: during an outage of the disk there are thousands a second. */
export function createRefusalReport({
  metrics,
  log,
}: {
  metrics: SpoolMetrics;
  log: Logger;
}): (reason: SpoolRefusal) => void {
  let clicks = 0;
  let loggedAtMs = -Infinity;
  return (reason) => {
    metrics.refused(reason);
    if (!LOGGED.has(reason)) return;
    clicks += 1;
    const nowMs = performance.now();
    if (nowMs - loggedAtMs < LOG_EVERY_MS) return;
    log.error({ reason, clicks }, 'the spool cannot keep clicks');
    loggedAtMs = nowMs;
    clicks = 0;
  };
}
