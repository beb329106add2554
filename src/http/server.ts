import rateLimit from '@fastify/rate-limit';
import fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { guardApi } from '../access/guard-api.ts';
import type { Db } from '../infra/db.ts';
import { jsonBody } from './body-parsers.ts';
import { createClientErrorAnswer } from './client-error.ts';
import { createErrorHandler, isProgramAddress, problemOf, sendProblem } from './error-handler.ts';
import { knownMethods } from './known-methods.ts';
import { measureRequests } from './metrics.ts';
import type { MetricsRegistry } from './metrics.ts';
import { problems } from './problem.ts';
import { securityHeaders } from './security-headers.ts';
import { plainVisitorPages } from './visitor-pages.ts';
import type { VisitorPages } from './visitor-pages.ts';

export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Answers a request in front of the router, or returns false and has done nothing. */
export type EarlyRoute = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ServerOptions {
  db: Db;
  log: FastifyBaseLogger;
  /** The origin others reach us at, without a trailing slash; a function, as the port may be chosen late. */
  publicUrl: () => string;
  /** `DAIHUO_ADMIN_KEY`: an admin key that is never stored. */
  adminKey?: string;
  /** CIDRs of the proxies whose X-Forwarded-For is believed; none by default. */
  trustProxy?: readonly string[];
  /** What visitors see instead of plain pages. */
  visitorPages?: VisitorPages;
  /** Requests one API key may make in a minute, 6,000 by default. Counted in this process only; several processes allow as many times more. */
  requestsPerMinute?: number;
  /** Requests with a bad key one address (IPv4, or IPv6 /64) may make in a minute, 60 by default. Counted as above. */
  failedKeysPerMinute?: number;
  /** Where request times are counted; nowhere without one. */
  metrics?: MetricsRegistry;
  /** Asked before the router, for every request. */
  early?: EarlyRoute;
  /** The path that a visitor's address should have been which HTTP's parser refuses, if that can be told. */
  mendAddress?: (address: string) => string | undefined;
  /** A request that has not arrived whole by then is cut off; 10,000 ms by default. Its headers have half of that. */
  requestTimeoutMs?: number;
}

const BODY_LIMIT_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** A code with its tag is at most 64 characters; ids and aliases are shorter. Longer parameters name nothing. */
const MAX_PARAM_LENGTH = 128;
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_CHECK_MS = 1_000;
/** Longer than load balancers keep idle connections (60 s is usual), so that it is they who close them. */
const KEEP_ALIVE_MS = 72_000;

/**
 * The HTTP server with everything a route may rely on: zod schemas, problem details, security headers, and on every `/v1` route
 * authentication by its declared roles, a rate limit and the Idempotency-Key. A `/v1` route that declares no roles fails at boot.
 *
 * Register routes on it, then `listen` or `inject`.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { publicUrl, visitorPages = plainVisitorPages } = options;
  const app = createFastify(options);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('bodySha256', null);
  jsonBody(app);
  app.setErrorHandler(createErrorHandler({ publicUrl, visitorPages }));
  if (options.metrics !== undefined) measureRequests(app, options.metrics);
  const allowedMethods = knownMethods(app);
  app.setNotFoundHandler(async (request, reply) => {
    if (!isProgramAddress(request.url)) {
      await visitorPages.notFound(request, reply);
      return reply;
    }
    const allow = allowedMethods(request.url);
    throw allow.length > 0 ? problems.methodNotAllowed(allow) : problems.notFound();
  });
  await securityHeaders(app, publicUrl());
  await app.register(rateLimit, { global: false });
  guardApi(app, options);
  return app;
}

/** Fastify with its limits. What is set here cannot be changed later, and nothing here depends on a route. */
function createFastify(options: ServerOptions): Server {
  const {
    publicUrl,
    visitorPages = plainVisitorPages,
    requestTimeoutMs = REQUEST_TIMEOUT_MS,
    trustProxy = [],
  } = options;
  return fastify({
    loggerInstance: options.log,
    // A log line per request costs half the throughput; metrics count requests, and what fails is logged with its id.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: requestTimeoutMs,
    serverFactory: (route) => createHttpServer(route, { early: options.early, requestTimeoutMs }),
    // While closing, requests on open connections are still served (with Connection: close) instead of a 503 in JSON.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: false },
    clientErrorHandler: createClientErrorAnswer(options.mendAddress ?? (() => undefined)),
    // A URL that cannot be decoded never reaches a route, a hook or the error handler; to a visitor it is an unknown address like any other.
    frameworkErrors: (error, request, reply) => {
      if (isProgramAddress(request.url)) sendProblem(reply, problemOf(error), publicUrl());
      else void visitorPages.notFound(request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
}

/** Node's server with our limits; `early` is asked before Fastify. */
function createHttpServer(
  route: (request: IncomingMessage, response: ServerResponse) => void,
  { early, requestTimeoutMs }: { early: EarlyRoute | undefined; requestTimeoutMs: number },
): http.Server {
  const limits = {
    // All three, or slow bodies stay open: Node swaps the two times where that of the headers is the longer one, and checks connections only
    // every 30 s by default.
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs / 2,
    connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS, requestTimeoutMs / 2),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A request without a body, as every visit is, costs a tenth less.
    optimizeEmptyRequests: true,
  };
  if (early === undefined) return http.createServer(limits, route);
  return http.createServer(limits, (request, response) => {
    if (!early(request, response)) route(request, response);
  });
}
