import type { Logger } from 'pino';
import { accessRoutes } from './access/routes.ts';
import { pictureRoutes } from './catalog/products/pictures/routes.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { createHotPath } from './clicks/hot-path.ts';
import { createClickMaker } from './clicks/make-click.ts';
import { onKnownHosts } from './clicks/known-hosts.ts';
import { type ClickMetrics } from './clicks/metrics.ts';
import { mendedAddress } from './clicks/mended-address.ts';
import { createPageContents } from './clicks/middle-page/content.ts';
import { createPageMetrics } from './clicks/middle-page/metrics.ts';
import { createStepRecorder } from './clicks/middle-page/step-recorder.ts';
import { visitorPages } from './clicks/pages.ts';
import { redirectHeaders, redirectRoutes, type RedirectDeps } from './clicks/redirect.ts';
import { linkStatsRoutes } from './clicks/stats/routes.ts';
import { createVisitReader } from './clicks/visit-facts.ts';
import type { VisitorKeys } from './clicks/visitor-keys.ts';
import { commissionsRoutes } from './commissions/routes.ts';
import { createClickIdReader } from './core/click-id.ts';
import type { BucketLimits } from './core/token-bucket.ts';
import type { EligibilityRule } from './core/eligibility.ts';
import { createClientAddress } from './http/client-address.ts';
import { docsRoutes } from './http/docs.ts';
import { type Check, healthRoutes, migrationsCheck, postgresCheck, redisCheck } from './http/health.ts';
import { type MissBudget, createMissBudget, createMissMetrics, NO_MISS_BUDGET } from './http/miss-budget.ts';
import { metricsRoutes, type MetricsRegistry, type MetricsText } from './http/metrics.ts';
import { problemPages } from './http/problem-pages.ts';
import { createServer, type Server } from './http/server.ts';
import type { Db } from './infra/db.ts';
import { pendingMigrations } from './infra/migrate.ts';
import type { RedisClient } from './infra/redis.ts';
import type { DerivedKeys } from './infra/secrets.ts';
import type { EntryDomains } from './links/entry-domains/entry-domains.ts';
import { createFindFallback } from './links/fallback/find-fallback.ts';
import { linkPageRoutes } from './links/pages/routes.ts';
import { linkRoutes } from './links/routes.ts';
import { decisionRoutes } from './orders/decisions/routes.ts';
import { explanationRoutes } from './orders/explanation/routes.ts';
import { createHookMetrics } from './orders/hooks/metrics.ts';
import { hookRoutes } from './orders/hooks/routes.ts';
import { orderRoutes } from './orders/reading/routes.ts';

/** What visitors need, and nothing more. */
export interface VisitorAppDeps {
  db: Db;
  redis: RedisClient;
  log: Logger;
  now: () => Date;
  keys: DerivedKeys;
  registry: MetricsRegistry;
  /** What `/metrics` shows; the registry unless several processes are shown as one. */
  shownMetrics?: MetricsText;
  clickMetrics: ClickMetrics;
  redirect: Pick<RedirectDeps, 'resolver' | 'clickStream'> & { visitorKeys: VisitorKeys };
  /** The origin of short links, without a trailing slash. */
  publicUrl: () => string;
  /** True once the process is stopping. */
  isDraining: () => boolean;
  adminKey?: string;
  trustProxy?: readonly string[];
  /** The hosts of short links. */
  entryDomains: EntryDomains;
  /** How many codes that name nothing one network may try; as many as it likes without it. */
  missLimits?: BucketLimits;
}

export interface AppDeps extends VisitorAppDeps {
  eligibilityRule: EligibilityRule;
  inferenceDelaySeconds: number;
  version: string;
}

