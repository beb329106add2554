import type { Logger } from 'pino';
import { accessRoutes } from './access/routes.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { type ClickMetrics } from './clicks/metrics.ts';
import { visitorPages } from './clicks/pages.ts';
import { redirectRoutes, type RedirectDeps } from './clicks/redirect.ts';
import { linkStatsRoutes } from './clicks/stats/routes.ts';
import { commissionsRoutes } from './commissions/routes.ts';
import { createClickIdReader } from './core/click-id.ts';
import type { EligibilityRule } from './core/eligibility.ts';
import { docsRoutes } from './http/docs.ts';
import { healthRoutes, migrationsCheck, postgresCheck, redisCheck } from './http/health.ts';
import { metricsRoutes, type MetricsRegistry } from './http/metrics.ts';
import { problemPages } from './http/problem-pages.ts';
import { createServer, type Server } from './http/server.ts';
import type { Db } from './infra/db.ts';
import { pendingMigrations } from './infra/migrate.ts';
import type { RedisClient } from './infra/redis.ts';
import type { DerivedKeys } from './infra/secrets.ts';
import { linkRoutes } from './links/routes.ts';
import { decisionRoutes } from './orders/decisions/routes.ts';
import { explanationRoutes } from './orders/explanation/routes.ts';
import { createHookMetrics } from './orders/hooks/metrics.ts';
import { hookRoutes } from './orders/hooks/routes.ts';
import { orderRoutes } from './orders/reading/routes.ts';

export interface AppDeps {
  db: Db;
  redis: RedisClient;
  log: Logger;
  now: () => Date;
  keys: DerivedKeys;
  registry: MetricsRegistry;
  clickMetrics: ClickMetrics;
  redirect: Pick<RedirectDeps, 'resolver' | 'clickStream' | 'visitorKeys'>;
  /** The origin of short links, without a trailing slash. */
  publicUrl: () => string;
  /** True once the process is stopping. */
  isDraining: () => boolean;
  eligibilityRule: EligibilityRule;
  inferenceDelaySeconds: number;
  adminKey?: string;
  trustProxy?: readonly string[];
  version: string;
}

/** The HTTP application, not yet listening: every route there is, on one screen. */
export async function buildApp(deps: AppDeps): Promise<Server> {
  const { db, now, keys, publicUrl, eligibilityRule, registry } = deps;
  const app = await createServer({
    db,
    log: deps.log,
    publicUrl,
    visitorPages,
    metrics: registry,
    ...(deps.adminKey === undefined ? {} : { adminKey: deps.adminKey }),
    ...(deps.trustProxy === undefined ? {} : { trustProxy: deps.trustProxy }),
  });
  const recompute = {
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: deps.inferenceDelaySeconds,
  };
  const [clickIdKey] = keys.clickIdKeys;
  if (clickIdKey === undefined) throw new Error('there is no key to make click ids with');

  // visitors: /:code, /:code/:tag
  await redirectRoutes(app, { ...deps.redirect, clickIdKey, metrics: deps.clickMetrics, now });
  // the interface describes what is registered after it
  await docsRoutes(app, { version: deps.version });
  // /v1/keys
  await accessRoutes(app, { db, now });
  // /v1/brands, /v1/payees, /v1/influencers, /v1/stores, /v1/products
  await catalogRoutes(app, { db, now, sealingKeys: keys.sealingKeys, eligibilityRule });
  // /v1/links, /v1/tracking-slots, /v1/coupons, /:code/qr.svg, /:code/qr.png, /:code/preview
  await linkRoutes(app, { db, now, eligibilityRule, publicUrl });
  // /v1/links/:code/stats
  await linkStatsRoutes(app, { db });
  // /hooks/youzan, /hooks/shops/:storeId
  await hookRoutes(app, { db, now, sealingKeys: keys.sealingKeys, metrics: createHookMetrics(registry), ...recompute });
  // /v1/orders, /v1/orders/:id/explanation, /v1/order-lines/:id/{assign,reject}
  await orderRoutes(app, { db });
  await explanationRoutes(app, { db, ...recompute });
  await decisionRoutes(app, { db, ...recompute });
  // /v1/terms, /v1/commissions, /v1/commissions/totals, /v1/journal, /v1/payees/:id/balance, /v1/order-lines/:id/{hold,reprice}
  await commissionsRoutes(app, { db, now });
  // /healthz, /readyz, /metrics, /problems/:slug
  await healthRoutes(app, {
    isDraining: deps.isDraining,
    checks: {
      postgres: postgresCheck(db),
      redis: redisCheck(deps.redis),
      migrations: migrationsCheck(() => pendingMigrations(db)),
    },
  });
  await metricsRoutes(app, { registry });
  await problemPages(app);
  return app;
}
