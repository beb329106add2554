import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';

import type { Role } from '../core/vocabulary.ts';
import { createIdempotency } from '../http/idempotency.ts';
import { problems } from '../http/problem.ts';
import type { Server, ServerOptions } from '../http/server.ts';
import { createAuthentication } from './authenticate.ts';
import type { Principal } from './principal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; set on every route that declares roles. */
    principal: Principal;
  }
  interface FastifyContextConfig {
    /** Which roles may call the route. Every /v1 route declares them. */
    roles?: readonly Role[];
  }
}

const REQUESTS_PER_MINUTE = 6000;
const isApiRoute = (url: string): boolean => /^\/v1(\/|$)/.test(url);
const listOf = <Hook>(hooks: Hook | Hook[] | undefined): Hook[] =>
  hooks === undefined ? [] : ([hooks].flat() as Hook[]);

/**
 * Puts authentication, role check and rate limit in front of every route that declares `config.roles`, and the Idempotency-Key on those that
 * are POST. Done where routes are registered, so a feature cannot forget it.
 *
 * @throws at boot, for a /v1 route that declares no roles, or whose body schema lets unknown fields through
 */
export function guardApi(app: Server, options: ServerOptions): void {
  app.decorateRequest('principal', null as unknown as Principal);
  const authenticate = createAuthentication(app, options);
  const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    // What a key may see is for its holder: no cache on the way keeps it.
    void reply.header('cache-control', 'no-store');
    request.principal = await authenticate(request);
    const roles = request.routeOptions.config.roles ?? [];
    if (!roles.includes(request.principal.role)) throw problems.forbidden();
  };
  const keyBudget = app.createRateLimit({
    max: options.requestsPerMinute ?? REQUESTS_PER_MINUTE,
    timeWindow: 60_000,
    keyGenerator: (request) => request.principal.keyId,
  });
  const limit = async (request: FastifyRequest): Promise<void> => {
    const budget = await keyBudget(request);
    if (!budget.isAllowed && budget.isExceeded) throw problems.rateLimited(Math.max(1, budget.ttlInSeconds));
  };
  const idempotency = createIdempotency(options.db);

  app.addHook('onRoute', (route) => {
    assertDeclared(route);
    // Fastify derives a HEAD route from a GET route whose hooks are in place already.
    if (route.config?.roles === undefined || listOf(route.onRequest).includes(admit)) return;
    route.onRequest = [admit, limit, ...listOf(route.onRequest)];
    if (![route.method].flat().includes('POST')) return;
    route.preHandler = [idempotency.claim, ...listOf(route.preHandler)];
    route.onSend = [...listOf(route.onSend), idempotency.keep];
  });
}

function assertDeclared(route: RouteOptions): void {
  if (!isApiRoute(route.url)) return;
  const name = `${[route.method].flat().join(',')} ${route.url}`;
  if ((route.config?.roles ?? []).length === 0)
    throw new Error(`${name} declares no roles: add config: { roles: [...] }`);
  const body = route.schema?.body;
  if (body instanceof z.ZodObject && !(body.def.catchall instanceof z.ZodNever)) {
    throw new Error(`${name} lets unknown fields of the body through: use z.strictObject`);
  }
}
