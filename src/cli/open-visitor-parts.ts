import { createStreamProducer } from '../clicks/capture/stream-producer.ts';
import { startSpoolDrain } from '../clicks/spool/drain.ts';
import { createSpoolMetrics } from '../clicks/spool/metrics.ts';
import { type Spool, openSpool } from '../clicks/spool/spool.ts';
import { createVisitorKeys } from '../clicks/visitor-keys/visitor-keys.ts';
import { createEntryDomains } from '../links/entry-domains/entry-domains.ts';
import { createLinkResolver } from '../links/resolve.ts';
import type { VisitorAppDeps } from '../visitor-app.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import type { Runtime } from './runtime.ts';
import type { SchemaWatch } from './schema.ts';

const now = (): Date => new Date();

/** The spool for clicks that Redis does not take, and the drain that brings them to Redis later. */
async function openClickSpool(
  { config, db, redis, log, shutdown }: Runtime,
  { registry }: ProcessMetrics,
): Promise<Spool> {
  const metrics = createSpoolMetrics(registry);
  const spool = await openSpool({ dir: config.spoolDir, maxBytes: config.spoolMaxBytes, log, metrics, now });
  shutdown.add('spool', 2_000, async () => spool.stop());
  const drain = startSpoolDrain({ spool, redis, db, log, metrics, now });
  shutdown.add('spool drain', 2_000, async () => drain.stop());
  return spool;
}

/**
 * Opens the parts that serve visitors. Phases of the shutdown close them, the last opened first.
 *
 * @param address  the address of this server once it listens; without DAIHUO_PUBLIC_URL it is the origin of short links
 * @param schema   where the process may start before Postgres: the parts read the database when its schema is current
 */
export async function openVisitorParts(
  runtime: Runtime,
  metrics: ProcessMetrics,
  address: () => string | undefined,
  schema?: SchemaWatch,
): Promise<VisitorAppDeps> {
  const { config, db, redis, log, shutdown, keys, urls } = runtime;
  const resolver = createLinkResolver({ db, databaseUrl: urls.databaseUrl, redis, log, now });
  shutdown.add('link changes', 1_000, async () => resolver.stop());
  const visitorKeys = createVisitorKeys({ db, now, log });
  shutdown.add('visitor keys', 1_000, async () => visitorKeys.stop());
  // Without Postgres, clicks are hashed with a key of this process until Postgres answers.
  if (schema === undefined || schema.isCurrent()) await visitorKeys.refresh();
  else schema.whenCurrent(async () => visitorKeys.refresh());
  const publicUrl = (): string => config.publicUrl ?? address() ?? `http://${config.host}`;
  const entryDomains = createEntryDomains({ db, publicUrl, log });
  shutdown.add('entry domains', 1_000, async () => entryDomains.stop());
  if (schema === undefined || schema.isCurrent()) await entryDomains.refresh();
  else schema.whenCurrent(async () => entryDomains.refresh());
  const spool = await openClickSpool(runtime, metrics);
  const { clickShards: shardCount } = config;
  const clickStream = createStreamProducer({ redis, spool, shardCount, metrics: metrics.clickMetrics, log });
  shutdown.add('click stream', 2_000, async () => clickStream.stop());
  return {
    db,
    redis,
    log,
    now,
    keys,
    ...metrics,
    redirect: { resolver, clickStream, visitorKeys },
    publicUrl,
    entryDomains,
    isDraining: () => shutdown.signal.aborted,
    trustProxy: config.trustProxy,
    unknownCodeLimits: { burst: config.unknownCodeBurst, perSecond: config.unknownCodesPerMinute / 60 },
    ...(config.adminKey === undefined ? {} : { adminKey: config.adminKey }),
  };
}
