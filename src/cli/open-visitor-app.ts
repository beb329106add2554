import { createClickStream } from '../clicks/capture/stream-producer.ts';
import { startSpoolDrain } from '../clicks/spool/drain.ts';
import { createSpoolMetrics } from '../clicks/spool/metrics.ts';
import { type Spool, openSpool } from '../clicks/spool/spool.ts';
import { createVisitorKeys } from '../clicks/visitor-keys/visitor-keys.ts';
import type { Server } from '../http/server.ts';
import { createEntryDomains } from '../links/entry-domains/entry-domains.ts';
import { createLinkResolver } from '../links/resolve.ts';
import { buildVisitorApp, type VisitorAppDeps } from '../visitor-app.ts';
import type { Measures } from './process-metrics.ts';
import type { Runtime } from './runtime.ts';
import type { SchemaWatch } from './schema.ts';

const now = (): Date => new Date();

/** Where clicks go that Redis does not take, and the way back to it. What is opened here is closed by phases of the shutdown, the last first. */
async function openClickSpool({ config, db, redis, log, shutdown }: Runtime, { registry }: Measures): Promise<Spool> {
  const metrics = createSpoolMetrics(registry);
  const spool = await openSpool({ dir: config.spoolDir, maxBytes: config.spoolMaxBytes, log, metrics, now });
  shutdown.add('spool', 2_000, async () => spool.stop());
  const drain = startSpoolDrain({ spool, redis, db, log, metrics, now });
  shutdown.add('spool drain', 2_000, async () => drain.stop());
  return spool;
}

/** What visitors are served with. `publicUrl` is asked late, because the port may be chosen late. */
export async function openVisitorParts(
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
    unknownCodeLimits: { burst: config.unknownCodeBurst, perSecond: config.unknownCodesPerMinute / 60 },
    ...(config.adminKey === undefined ? {} : { adminKey: config.adminKey }),
  };
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
