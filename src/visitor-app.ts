import type { Logger } from 'pino';
import { pictureRoutes } from './catalog/products/pictures/routes.ts';
import { createHotPath } from './visits/hot-path.ts';
import { createClickMaker } from './clicks/capture/make-click.ts';
import { onKnownHosts } from './visits/known-hosts.ts';
import { type ClickMetrics } from './clicks/metrics.ts';
import { mendedAddress } from './visits/mended-address.ts';
import { createPageContents } from './visits/middle-page/content.ts';
import { createPageMetrics } from './clicks/steps/metrics.ts';
import { createStepRecorder } from './clicks/steps/step-recorder.ts';
import { visitorPages } from './visits/pages.ts';
import { redirectHeaders, redirectRoutes, type RedirectDeps } from './visits/redirect.ts';
import { createVisitReader } from './clicks/capture/make-click.ts';
import type { VisitorKeys } from './clicks/visitor-keys/visitor-keys.ts';
import { createClickIdReader } from './core/clicks/click-id.ts';
import type { BucketLimits } from './http/token-bucket.ts';
import { createClientAddress } from './http/node-server.ts';
import { type Check, healthRoutes, postgresCheck, redisCheck } from './http/health.ts';
import { type MissBudget, createMissBudget, createMissMetrics, NO_MISS_BUDGET } from './visits/unknown-code-limit.ts';
import { metricsRoutes, type MetricsRegistry, type MetricsText } from './http/metrics.ts';
import { guardApi } from './access/guard-api.ts';
import { createServer } from './http/create-server.ts';
import type { Server } from './http/server.ts';
import type { Db } from './infra/db.ts';
import type { RedisClient } from './infra/redis.ts';
import type { DerivedKeys } from './infra/secrets.ts';
import type { EntryDomains } from './links/entry-domains/entry-domains.ts';
import { createFindFallback } from './links/fallback/find-fallback.ts';
import { linkPageRoutes } from './visits/link-pages/routes.ts';

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
export async function openServer(deps: VisitorAppDeps, visits: RedirectDeps): Promise<Server> {
  const { db, log, publicUrl, registry, adminKey, trustProxy = [] } = deps;
  return createServer({
    log,
    publicUrl,
    guard: (app) => guardApi(app, { db, ...(adminKey === undefined ? {} : { adminKey }) }),
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
  });
}

/** Shared with other processes through Redis. */
function missBudgetOf({ redis, keys, registry, missLimits }: VisitorAppDeps): MissBudget {
  if (missLimits === undefined) return NO_MISS_BUDGET;
  return createMissBudget({ redis, key: keys.missKey, limits: missLimits, metrics: createMissMetrics(registry) });
}

/** What answers a visit, made once for all the ways a visit may take. */
export function visitDeps(deps: VisitorAppDeps): RedirectDeps {
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
