import { pino } from 'pino';
import { vi } from 'vitest';

import type { ClickSpool } from '../../src/clicks/capture/click-batcher.ts';
import { createClickMaker, createVisitReader } from '../../src/clicks/capture/make-click.ts';
import { createStreamProducer } from '../../src/clicks/capture/stream-producer.ts';
import { createIngestMetrics } from '../../src/clicks/ingest/metrics.ts';
import { startClickWorker } from '../../src/clicks/ingest/worker.ts';
import type { ClickWorkerLimits } from '../../src/clicks/ingest/worker.ts';
import { createClickMetrics } from '../../src/clicks/metrics.ts';
import { linkStatsRoutes } from '../../src/clicks/stats/routes.ts';
import { createPageMetrics } from '../../src/clicks/steps/metrics.ts';
import { createStepRecorder } from '../../src/clicks/steps/step-recorder.ts';
import { createVisitorKeys } from '../../src/clicks/visitor-keys/visitor-keys.ts';
import { createClickIdReader } from '../../src/core/clicks/click-id.ts';
import type { ClickIdReading } from '../../src/core/clicks/click-id.ts';
import { createClientAddress } from '../../src/http/node-server.ts';
import {
  createUnknownCodeLimit,
  createUnknownCodeMetrics,
  NO_UNKNOWN_CODE_LIMIT,
} from '../../src/visits/unknown-code-limit.ts';
import { mendedAddress } from '../../src/core/links/typed-code.ts';
import { createVisitAnswers } from '../../src/visits/answer-visit.ts';
import { visitRoutes } from '../../src/visits/routes.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import type { MetricsRegistry } from '../../src/http/metrics.ts';
import type { Server } from '../../src/http/server.ts';
import type { BucketLimits } from '../../src/http/token-bucket.ts';
import type { Db } from '../../src/infra/db.ts';
import { closeRedis, createRedis, waitForRedis } from '../../src/infra/redis.ts';
import type { RedisClient } from '../../src/infra/redis.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { createEntryDomains } from '../../src/links/entry-domains/entry-domains.ts';
import type { EntryDomains } from '../../src/links/entry-domains/entry-domains.ts';
import { createFindFallback } from '../../src/links/fallback/find-fallback.ts';
import { createLinkResolver } from '../../src/links/resolve.ts';
import type { LinkResolver } from '../../src/links/resolve.ts';
import { createPageContents } from '../../src/visits/middle-page/content.ts';
import { visitorPages } from '../../src/visits/pages.ts';
import { linkPageRoutes } from '../../src/visits/link-pages.ts';
import { PUBLIC_URL, createTestServer } from '../http/test-server.ts';
import type { TestDatabase } from '../support/database.ts';
import { NO_SPOOL } from '../support/no-spool.ts';

const { clickIdKeys, unknownCodeKey } = deriveKeys(Buffer.alloc(32, 9));
export const readClickId: (text: string) => ClickIdReading = createClickIdReader(clickIdKeys);

export const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';

export interface ClickServer {
  app: Server;
  /** Where it listens. */
  address: string;
  redis: RedisClient;
  resolver: LinkResolver;
  entryDomains: EntryDomains;
  /** The value of a metric as /metrics would show it; 0 where it was never counted. */
  metric(name: string, labels?: string): Promise<number>;
  close(): Promise<void>;
}

