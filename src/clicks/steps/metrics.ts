import { Counter, Gauge } from 'prom-client';

import type { Step } from '../../core/vocabulary.ts';
import type { MetricsRegistry } from '../../http/metrics.ts';

/** Where the content of a page came from. `old`: Postgres did not answer; `missing`: neither did anybody else, so the visitor was sent straight on. */
export type ContentSource = 'remembered' | 'read' | 'old' | 'missing';

/**
 * What became of a reported step. `kept`: in Postgres, now or before. `malformed`, `forged`, `expired`: refused; `machine`: reported by a
 * program and left out. `full`, `late`, `failed`: Postgres did not take it in time.
 */
export type StepResult = 'kept' | 'malformed' | 'forged' | 'expired' | 'machine' | 'full' | 'late' | 'failed';

export interface PageMetrics {
  contentFound(source: ContentSource): void;
  /** `unknown`: the report could not be read. */
  stepped(step: Step | 'unknown', result: StepResult): void;
  /** Steps of this process that wait for their COMMIT. */
  stepsWaiting(steps: number): void;
}

/** Registers everything that is measured of middle pages. */
export function createPageMetrics(registry: MetricsRegistry): PageMetrics {
  const registers = [registry];
  const contents = new Counter({
    name: 'middle_page_contents_total',
    help: 'Contents of middle pages by where they came from; missing ones were answered by a redirect',
    labelNames: ['source'],
    registers,
  });
  const steps = new Counter({
    name: 'middle_page_steps_total',
    help: 'Steps reported by middle pages, by what became of them',
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
