import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { AggregatorRegistry, Registry } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { MetricsRegistry, MetricsText } from '../http/metrics.ts';
import { openLine } from './cluster-line.ts';
import type { Line } from './cluster-line.ts';

/** What one process measures, as it travels. */
type Figures = MetricObjectWithValues<MetricValue<string>>[];

/** What a gauge says of a process that has ended is over; what was counted there stays counted. */
const STAYS = new Set(['counter', 'histogram']);

/**
 * The registry of one process in figures. prom-client adds `_total` to the name of a counter when it writes it, and in a sum of registries
 * does so to names that have it already.
 */
async function figuresOf(registry: MetricsRegistry): Promise<Figures> {
  const figures: Figures = await registry.getMetricsAsJSON();
  return figures.map((metric) =>
    String(metric.type) === 'counter' ? { ...metric, name: metric.name.replace(/_total$/, '') } : metric,
  );
}

function sumOf(figures: Figures[]): MetricsRegistry {
  const sum = AggregatorRegistry.aggregate<MetricsRegistry['contentType']>(figures);
  sum.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return sum;
}

/** In a process that is one of several: what all of them measure. Undefined in one that stands alone. */
export function metricsOfCluster(registry: MetricsRegistry): MetricsText | undefined {
  if (!cluster.isWorker) return undefined;
  const line = openLine(process, async () => figuresOf(registry));
  return { contentType: registry.contentType, metrics: async () => String(await line.ask()) };
}

/**
 * What all processes of a cluster measure, as one: counters and histograms added up, gauges as each says (`aggregator`, by default the sum).
 * Figures of processes that have ended stay in, as of when they were last asked: a sum that fell would look like a counter that began anew,
 * and add everything counted before once more.
 */
export class ClusterMetrics implements MetricsText {
  readonly contentType = Registry.OPENMETRICS_CONTENT_TYPE;
  readonly #own: MetricsRegistry;
  readonly #members = new Map<Worker, { line: Line; latest: Figures }>();
  #ended: Figures = [];

  /** @param own  what the process that forks the others measures itself */
  constructor(own: MetricsRegistry) {
    this.#own = own;
  }

  add(worker: Worker): void {
    this.#members.set(worker, { line: openLine(worker, async () => this.metrics()), latest: [] });
  }

  async remove(worker: Worker): Promise<void> {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    this.#members.delete(worker);
    member.line.close();
    const counted = member.latest.filter(({ type }) => STAYS.has(String(type)));
    this.#ended = await figuresOf(sumOf([this.#ended, counted]));
  }

  async metrics(): Promise<string> {
    await Promise.all(
      [...this.#members.values()].map(async (member) => {
        try {
          member.latest = (await member.line.ask()) as Figures;
        } catch {
          // It is starting, ending or stuck: what it last said counts.
        }
      }),
    );
    const latest = [...this.#members.values()].map((member) => member.latest);
    return sumOf([...latest, this.#ended, await figuresOf(this.#own)]).metrics();
  }
}
