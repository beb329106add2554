import { Counter, Histogram } from 'prom-client';
import type { MetricsRegistry } from '../../http/metrics.ts';
import type { IntakeMetrics } from './batch-messages.ts';

export interface HookMetrics extends IntakeMetrics {
  /** A message that did not verify: nothing was stored. */
  refused(source: string, reason: string): void;
  /** A verified message, by what became of it. */
  recorded(source: string, outcome: string): void;
}

/** Registers the counters of messages in. A rise of `conflict` or `quarantined` is for a person to look at. */
export function createHookMetrics(registry: MetricsRegistry): HookMetrics {
  const refused = new Counter({
    name: 'order_messages_refused_total',
    help: 'Order messages that did not verify; nothing of them was stored',
    labelNames: ['source', 'reason'],
    registers: [registry],
  });
  const recorded = new Counter({
    name: 'order_messages_total',
    help: 'Verified order messages by outcome',
    labelNames: ['source', 'outcome'],
    registers: [registry],
  });
  const batches = new Histogram({
    name: 'order_batch_messages',
    help: 'Order messages recorded in one transaction, or in one that failed and was taken apart',
    labelNames: ['outcome'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [registry],
  });
  const turnedAway = new Counter({
    name: 'order_messages_turned_away_total',
    help: 'Order messages answered 503 because too many waited or recording took too long',
    labelNames: ['reason'],
    registers: [registry],
  });
  return {
    batch: (messages, outcome) => batches.observe({ outcome }, messages),
    turnedAway: (reason) => turnedAway.inc({ reason }),
    refused: (source, reason) => refused.inc({ source, reason }),
    recorded: (source, outcome) => recorded.inc({ source, outcome }),
  };
}
