/** The whole application as `serve` runs it, on a database and a Redis of its own, with the table of its routes. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../../src/app.ts';
import { createClickMetrics } from '../../src/clicks/metrics.ts';
import { createStreamProducer } from '../../src/clicks/capture/stream-producer.ts';
import { createVisitorKeys } from '../../src/clicks/visitor-keys/visitor-keys.ts';
import { DEFAULT_ELIGIBILITY_RULE } from '../../src/core/catalog/eligibility.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import type { Server } from '../../src/http/server.ts';
import type { Db } from '../../src/infra/db.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { createLinkResolver } from '../../src/links/resolve.ts';
import { oneDomain } from '../links/one-domain.ts';
import { NO_SPOOL } from '../support/no-spool.ts';
import { createTestDatabase } from '../support/database.ts';
import { createTestRedis } from '../support/redis.ts';
import { ADMIN_KEY, PUBLIC_URL } from '../http/test-server.ts';
import { waitUntil } from '../support/timing.ts';

export const keys = deriveKeys(Buffer.alloc(32, 11));

export interface Route {
  /** `GET /v1/orders/:id`; a HEAD that Fastify derives from a GET is not listed. */
  name: string;
  method: string;
  url: string;
  /** Empty where no API key is asked for. */
  roles: readonly string[];
  /** Shown in the description of the interface. */
  isDescribed: boolean;
}

export interface AbuseApp {
  app: Server;
  db: Db;
  routes: readonly Route[];
  close(): Promise<void>;
}

/** Every route the application registers, heard from Fastify itself: none can hide by staying out of the description. */
async function withRouteTable(build: () => Promise<Server>): Promise<{ app: Server; routes: Route[] }> {
  const found = new Map<string, Route>();
  const note = (options: RouteOptions): void => {
    for (const method of [options.method].flat()) {
      const name = `${method} ${options.url}`;
      const isDescribed = (options.schema?.tags ?? []).length > 0;
      found.set(name, { name, method, url: options.url, roles: options.config?.roles ?? [], isDescribed });
    }
  };
  const listen = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', note);
  };
  subscribe('fastify.initialization', listen);
  try {
    const app = await build();
    await app.ready();
    const routes = [...found.values()].filter(({ method, url }) => method !== 'HEAD' || !found.has(`GET ${url}`));
    return { app, routes };
  } finally {
    unsubscribe('fastify.initialization', listen);
  }
}

export async function openAbuseApp(): Promise<AbuseApp> {
  const test = await createTestDatabase({ max: 12 });
  const testRedis = await createTestRedis();
  const { db } = test;
  const { redis } = testRedis;
  const log = pino({ level: 'silent' });
  const now = (): Date => new Date();
  const registry = createMetricsRegistry();
  const clickMetrics = createClickMetrics(registry);
  const resolver = createLinkResolver({ db, databaseUrl: test.url, redis, log, now });
  const visitorKeys = createVisitorKeys({ db, now, log });
  await visitorKeys.refresh();
  const clickStream = createStreamProducer({ redis, shardCount: 1, spool: NO_SPOOL, metrics: clickMetrics, log });
  const { app, routes } = await withRouteTable(() =>
    buildApp({
      db,
      redis,
      log,
      now,
      keys,
      registry,
      clickMetrics,
      redirect: { resolver, clickStream, visitorKeys },
      publicUrl: () => PUBLIC_URL,
      entryDomains: oneDomain(PUBLIC_URL),
      isDraining: () => false,
      eligibilityRule: DEFAULT_ELIGIBILITY_RULE,
      inferenceDelaySeconds: 600,
      adminKey: ADMIN_KEY,
      version: '0.0.0',
    }),
  );
  await waitUntil(() => {
    if (!resolver.isListening()) throw new Error('changes of links are not heard yet');
  });
  return {
    app,
    db,
    routes,
    close: async () => {
      await app.close();
      await clickStream.stop();
      await visitorKeys.stop();
      await resolver.stop();
      await testRedis.drop();
      await test.drop();
    },
  };
}
