import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';

import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { hashApiKey, holdsApiKey, isApiKey, isSameHash } from './api-key.ts';
import type { Principal } from './principal.ts';
import { findValidKey } from './queries.ts';

export interface AuthenticationOptions {
  db: Db;
  adminKey?: string;
  failedKeysPerMinute?: number;
}

const BEARER = /^Bearer +([^\s,]+)$/i;
const FAILED_KEYS_PER_MINUTE = 60;
const ADMIN_KEY_ID = 'key_environment';
const REMEMBERED_KEYS = 1000;

/**
 * Who is calling, from `Authorization: Bearer <key>`.
 *
 * @returns a function that throws Problem unauthorized (the same bytes for a missing, malformed, unknown, revoked or expired key, and for a key
 *   in the URL), or rate_limited once an address has sent too many bad keys
 */
export function createAuthentication(
  app: Server,
  options: AuthenticationOptions,
): (request: FastifyRequest) => Promise<Principal> {
  const { db, failedKeysPerMinute = FAILED_KEYS_PER_MINUTE } = options;
  const adminHash = options.adminKey === undefined ? undefined : hashApiKey(options.adminKey);
  const failures = app.createRateLimit({ max: failedKeysPerMinute, timeWindow: 60_000, ipv6Subnet: 64 });
  // Keys that were valid here lately pass the limit below, so that somebody guessing from the same address shuts nobody out. It grants
  // nothing: such a key is still looked up.
  const goodLately = new LRUCache<string, true>({ max: REMEMBERED_KEYS });

  return async (request) => {
    const key = readKey(request);
    const hash = key === undefined ? undefined : hashApiKey(key);
    const hashText = hash?.toString('base64');
    if (hashText === undefined || !goodLately.has(hashText)) {
      const budget = await failures(request, { increment: false });
      if (!budget.isAllowed && budget.remaining === 0) throw problems.rateLimited(Math.max(1, budget.ttlInSeconds));
    }
    const principal = hash === undefined ? undefined : await principalOf(db, adminHash, hash);
    if (principal === undefined || hashText === undefined) {
      await failures(request);
      throw problems.unauthorized();
    }
    goodLately.set(hashText, true);
    return principal;
  };
}

function readKey(request: FastifyRequest): string | undefined {
  const key = BEARER.exec(request.headers.authorization ?? '')?.[1];
  return key === undefined || !isApiKey(key) || holdsApiKey(request.url) ? undefined : key;
}

async function principalOf(db: Db, adminHash: Buffer | undefined, hash: Buffer): Promise<Principal | undefined> {
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
