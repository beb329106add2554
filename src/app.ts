import { accessRoutes } from './access/routes.ts';
import { auditRoutes } from './audit/routes.ts';
import { pictureRoutes } from './catalog/products/pictures/routes.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { linkStatsRoutes } from './clicks/stats/routes.ts';
import { commissionsRoutes } from './commissions/routes.ts';
import { createClickIdReader } from './core/clicks/click-id.ts';
import type { EligibilityRule } from './core/catalog/eligibility.ts';
import { docsRoutes } from './http/docs.ts';
import { healthRoutes, migrationsCheck, postgresCheck, redisCheck } from './http/health.ts';
import { metricsRoutes } from './http/metrics.ts';
import { problemPages } from './http/problem-catalogue.ts';
import { type Server } from './http/server.ts';
import { pendingMigrations } from './infra/migrate.ts';
import { ledgerRoutes } from './ledger/routes.ts';
import { linkRoutes } from './links/routes.ts';
import { decisionRoutes } from './orders/decisions/routes.ts';
import { explanationRoutes } from './orders/explanation/routes.ts';
import { createHookMetrics } from './orders/intake/metrics.ts';
import { hookRoutes } from './orders/intake/routes.ts';
import { orderRoutes } from './orders/reading/routes.ts';
import { linkPageRoutes } from './visits/link-pages.ts';
import { visitRoutes } from './visits/routes.ts';
import { openServer, openVisits, type VisitorAppDeps } from './visitor-app.ts';

export interface AppDeps extends VisitorAppDeps {
  eligibilityRule: EligibilityRule;
  inferenceDelaySeconds: number;
  version: string;
}

/** The HTTP application, not yet listening: every route on one screen. */
export async function buildApp(deps: AppDeps): Promise<Server> {
  const { db, now, keys, entryDomains, eligibilityRule, registry } = deps;
  const visits = openVisits(deps);
  const app = await openServer(deps, visits);
  const recompute = {
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: deps.inferenceDelaySeconds,
  };

  // visitors: /, /-/find, /:code, /:code/:tag, /-/step, /-/seen, /-/go
  await visitRoutes(app, visits);
  // /openapi.json, /docs: they describe the routes that are registered after them
  await docsRoutes(app, { version: deps.version });
  // /v1/keys
  await accessRoutes(app, { db, now });
  // /v1/audit
  await auditRoutes(app, { db });
  // /v1/brands, /v1/payees, /v1/influencers, /v1/stores, /v1/products
  await catalogRoutes(app, { db, now, sealingKeys: keys.sealingKeys, eligibilityRule });
  // /v1/links, /v1/links/:code/kit, /v1/entry-domains, /v1/tracking-slots, /v1/coupons, /v1/landing-modes
  await linkRoutes(app, { db, now, eligibilityRule, entryDomains });
  // /:code/qr.svg, /:code/qr.png, /:code/preview
  await linkPageRoutes(app, { db, entryDomains, unknownCodeLimit: visits.unknownCodeLimit });
  // /v1/links/:code/stats
  await linkStatsRoutes(app, { db });
  // /hooks/youzan, /hooks/shops/:storeId
  await hookRoutes(app, { db, now, sealingKeys: keys.sealingKeys, metrics: createHookMetrics(registry), ...recompute });
  // /v1/orders, /v1/orders/:id/explanation, /v1/order-lines/:id/{assign,reject}
  await orderRoutes(app, { db });
  await explanationRoutes(app, { db, ...recompute });
  await decisionRoutes(app, { db, ...recompute });
  // /-/pictures/:file
  await pictureRoutes(app, { db });
  // /v1/terms, /v1/order-lines/:id/{hold,reprice}
  await commissionsRoutes(app, { db, now });
  // /v1/commissions, /v1/commissions/totals, /v1/journal, /v1/payees/:id/balance
  await ledgerRoutes(app, { db });
  // /healthz, /readyz, /metrics, /problems/:slug
  await healthRoutes(app, {
    isDraining: deps.isDraining,
    needed: { postgres: postgresCheck(db), migrations: migrationsCheck(() => pendingMigrations(db)) },
    // Clicks wait in the spool while Redis is down, so its outage takes no process out of the load balancer.
    spare: { redis: redisCheck(deps.redis) },
  });
  await metricsRoutes(app, { metrics: deps.shownMetrics ?? registry });
  await problemPages(app);
  return app;
}
