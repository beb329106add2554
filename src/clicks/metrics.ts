import { Counter, Gauge, Histogram } from 'prom-client';

import type { FallbackKind } from '../core/links/landing-mode.ts';
import type { MetricsRegistry } from '../http/metrics.ts';

/**
 * How a request through a link was answered. `page`: with the middle page. `untracked`: sent on or shown the page, but the click could not be
 * kept in time. `limited`: not looked up, too many misses came from its network.
 */
export type RedirectOutcome =
  | 'tracked'
  | 'page'
  | 'untracked'
  | 'unknown'
  | 'limited'
  | 'paused'
  | 'gone'
  | 'unavailable';

/**
 * Why Redis did not acknowledge a click: no connection, no answer in time, an error as answer, too many waiting, or it was not asked because
 * it had just been late or refused.
 */
export type UnackedReason = 'away' | 'late' | 'refused' | 'full' | 'resting';

export interface IngestedClicks {
  stored: number;
  /** Delivered once more; nothing was written for them. */
  duplicate: number;
}

export interface ClickMetrics {
  redirected(outcome: RedirectOutcome): void;
  /** What the visitor of a paused or gone link was given instead. */
  deadLinkAnswered(fallback: FallbackKind | 'none'): void;
  /** One stream entry acknowledged. */
  appended(entry: { clicks: number; seconds: number }): void;
  unacked(reason: UnackedReason): void;
  /** Clicks of this process that wait for their entry. */
  waiting(clicks: number): void;
  ingested(clicks: IngestedClicks): void;
  deadLettered(reason: string): void;
  /** Entries that left the stream before a worker had them: loss, somebody must look. */
  vanished(entries: number): void;
  streamSeen(stream: { shard: number; entries: number; lagSeconds: number }): void;
  /** Shards that this worker consumes. */
  shardsHeld(shards: number): void;
}

function createRedirectMetrics(
  registers: MetricsRegistry[],
): Pick<ClickMetrics, 'redirected' | 'deadLinkAnswered' | 'appended' | 'unacked' | 'waiting'> {
  // Counted in plain numbers and handed over when somebody looks: a counter of the library costs more than the rest of a batch.
  const outcomes = new Map<RedirectOutcome, number>();
  const redirects = new Counter({
    name: 'redirects_total',
    help: 'Requests through links by outcome',
    labelNames: ['outcome'],
    registers,
    collect: () => {
      for (const [outcome, count] of outcomes) redirects.inc({ outcome }, count);
      outcomes.clear();
    },
  });
  const deadLinks = new Counter({
    name: 'dead_link_answers_total',
    help: 'Visits to links that are paused or gone, by what was given instead',
    labelNames: ['fallback'],
    registers,
  });
  const appended = new Counter({ name: 'clicks_appended_total', help: 'Clicks acknowledged by Redis', registers });
  const unacked = new Counter({
    name: 'clicks_unacked_total',
    help: 'Clicks that Redis did not acknowledge in time; the spool keeps them, or their visitors are sent on without a click id',
    labelNames: ['reason'],
    registers,
  });
  const appendSeconds = new Histogram({
    name: 'click_append_seconds',
    help: 'Time until Redis acknowledged a stream entry',
    buckets: [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15],
    registers,
  });
  const waiting = new Gauge({ name: 'clicks_waiting', help: 'Clicks that wait for their stream entry', registers });
  return {
    redirected: (outcome) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
    deadLinkAnswered: (fallback) => deadLinks.inc({ fallback }),
    appended: ({ clicks, seconds }) => {
      appended.inc(clicks);
      appendSeconds.observe(seconds);
    },
    unacked: (reason) => unacked.inc({ reason }),
    waiting: (clicks) => waiting.set(clicks),
  };
}

function createIngestMetrics(
  registers: MetricsRegistry[],
): Pick<ClickMetrics, 'ingested' | 'deadLettered' | 'vanished' | 'streamSeen' | 'shardsHeld'> {
  const ingested = new Counter({
    name: 'clicks_ingested_total',
    help: 'Clicks read from the streams: stored, or delivered once more',
    labelNames: ['result'],
    registers,
  });
  const deadLetters = new Counter({
    name: 'click_dead_letters_total',
    help: 'Clicks or entries that could not be stored and were set aside',
    labelNames: ['reason'],
    registers,
  });
  const vanished = new Counter({
    name: 'click_entries_vanished_total',
    help: 'Stream entries deleted before a worker had them; must stay 0',
    registers,
  });
  const entries = new Gauge({
    name: 'click_stream_entries',
    help: 'Entries in a stream',
    labelNames: ['shard'],
    registers,
  });
  const lag = new Gauge({
    name: 'click_stream_lag_seconds',
    help: 'Age of the oldest entry in a stream',
    labelNames: ['shard'],
    registers,
  });
  const held = new Gauge({ name: 'click_shards_held', help: 'Shards that this worker consumes', registers });
  return {
    ingested: ({ stored, duplicate }) => {
      ingested.inc({ result: 'stored' }, stored);
      ingested.inc({ result: 'duplicate' }, duplicate);
    },
    deadLettered: (reason) => deadLetters.inc({ reason }),
    vanished: (count) => vanished.inc(count),
    streamSeen: (stream) => {
      entries.set({ shard: String(stream.shard) }, stream.entries);
      lag.set({ shard: String(stream.shard) }, stream.lagSeconds);
    },
    shardsHeld: (shards) => held.set(shards),
  };
}

/** Registers everything that is measured of clicks, in the redirect process and in the worker. */
export function createClickMetrics(registry: MetricsRegistry): ClickMetrics {
  return { ...createRedirectMetrics([registry]), ...createIngestMetrics([registry]) };
}
