import { randomUUID } from 'node:crypto';
import rateLimit from '@fastify/rate-limit';
import fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { createErrorHandler, isProgramAddress, problemOf, sendProblem } from './error-handler.ts';
import { measureRequests } from './metrics.ts';
import type { MetricsRegistry } from './metrics.ts';
import { createClientErrorAnswer, createHttpServer } from './node-server.ts';
import { problems } from './problem.ts';
import { collectMethods, readJsonBodies, sendSecurityHeaders } from './request-pipeline.ts';
import type { EarlyRoute, Server } from './server.ts';
import { plainVisitorPages } from './visitor-page.ts';
import type { VisitorPages } from './visitor-page.ts';

export interface ServerOptions {
  log: FastifyBaseLogger;
  /** The origin at which others reach this server, without a trailing slash; a function, because the port may be chosen late. */
  publicUrl: () => string;
  /** Puts authentication in front of the routes that are registered later (`guardApi`). Required, so that no server forgets it. */
  guard: (app: Server) => void;
  /** CIDRs of the proxies whose X-Forwarded-For is trusted; none by default. */
  trustProxy?: readonly string[];
  /** The pages that visitors see; plain ones by default. */
  visitorPages?: VisitorPages;
  /** The registry that counts request times; without one they are not measured. */
  metrics?: MetricsRegistry;
  /** Runs before the router, for every request. */
  early?: EarlyRoute;
  /** Corrects a visitor's address that HTTP's parser refuses; undefined where the intended path is not clear. */
  mendAddress?: (address: string) => string | undefined;
  /** A request that has not arrived completely by then is cut off; 10,000 ms by default. Its headers have half of that. */
  requestTimeoutMs?: number;
}

const BODY_LIMIT_BYTES = 1024 * 1024;
/** A code with its tag has at most 64 characters; ids and aliases are shorter. A longer parameter names nothing. */
const MAX_PARAM_LENGTH = 128;
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The HTTP server with everything that a route may rely on: zod schemas, problem details, security headers, and on every `/v1` route the
 * checks of the guard.
 *
 * Register routes on it, then `listen` or `inject`.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { publicUrl, visitorPages = plainVisitorPages } = options;
  const app = createFastify(options);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  readJsonBodies(app);
  app.setErrorHandler(createErrorHandler({ publicUrl, visitorPages }));
  if (options.metrics !== undefined) measureRequests(app, options.metrics);
  const methodsOf = collectMethods(app);
  app.setNotFoundHandler(async (request, reply) => {
    if (!isProgramAddress(request.url)) {
      await visitorPages.notFound(request, reply);
      return reply;
    }
    const allow = methodsOf(request.url);
    throw allow.length > 0 ? problems.methodNotAllowed(allow) : problems.notFound();
  });
  await sendSecurityHeaders(app, publicUrl());
  await app.register(rateLimit, { global: false });
  options.guard(app);
  return app;
}

/** Fastify with its limits. These settings cannot be changed later, and none of them depends on a route. */
function createFastify(options: ServerOptions): Server {
  const {
    publicUrl,
    visitorPages = plainVisitorPages,
    requestTimeoutMs = REQUEST_TIMEOUT_MS,
    trustProxy = [],
  } = options;
  return fastify({
    loggerInstance: options.log,
    // A log line per request costs half the throughput. Metrics count requests, and the error handler logs failures with the request id.
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
    // A URL that cannot be decoded reaches no route, no hook and not the error handler. A visitor gets the page of an unknown address.
    frameworkErrors: (error, request, reply) => {
      if (isProgramAddress(request.url)) sendProblem(reply, problemOf(error), publicUrl());
      else void visitorPages.notFound(request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
}
