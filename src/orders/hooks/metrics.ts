import { Counter } from 'prom-client';
import type { MetricsRegistry } from '../../http/metrics.ts';

export interface HookMetrics {
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
  return {
    refused: (source, reason) => refused.inc({ source, reason }),
    recorded: (source, outcome) => recorded.inc({ source, outcome }),
  };
}
