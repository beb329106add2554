import { readFileSync } from 'node:fs';
import { buildApp } from '../app.ts';
import { createClickMetrics } from '../clicks/metrics.ts';
import { createClickStream } from '../clicks/click-stream.ts';
import { createVisitorKeys } from '../clicks/visitor-keys.ts';
import { startClickWorker } from '../clicks/worker.ts';
import { createClickIdReader } from '../core/click-id.ts';
import { createMetricsRegistry, createMetricsServer, type MetricsRegistry } from '../http/metrics.ts';
import type { Server } from '../http/server.ts';
import { startJobs } from '../jobs.ts';
import { createLinkResolver } from '../links/resolve.ts';
import type { Runtime } from './runtime.ts';

/**
 * Where the command line meets the rest of daihuo: one function for each thing a process can run. Whatever is opened here is closed by a
 * phase of the shutdown, the one opened last first.
 */

const now = (): Date => new Date();

/** Everything one process measures, whatever parts of daihuo it runs. */
export interface Measures {
  registry: MetricsRegistry;
  clickMetrics: ReturnType<typeof createClickMetrics>;
}

/** The registry of the process; with METRICS_PORT also a server that shows it without a key. */
export async function openMeasures(runtime: Runtime): Promise<Measures> {
  const { config, log, shutdown } = runtime;
  const registry = createMetricsRegistry();
  const clickMetrics = createClickMetrics(registry);
  if (config.metricsPort !== undefined) {
    const server = createMetricsServer({ registry, log });
    await server.listen({ host: config.host, port: config.metricsPort });
    shutdown.add('metrics', 1_000, async () => server.close());
  }
  return { registry, clickMetrics };
}

/** The HTTP application, not yet listening. `publicUrl` is asked late, because the port may be chosen late. */
export async function openApp(
  runtime: Runtime,
  measures: Measures,
  address: () => string | undefined,
): Promise<Server> {
  const { config, db, redis, log, shutdown, keys, urls } = runtime;
  const resolver = createLinkResolver({ db, databaseUrl: urls.databaseUrl, redis, log, now });
  shutdown.add('link changes', 1_000, async () => resolver.stop());
  const visitorKeys = createVisitorKeys({ db, now, log });
  shutdown.add('visitor keys', 1_000, async () => visitorKeys.stop());
  await visitorKeys.refresh();
  const clickStream = createClickStream({ redis, metrics: measures.clickMetrics, log });
  shutdown.add('click stream', 2_000, async () => clickStream.stop());
  return buildApp({
    db,
    redis,
    log,
    now,
    keys,
    ...measures,
    redirect: { resolver, clickStream, visitorKeys },
    publicUrl: () => config.publicUrl ?? address() ?? `http://${config.host}`,
    isDraining: () => shutdown.signal.aborted,
    eligibilityRule: { minStars: config.minStoreRating, minAgeDays: config.minStoreAgeDays },
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    trustProxy: config.trustProxy,
    version: readVersion(),
    ...(config.adminKey === undefined ? {} : { adminKey: config.adminKey }),
  });
}

/** The worker, running: clicks from Redis to Postgres, and every timed job. */
export function openWorker(runtime: Runtime, measures: Measures): void {
  const { config, db, log, shutdown, keys, urls } = runtime;
  const jobs = startJobs({
    db,
    log,
    now,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: config.inferenceDelaySeconds,
  });
  shutdown.add('jobs', 5_000, async () => jobs.stop());
  const worker = startClickWorker({ db, redisUrls: urls.redisUrl, metrics: measures.clickMetrics, log, now });
  shutdown.add('click worker', 5_000, async () => worker.stop());
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version?: unknown }).version);
}
