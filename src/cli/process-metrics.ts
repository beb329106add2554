import { createIngestMetrics } from '../clicks/ingest/metrics.ts';
import { createClickMetrics } from '../clicks/metrics.ts';
import { createMetricsRegistry, createMetricsServer, type MetricsRegistry, type MetricsText } from '../http/metrics.ts';
import { metricsOfCluster } from './cluster-metrics.ts';
import type { Runtime } from './runtime.ts';

/** Everything one process measures, whatever parts of daihuo it runs. */
export interface Measures {
  registry: MetricsRegistry;
  /** Of all processes where this one is one of several; else the registry. */
  shownMetrics: MetricsText;
  clickMetrics: ReturnType<typeof createClickMetrics>;
  ingestMetrics: ReturnType<typeof createIngestMetrics>;
}

/** The registry of the process; with METRICS_PORT also a server that shows it without a key. */
export async function openMeasures(runtime: Runtime): Promise<Measures> {
  const { config, log, shutdown } = runtime;
  const registry = createMetricsRegistry();
  const clickMetrics = createClickMetrics(registry);
  const ingestMetrics = createIngestMetrics(registry);
  const ofCluster = metricsOfCluster(registry);
  // Of several processes, the one that started them shows what all measure.
  if (config.metricsPort !== undefined && ofCluster === undefined) {
    await openMetricsServer({ config, metrics: registry, log, shutdown }, config.metricsPort);
  }
  return { registry, shownMetrics: ofCluster ?? registry, clickMetrics, ingestMetrics };
}

/** Shows metrics without a key, on a port of their own. */
export async function openMetricsServer(
  deps: Pick<Runtime, 'config' | 'log' | 'shutdown'> & { metrics: MetricsText },
  port: number,
): Promise<void> {
  const server = createMetricsServer(deps);
  await server.listen({ host: deps.config.host, port });
  deps.shutdown.add('metrics', 1_000, async () => server.close());
}
