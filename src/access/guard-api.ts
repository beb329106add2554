import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { createIdempotency } from '../http/idempotency.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { hashApiKey, holdsApiKey, isApiKey, isSameHash } from './api-key.ts';
import type { Principal, Role } from './principal.ts';
import { findValidKey } from './queries.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; set on every route that declares roles. */
    principal: Principal;
  }
  interface FastifyContextConfig {
    /** The roles that may call the route. Every /v1 route declares them. */
    roles?: readonly Role[];
  }
}

export interface GuardOptions {
  db: Db;
  /** `DAIHUO_ADMIN_KEY`: an admin key that is never stored. */
  adminKey?: string;
  /** Requests that one API key may make in a minute, 6,000 by default. Each process counts its own, so several processes allow a multiple. */
  requestsPerMinute?: number;
  /** Requests with a bad key that one address (IPv4, or IPv6 /64) may make in a minute, 60 by default. Counted as above. */
  failedKeysPerMinute?: number;
}

const REQUESTS_PER_MINUTE = 6000;
const FAILED_KEYS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const ADMIN_KEY_ID = 'key_environment';
const REMEMBERED_KEYS = 1000;
const BEARER = /^Bearer +([^\s,]+)$/i;

const isApiRoute = (url: string): boolean => /^\/v1(\/|$)/.test(url);
const listOf = <Hook>(hooks: Hook | Hook[] | undefined): Hook[] =>
  hooks === undefined ? [] : ([hooks].flat() as Hook[]);

/**
 * Puts authentication, role check and rate limit in front of every route that declares `config.roles`, and the Idempotency-Key on the POST routes
 * among them. It hooks into the registration of routes, so a feature cannot forget it.
 *
 * @throws at boot, for a /v1 route that declares no roles, or whose body schema accepts unknown fields
 */
export function guardApi(app: Server, options: GuardOptions): void {
  // Set by `admit` before any handler of a route with roles runs.
  app.decorateRequest('principal', null as unknown as Principal);
  const authenticate = createAuthentication(app, options);
  const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    // Answers are for the holder of the key, so no cache may keep them.
    void reply.header('cache-control', 'no-store');
    request.principal = await authenticate(request);
    const roles = request.routeOptions.config.roles ?? [];
    if (!roles.includes(request.principal.role)) throw problems.forbidden();
  };
  const keyBudget = app.createRateLimit({
    max: options.requestsPerMinute ?? REQUESTS_PER_MINUTE,
    timeWindow: MINUTE_MS,
    keyGenerator: (request) => request.principal.keyId,
  });
  const limit = async (request: FastifyRequest): Promise<void> => {
    const budget = await keyBudget(request);
    if (!budget.isAllowed && budget.isExceeded) throw problems.rateLimited(Math.max(1, budget.ttlInSeconds));
  };
  const idempotency = createIdempotency(options.db, (request) => request.principal.keyId);

  app.addHook('onRoute', (route) => {
    assertDeclared(route);
    // Fastify derives a HEAD route from a GET route whose hooks are already in place.
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

/**
 * Finds the caller of `Authorization: Bearer <key>`.
 *
 * @returns a function that throws Problem unauthorized (the same bytes for a missing, malformed, unknown, revoked or expired key, and for a key in
 *   the URL), or rate_limited once an address has sent too many bad keys
 */
function createAuthentication(app: Server, options: GuardOptions): (request: FastifyRequest) => Promise<Principal> {
  const { db, failedKeysPerMinute = FAILED_KEYS_PER_MINUTE } = options;
  const adminHash = options.adminKey === undefined ? undefined : hashApiKey(options.adminKey);
  const failures = app.createRateLimit({ max: failedKeysPerMinute, timeWindow: MINUTE_MS, ipv6Subnet: 64 });
  // Keys that were valid on this process recently pass the limit below, so that an attacker who guesses keys from the same address locks no
  // caller out. A key in this cache gets nothing by it: it is looked up like any other.
  const validRecently = new LRUCache<string, true>({ max: REMEMBERED_KEYS });

  return async (request) => {
    const key = readKey(request);
    const hash = key === undefined ? undefined : hashApiKey(key);
    const hashText = hash?.toString('base64');
    if (hashText === undefined || !validRecently.has(hashText)) {
      const budget = await failures(request, { increment: false });
      if (!budget.isAllowed && budget.remaining === 0) throw problems.rateLimited(Math.max(1, budget.ttlInSeconds));
    }
    const principal = hash === undefined ? undefined : await findPrincipal(db, adminHash, hash);
    if (principal === undefined || hashText === undefined) {
      await failures(request);
      throw problems.unauthorized();
    }
    validRecently.set(hashText, true);
    return principal;
  };
}

function readKey(request: FastifyRequest): string | undefined {
  const key = BEARER.exec(request.headers.authorization ?? '')?.[1];
  return key === undefined || !isApiKey(key) || holdsApiKey(request.url) ? undefined : key;
}

async function findPrincipal(db: Db, adminHash: Buffer | undefined, hash: Buffer): Promise<Principal | undefined> {
  if (adminHash !== undefined && isSameHash(adminHash, hash)) return { keyId: ADMIN_KEY_ID, role: 'admin' };
  const row = await findValidKey(db, hash);
  if (row === undefined) return undefined;
  return {
    keyId: row.id,
    role: row.role,
    ...(row.brandId === null ? {} : { brandId: row.brandId }),
    ...(row.influencerId === null ? {} : { influencerId: row.influencerId }),
  };
}
