import { Counter, Gauge } from 'prom-client';

import type { MetricsRegistry } from '../../http/metrics.ts';

export interface IngestedClicks {
  stored: number;
  /** Delivered again; nothing was written for them. */
  duplicate: number;
}

/** What is measured of the worker that stores clicks. */
export interface IngestMetrics {
  ingested(clicks: IngestedClicks): void;
  deadLettered(reason: string): void;
  /** Entries that were deleted from the stream before a worker read them: lost clicks, which an operator must investigate. */
  vanished(entries: number): void;
  streamSeen(stream: { shard: number; entries: number; lagSeconds: number }): void;
  /** Shards that this worker consumes. */
  shardsHeld(shards: number): void;
}

/** Registers what is measured of the worker that stores clicks. */
export function createIngestMetrics(registry: MetricsRegistry): IngestMetrics {
  const registers = [registry];
  const ingested = new Counter({
    name: 'clicks_ingested_total',
    help: 'Clicks read from the streams: stored, or delivered again',
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
    help: 'Stream entries deleted before a worker read them; must stay 0',
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