/** The HTTP application, not yet listening: every route there is, on one screen. */
export async function buildApp(deps: AppDeps): Promise<Server> {
  const { db, now, keys, entryDomains, eligibilityRule, registry } = deps;
  const visits = visitDeps(deps);
  const app = await openServer(deps, visits);
  const recompute = {
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: deps.inferenceDelaySeconds,
  };

  // visitors: /, /-/find, /:code, /:code/:tag, /-/step, /-/seen, /-/go
  await redirectRoutes(app, visits);
  // the interface describes what is registered after it
  await docsRoutes(app, { version: deps.version });
  // /v1/keys
  await accessRoutes(app, { db, now });
  // /v1/brands, /v1/payees, /v1/influencers, /v1/stores, /v1/products
  await catalogRoutes(app, { db, now, sealingKeys: keys.sealingKeys, eligibilityRule });
  // /v1/links, /v1/links/:code/kit, /v1/entry-domains, /v1/tracking-slots, /v1/coupons, /:code/qr.svg, /:code/qr.png, /:code/preview
  await linkRoutes(app, { db, now, eligibilityRule, entryDomains, missBudget: visits.missBudget });
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
  // /v1/terms, /v1/commissions, /v1/commissions/totals, /v1/journal, /v1/payees/:id/balance, /v1/order-lines/:id/{hold,reprice}
  await commissionsRoutes(app, { db, now });
  // /healthz, /readyz, /metrics, /problems/:slug
  await healthRoutes(app, {
    isDraining: deps.isDraining,
    needed: { postgres: postgresCheck(db), migrations: migrationsCheck(() => pendingMigrations(db)) },
    // Clicks wait in the spool meanwhile, so a Redis that is away takes no process out of the balancer.
    spare: { redis: redisCheck(deps.redis) },
  });
  await metricsRoutes(app, { metrics: deps.shownMetrics ?? registry });
  await problemPages(app);
  return app;
}

/**
 * What `daihuo redirect` serves: visitors, and whoever watches over the process. Every other address is unknown to it.
 *
 * @param deps.schemaCheck  well from the moment the schema was seen to be current: such a process serves without Postgres and Redis alike
 */
export async function buildVisitorApp(deps: VisitorAppDeps & { schemaCheck: Check }): Promise<Server> {
  const { db, entryDomains } = deps;
  const visits = visitDeps(deps);
  const app = await openServer(deps, visits);

  // /, /-/find, /:code, /:code/:tag, /-/step, /-/seen, /-/go
  await redirectRoutes(app, visits);
  // /:code/qr.svg, /:code/qr.png, /:code/preview
  await linkPageRoutes(app, { db, entryDomains, missBudget: visits.missBudget });
  // /-/pictures/:file
  await pictureRoutes(app, { db });
  // /healthz, /readyz, /metrics
  await healthRoutes(app, {
    isDraining: deps.isDraining,
    needed: { migrations: deps.schemaCheck },
    spare: { postgres: postgresCheck(db), redis: redisCheck(deps.redis) },
  });
  await metricsRoutes(app, { metrics: deps.shownMetrics ?? deps.registry });
  return app;
}

/** The server, before any route is there: visitors whose link is known are answered in front of the router. */
async function openServer(deps: VisitorAppDeps, visits: RedirectDeps): Promise<Server> {
  const { db, log, publicUrl, registry, adminKey, trustProxy = [] } = deps;
  return createServer({
    db,
    log,
    publicUrl,
    visitorPages,
    mendAddress: mendedAddress,
    metrics: registry,
    early: onKnownHosts(
      deps.entryDomains.isKnown,
      createHotPath({
        ...visits,
        addressOf: createClientAddress(trustProxy),
        headers: redirectHeaders(publicUrl()),
        log,
      }),
    ),
    trustProxy,
    ...(adminKey === undefined ? {} : { adminKey }),
  });
}

/** Shared with other processes through Redis. */
function missBudgetOf({ redis, keys, registry, missLimits }: VisitorAppDeps): MissBudget {
  if (missLimits === undefined) return NO_MISS_BUDGET;
  return createMissBudget({ redis, key: keys.missKey, limits: missLimits, metrics: createMissMetrics(registry) });
}

function visitDeps(deps: VisitorAppDeps): RedirectDeps {
  const { redirect, keys, clickMetrics, registry, now, db, log } = deps;
  const [clickIdKey] = keys.clickIdKeys;
  if (clickIdKey === undefined) throw new Error('there is no key to make click ids with');
  const { resolver, clickStream, visitorKeys } = redirect;
  const pageMetrics = createPageMetrics(registry);
  return {
    resolver,
    clickStream,
    readVisit: createVisitReader(),
    makeClick: createClickMaker({ clickIdKey, visitorKeys, now }),
    metrics: clickMetrics,
    missBudget: missBudgetOf(deps),
    pageContents: createPageContents({ db, log, metrics: pageMetrics }),
    steps: {
      readClickId: createClickIdReader(keys.clickIdKeys),
      recorder: createStepRecorder({ db, log, metrics: pageMetrics }),
      metrics: pageMetrics,
      now,
    },
    findFallback: createFindFallback(deps),
  };
}
