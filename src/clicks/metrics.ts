import { Counter, Gauge, Histogram } from 'prom-client';

import type { FallbackKind } from '../core/links/fallback.ts';
import type { MetricsRegistry } from '../http/metrics.ts';

/**
 * How a request through a link was answered. `page`: with the middle page. `untracked`: redirected or shown the page, but the click could not
 * be kept in time. `limited`: not looked up, because its network had asked for too many unknown codes.
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
 * Why Redis did not acknowledge a click: no connection, no answer in time, an error as the answer, too many clicks waiting, or not sent to
 * Redis because Redis had been late or had refused a moment before.
 */
export type UnackedReason = 'away' | 'late' | 'refused' | 'full' | 'resting';

/** What is measured of visits and of their clicks until they are durable. */
export interface ClickMetrics {
  redirected(outcome: RedirectOutcome): void;
  /** A visit to a paused or gone link, by what was offered instead. */
  deadLinkAnswered(fallback: FallbackKind | 'none'): void;
  /** One stream entry acknowledged. */
  appended(entry: { clicks: number; seconds: number }): void;
  unacked(reason: UnackedReason): void;
  /** Clicks of this process that wait for their entry. */
  waiting(clicks: number): void;
}

/** Registers what is measured of visits and of clicks on their way to a stream. */
export function createClickMetrics(registry: MetricsRegistry): ClickMetrics {
  const registers = [registry];
  // Counted in plain numbers and passed on at each collection: a counter of the library costs more than the rest of a batch.
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
    help: 'Visits to links that are paused or gone, by what was offered instead',
    labelNames: ['fallback'],
    registers,
  });
  const appended = new Counter({ name: 'clicks_appended_total', help: 'Clicks acknowledged by Redis', registers });
  const unacked = new Counter({
    name: 'clicks_unacked_total',
    help: 'Clicks that Redis did not acknowledge in time; the spool keeps them, or their visitors are redirected without a click id',
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
