import { Counter, Gauge } from 'prom-client';

import type { Step } from '../../core/clicks/visit-step.ts';
import type { MetricsRegistry } from '../../http/metrics.ts';

/** Source of the content of a page. `old`: Postgres did not answer, so an expired copy was used; `missing`: there was no copy either, and the visitor was redirected. */
export type ContentSource = 'remembered' | 'read' | 'old' | 'missing';

/**
 * Result of a reported step. `kept`: in Postgres, now or before. `malformed`, `forged`, `expired`: refused; `machine`: reported by a program and
 * ignored. `full`, `late`, `failed`: Postgres did not store it in time.
 */
export type StepResult = 'kept' | 'malformed' | 'forged' | 'expired' | 'machine' | 'full' | 'late' | 'failed';

export interface PageMetrics {
  contentFound(source: ContentSource): void;
  /** `unknown`: the report could not be read. */
  stepped(step: Step | 'unknown', result: StepResult): void;
  /** Steps of this process that wait for their COMMIT. */
  stepsWaiting(steps: number): void;
}

/** Registers what is measured of middle pages. */
export function createPageMetrics(registry: MetricsRegistry): PageMetrics {
  const registers = [registry];
  const contents = new Counter({
    name: 'middle_page_contents_total',
    help: 'Contents of middle pages by source; missing ones were answered by a redirect',
    labelNames: ['source'],
    registers,
  });
  const steps = new Counter({
    name: 'middle_page_steps_total',
    help: 'Steps reported by middle pages, by result',
    labelNames: ['step', 'result'],
    registers,
  });
  const waiting = new Gauge({
    name: 'middle_page_steps_waiting',
    help: 'Steps that wait for their COMMIT',
    registers,
  });
  return {
    contentFound: (source) => contents.inc({ source }),
    stepped: (step, result) => steps.inc({ step, result }),
    stepsWaiting: (count) => waiting.set(count),
  };
}