/** The redirect as the app runs it, on real services. */
export async function createClickServer(options: {
  test: TestDatabase;
  redisUrl: string;
  now?: () => Date;
  /** Without one, clicks that Redis does not take are not kept. */
  spool?: ClickSpool;
  /** Without them, unknown codes are not limited. */
  unknownCodeLimits?: BucketLimits;
  /** How often the landing-mode overrides are read; every 4 s, as in the program, unless a test sets less. */
  readOverridesEveryMs?: number;
  /** How long a visitor waits for what a middle page shows; long, so that a busy machine fails no test. */
  pageWaitMs?: number;
}): Promise<ClickServer> {
  const { db, url: databaseUrl } = options.test;
  const now = options.now ?? (() => new Date());
  const log = pino({ level: 'silent' });
  const registry = createMetricsRegistry();
  const metrics = createClickMetrics(registry);
  const redis = createRedis({ urls: options.redisUrl, role: 'commands', log });
  await waitForRedis(redis, 5_000);
  const resolver = createLinkResolver({
    db,
    databaseUrl,
    redis,
    log,
    now,
    readOverridesEveryMs: options.readOverridesEveryMs ?? 4_000,
  });
  const clickStream = createStreamProducer({ redis, shardCount: 1, spool: options.spool ?? NO_SPOOL, metrics, log });
  const visitorKeys = createVisitorKeys({ db, now, log });
  await visitorKeys.refresh();
  const [clickIdKey] = clickIdKeys;
  if (clickIdKey === undefined) throw new Error('a secret gives a key');
  const unknownCodeLimit =
    options.unknownCodeLimits === undefined
      ? NO_UNKNOWN_CODE_LIMIT
      : createUnknownCodeLimit({
          redis,
          key: unknownCodeKey,
          limits: options.unknownCodeLimits,
          metrics: createUnknownCodeMetrics(registry),
        });
  const pageMetrics = createPageMetrics(registry);
  const entryDomains = createEntryDomains({ db, publicUrl: () => PUBLIC_URL, log });
  await entryDomains.refresh();
  const trustProxy = ['127.0.0.1'];
  const readVisit = createVisitReader();
  const answers = createVisitAnswers({
    resolver,
    readVisit,
    makeClick: createClickMaker({ clickIdKey, visitorKeys, now }),
    clickStream,
    metrics,
    unknownCodeLimit,
    pageContents: createPageContents({ db, log, metrics: pageMetrics, waitMs: options.pageWaitMs ?? 5_000 }),
    findFallback: createFindFallback({ db, log }),
    isKnownHost: entryDomains.isKnown,
    addressOf: createClientAddress(trustProxy),
    publicUrl: PUBLIC_URL,
    log,
  });
  const recorder = createStepRecorder({ db, log, metrics: pageMetrics });
  const { app } = await createTestServer(
    db,
    async (server) => {
      await visitRoutes(server, { answers, resolver, readVisit, readClickId, recorder, metrics: pageMetrics, now });
      await linkPageRoutes(server, { db, entryDomains, unknownCodeLimit });
      await linkStatsRoutes(server, { db });
    },
    { visitorPages, mendAddress: mendedAddress, trustProxy, early: answers.early },
  );
  await vi.waitFor(() => {
    if (!resolver.isListening()) throw new Error('changes of links are not heard yet');
  });
  return {
    app,
    address: await app.listen({ host: '127.0.0.1', port: 0 }),
    redis,
    resolver,
    entryDomains,
    metric: async (name, labels) => {
      const line = (await registry.metrics())
        .split('\n')
        .find((each) => each.startsWith(labels === undefined ? `${name} ` : `${name}{${labels}} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    close: async () => {
      await app.close();
      await clickStream.stop();
      await entryDomains.stop();
      await visitorKeys.stop();
      await resolver.stop();
      await closeRedis(redis);
    },
  };
}

export interface TestWorker {
  registry: MetricsRegistry;
  stop(): Promise<void>;
}

/** A worker in this process, impatient so that tests are quick. */
export function startTestWorker(options: {
  db: Db;
  redisUrl: string;
  limits?: Partial<ClickWorkerLimits>;
  now?: () => Date;
  /** 1 unless said otherwise. */
  shardCount?: number;
}): TestWorker {
  const registry = createMetricsRegistry();
  const worker = startClickWorker({
    db: options.db,
    redisUrls: options.redisUrl,
    shardCount: options.shardCount ?? 1,
    metrics: createIngestMetrics(registry),
    log: pino({ level: 'silent' }),
    now: options.now ?? (() => new Date()),
    limits: {
      blockMs: 50,
      leaseMs: 1_000,
      renewEveryMs: 50,
      minIdleMs: 100,
      claimEveryMs: 50,
      watermarkEveryMs: 50,
      ...options.limits,
    },
  });
  return { registry, stop: () => worker.stop() };
}

/** Resolves when nothing is left in the stream. */
export async function drained(redis: RedisClient): Promise<void> {
  await vi.waitFor(
    async () => {
      if ((await redis.xlen('clicks:{0}')) > 0) throw new Error('the stream is not empty');
    },
    { timeout: 15_000, interval: 20 },
  );
}
