import { readFileSync } from 'node:fs';
import { type VisitorAppDeps, buildApp, buildVisitorApp } from '../app.ts';
import { createClickMetrics } from '../clicks/metrics.ts';
import { createClickStream } from '../clicks/click-stream.ts';
import { startSpoolDrain } from '../clicks/spool/drain.ts';
import { createSpoolMetrics } from '../clicks/spool/metrics.ts';
import { type Spool, openSpool } from '../clicks/spool/spool.ts';
import { createVisitorKeys } from '../clicks/visitor-keys.ts';
import { startClickWorker } from '../clicks/worker.ts';
import { createClickIdReader } from '../core/click-id.ts';
import { createMetricsRegistry, createMetricsServer, type MetricsRegistry, type MetricsText } from '../http/metrics.ts';
import type { Server } from '../http/server.ts';
import { createGuardedFetch } from '../infra/guarded-fetch.ts';
import type { Config } from '../infra/config.ts';
import { startJobs } from '../jobs.ts';
import { createEntryDomains } from '../links/entry-domains/entry-domains.ts';
import { createLinkResolver } from '../links/resolve.ts';
import { metricsOfCluster } from './cluster-metrics.ts';
import type { Runtime } from './runtime.ts';
import type { SchemaWatch } from './schema.ts';

/**
 * Where the command line meets the rest of daihuo: one function for each thing a process can run. Whatever is opened here is closed by a
 * phase of the shutdown, the one opened last first.
 */

const now = (): Date => new Date();

/** Everything one process measures, whatever parts of daihuo it runs. */
export interface Measures {
  registry: MetricsRegistry;
  /** Of all processes where this one is one of several; else the registry. */
  shownMetrics: MetricsText;
  clickMetrics: ReturnType<typeof createClickMetrics>;
}

/** The registry of the process; with METRICS_PORT also a server that shows it without a key. */
export async function openMeasures(runtime: Runtime): Promise<Measures> {
  const { config, log, shutdown } = runtime;
  const registry = createMetricsRegistry();
  const clickMetrics = createClickMetrics(registry);
  const ofCluster = metricsOfCluster(registry);
  // Of several processes, the one that started them shows what all measure.
  if (config.metricsPort !== undefined && ofCluster === undefined) {
    await openMetricsServer({ config, metrics: registry, log, shutdown }, config.metricsPort);
  }
  return { registry, shownMetrics: ofCluster ?? registry, clickMetrics };
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

/** Where clicks go that Redis does not take, and the way back to it. */
async function openClickSpool({ config, db, redis, log, shutdown }: Runtime, { registry }: Measures): Promise<Spool> {
  const metrics = createSpoolMetrics(registry);
  const spool = await openSpool({ dir: config.spoolDir, maxBytes: config.spoolMaxBytes, log, metrics, now });
  shutdown.add('spool', 2_000, async () => spool.stop());
  const drain = startSpoolDrain({ spool, redis, db, log, metrics, now });
  shutdown.add('spool drain', 2_000, async () => drain.stop());
  return spool;
}

/** What visitors are served with. `publicUrl` is asked late, because the port may be chosen late. */
async function openVisitorParts(
  runtime: Runtime,
  measures: Measures,
  address: () => string | undefined,
  schema?: SchemaWatch,
): Promise<VisitorAppDeps> {
  const { config, db, redis, log, shutdown, keys, urls } = runtime;
  const resolver = createLinkResolver({ db, databaseUrl: urls.databaseUrl, redis, log, now });
  shutdown.add('link changes', 1_000, async () => resolver.stop());
  const visitorKeys = createVisitorKeys({ db, now, log });
  shutdown.add('visitor keys', 1_000, async () => visitorKeys.stop());
  // Started without Postgres, clicks are hashed with a key of this process until it is there.
  if (schema === undefined || schema.isCurrent()) await visitorKeys.refresh();
  else schema.whenCurrent(async () => visitorKeys.refresh());
  const publicUrl = (): string => config.publicUrl ?? address() ?? `http://${config.host}`;
  const entryDomains = createEntryDomains({ db, publicUrl, log });
  shutdown.add('entry domains', 1_000, async () => entryDomains.stop());
  if (schema === undefined || schema.isCurrent()) await entryDomains.refresh();
  else schema.whenCurrent(async () => entryDomains.refresh());
  const spool = await openClickSpool(runtime, measures);
  const { clickShards: shardCount } = config;
  const clickStream = createClickStream({ redis, spool, shardCount, metrics: measures.clickMetrics, log });
  shutdown.add('click stream', 2_000, async () => clickStream.stop());
  return {
    db,
    redis,
    log,
    now,
    keys,
    ...measures,
    redirect: { resolver, clickStream, visitorKeys },
    publicUrl,
    entryDomains,
    isDraining: () => shutdown.signal.aborted,
    trustProxy: config.trustProxy,
    missLimits: { burst: config.missBurst, perSecond: config.missesPerMinute / 60 },
    ...(config.adminKey === undefined ? {} : { adminKey: config.adminKey }),
  };
}

/** The whole HTTP application, not yet listening. */
export async function openApp(
  runtime: Runtime,
  measures: Measures,
  address: () => string | undefined,
): Promise<Server> {
  const { config } = runtime;
  return buildApp({
    ...(await openVisitorParts(runtime, measures, address)),
    eligibilityRule: { minStars: config.minStoreRating, minAgeDays: config.minStoreAgeDays },
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    version: readVersion(),
  });
}

/** The application of a process that serves visitors only, not yet listening. */
export async function openVisitorApp(
  runtime: Runtime,
  measures: Measures,
  address: () => string | undefined,
  schema: SchemaWatch,
): Promise<Server> {
  return buildVisitorApp({
    ...(await openVisitorParts(runtime, measures, address, schema)),
    schemaCheck: schema.check,
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
    ...(config.asksOutside
      ? { outgoing: { fetch: createGuardedFetch({ userAgent: userAgentOf(config) }), registry: measures.registry } }
      : {}),
  });
  shutdown.add('jobs', 5_000, async () => jobs.stop());
  const worker = startClickWorker({
    db,
    redisUrls: urls.redisUrl,
    shardCount: config.clickShards,
    metrics: measures.clickMetrics,
    log,
    now,
  });
  shutdown.add('click worker', 5_000, async () => worker.stop());
}

/** Who asks, in words a shop's operator can look up. */
function userAgentOf({ publicUrl }: Config): string {
  const name = `daihuo/${readVersion()}`;
  return publicUrl === undefined ? name : `${name} (+${publicUrl})`;
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version?: unknown }).version);
}
