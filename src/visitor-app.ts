import type { Logger } from 'pino';
import { pictureRoutes } from './catalog/products/pictures/routes.ts';
import { createClickMaker } from './clicks/capture/make-click.ts';
import type { StreamProducer } from './clicks/capture/stream-producer.ts';
import { type ClickMetrics } from './clicks/metrics.ts';
import { createPageMetrics } from './clicks/steps/metrics.ts';
import { createStepRecorder } from './clicks/steps/step-recorder.ts';
import { createVisitReader } from './clicks/capture/make-click.ts';
import type { VisitorKeys } from './clicks/visitor-keys/visitor-keys.ts';
import { createClickIdReader } from './core/clicks/click-id.ts';
import { mendedAddress } from './core/links/typed-code.ts';
import { createClientAddress } from './http/node-server.ts';
import { type Check, healthRoutes, postgresCheck, redisCheck } from './http/health.ts';
import { metricsRoutes, type MetricsRegistry, type MetricsText } from './http/metrics.ts';
import { guardApi } from './access/guard-api.ts';
import { createServer } from './http/create-server.ts';
import type { Server } from './http/server.ts';
import type { BucketLimits } from './http/token-bucket.ts';
import type { Db } from './infra/db.ts';
import type { RedisClient } from './infra/redis.ts';
import type { DerivedKeys } from './infra/secrets.ts';
import type { EntryDomains } from './links/entry-domains/entry-domains.ts';
import { createFindFallback } from './links/fallback/find-fallback.ts';
import type { LinkResolver } from './links/resolve.ts';
import { createVisitAnswers } from './visits/answer-visit.ts';
import { linkPageRoutes } from './visits/link-pages.ts';
import { createPageContents } from './visits/middle-page/content.ts';
import { visitorPages } from './visits/pages.ts';
import { type VisitRouteDeps, visitRoutes } from './visits/routes.ts';
import {
  createUnknownCodeLimit,
  createUnknownCodeMetrics,
  NO_UNKNOWN_CODE_LIMIT,
  type UnknownCodeLimit,
} from './visits/unknown-code-limit.ts';

/** The dependencies of everything that visitors see. */
export interface VisitorAppDeps {
  db: Db;
  redis: RedisClient;
  log: Logger;
  now: () => Date;
  keys: DerivedKeys;
  registry: MetricsRegistry;
  /** The text of `/metrics`: that of the registry, unless several processes are shown as one. */
  shownMetrics?: MetricsText;
  clickMetrics: ClickMetrics;
  redirect: { resolver: LinkResolver; clickStream: StreamProducer; visitorKeys: VisitorKeys };
  /** The origin of short links, without a trailing slash. */
  publicUrl: () => string;
  /** True once the process is stopping. */
  isDraining: () => boolean;
  adminKey?: string;
  trustProxy?: readonly string[];
  /** The hosts of short links. */
  entryDomains: EntryDomains;
  /** How many codes that name no link one network may try; unlimited where absent. */
  unknownCodeLimits?: BucketLimits;
}

/**
 * The application of `daihuo redirect`: visitors, health and metrics. It has no other address.
 *
 * @param deps.schemaCheck  healthy once the schema was current: from then on such a process serves without Postgres and without Redis
 */
export async function buildVisitorApp(deps: VisitorAppDeps & { schemaCheck: Check }): Promise<Server> {
  const { db, entryDomains } = deps;
  const visits = openVisits(deps);
  const app = await openServer(deps, visits);

  // /, /-/find, /:code, /:code/:tag, /-/step, /-/seen, /-/go
  await visitRoutes(app, visits);
  // /:code/qr.svg, /:code/qr.png, /:code/preview
  await linkPageRoutes(app, { db, entryDomains, unknownCodeLimit: visits.unknownCodeLimit });
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

/** The server without routes. Plain visits to known links are answered in front of its router. */
export async function openServer(deps: VisitorAppDeps, { answers }: Visits): Promise<Server> {
  const { db, log, publicUrl, registry, adminKey, trustProxy = [] } = deps;
  return createServer({
    log,
    publicUrl,
    guard: (app) => guardApi(app, { db, ...(adminKey === undefined ? {} : { adminKey }) }),
    visitorPages,
    mendAddress: mendedAddress,
    metrics: registry,
    early: answers.early,
    trustProxy,
  });
}

/** Shared with other processes through Redis. */
function unknownCodeLimitOf({ redis, keys, registry, unknownCodeLimits }: VisitorAppDeps): UnknownCodeLimit {
  if (unknownCodeLimits === undefined) return NO_UNKNOWN_CODE_LIMIT;
  return createUnknownCodeLimit({
    redis,
    key: keys.unknownCodeKey,
    limits: unknownCodeLimits,
    metrics: createUnknownCodeMetrics(registry),
  });
}

export interface Visits extends VisitRouteDeps {
  unknownCodeLimit: UnknownCodeLimit;
}

/** The functions that answer visits, made once for the early hook and the routes. */
export function openVisits(deps: VisitorAppDeps): Visits {
  const { redirect, keys, clickMetrics, registry, now, db, log } = deps;
  const [clickIdKey] = keys.clickIdKeys;
  if (clickIdKey === undefined) throw new Error('there is no key to make click ids with');
  const { resolver, clickStream, visitorKeys } = redirect;
  const pageMetrics = createPageMetrics(registry);
  const readVisit = createVisitReader();
  const unknownCodeLimit = unknownCodeLimitOf(deps);
  return {
    answers: createVisitAnswers({
      resolver,
      readVisit,
      makeClick: createClickMaker({ clickIdKey, visitorKeys, now }),
      clickStream,
      metrics: clickMetrics,
      unknownCodeLimit,
      pageContents: createPageContents({ db, log, metrics: pageMetrics }),
      findFallback: createFindFallback(deps),
      isKnownHost: deps.entryDomains.isKnown,
      addressOf: createClientAddress(deps.trustProxy ?? []),
      publicUrl: deps.publicUrl(),
      log,
    }),
    unknownCodeLimit,
    resolver,
    readVisit,
    readClickId: createClickIdReader(keys.clickIdKeys),
    recorder: createStepRecorder({ db, log, metrics: pageMetrics }),
    metrics: pageMetrics,
    now,
  };
}
