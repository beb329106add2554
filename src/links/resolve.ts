import type { Logger } from 'pino';

import type { Db } from '../infra/db.ts';
import type { RedisClient } from '../infra/redis.ts';
import { findWithTimeout } from '../infra/with-timeout.ts';
import { REDIS_LINK_TTL_MS, createSharedLinks } from './link-cache-redis.ts';
import { LinkCache } from './link-cache.ts';
import type { CacheHit } from './link-cache.ts';
import { followLinkChanges } from './resolve-changes.ts';
import type { LinkChanges } from './resolve-changes.ts';
import { findLinkFacts } from './resolve-queries.ts';
import type { LinkFacts } from './resolve-queries.ts';
import { targetOf } from './resolve-target.ts';
import type { LinkTarget } from './resolve-target.ts';
import { followVisitWishes } from './landing-modes/overrides.ts';
import type { VisitWishes } from './landing-modes/overrides.ts';

export type { LinkTarget } from './resolve-target.ts';

/** `unavailable`: nobody who could know answers, and nothing is remembered. */
export type Resolution = { found: true; target: LinkTarget } | { found: false; reason: 'unknown' | 'unavailable' };

export interface LinkResolver {
  /** The target of a code in canonical spelling that this process may use at once. For the path that nearly every visitor takes. */
  knownTarget(code: string): LinkTarget | undefined;
  /** What this process knows and may use at once; undefined where somebody has to be asked. */
  known(code: string): Resolution | undefined;
  /** Process cache, Redis, Postgres, in this order. Never rejects, and answers within about a second whatever is broken. */
  resolve(code: string): Promise<Resolution>;
  /** Whether changes are heard: a pause then reaches this process at once. */
  isTold(): boolean;
  /** Closes its own connection; the process cache goes on answering. */
  stop(): Promise<void>;
}

export interface LinkResolverDeps {
  db: Db;
  /** For the connection that listens to changes; must not be a transaction pooler. */
  databaseUrl: string;
  redis: RedisClient;
  log: Logger;
  now: () => Date;
  /** How long changes must have been heard before Redis is asked first; the 30 s that anything lives there, unless a test cannot wait. */
  trustSharedAfterMs?: number;
}

/** Lookups under way at one moment; beyond that a visitor gets what is remembered. */
const MAX_LOOKUPS = 500;
/** Something usable is remembered, only no longer fresh: a visitor does not wait longer for a newer one. */
const STALE_WAIT_MS = 40;
/** Nothing usable is remembered. */
const COLD_WAIT_MS = 1_000;
const REDIS_WAIT_MS = 40;
/** After Redis failed it is left out for as long, so that visitors do not wait for it one by one. */
const REDIS_REST_MS = 1_000;
const POSTGRES_WAIT_MS = 800;
/** A row older than what was announced means that the announcement overtook a read under way: then once more. */
const READ_ATTEMPTS = 3;

const UNKNOWN: Resolution = { found: false, reason: 'unknown' };
const UNAVAILABLE: Resolution = { found: false, reason: 'unavailable' };

function resolutionOf(hit: CacheHit): Resolution {
  return hit.found ? { found: true, target: hit.target } : UNKNOWN;
}

/** Reads and writes the facts shared in Redis; a Redis that does not answer is like one that knows nothing. */
function createSharedLookup(redis: RedisClient, cache: LinkCache) {
  const shared = createSharedLinks(redis);
  let restsUntilMs = -Infinity;
  const ask = async <T>(question: Promise<T>): Promise<T | undefined> => {
    try {
      return await findWithTimeout(question, REDIS_WAIT_MS);
    } catch {
      restsUntilMs = performance.now() + REDIS_REST_MS;
      return undefined;
    }
  };
  const tell = (statement: () => Promise<void>): void => {
    if (redis.status === 'ready') statement().catch(() => undefined);
  };
  return {
    /** Facts no older than what was announced. */
    find: async (code: string): Promise<LinkFacts | undefined> => {
      if (redis.status !== 'ready' || performance.now() < restsUntilMs) return undefined;
      const linkId = cache.linkIdOf(code) ?? (await ask(shared.findLinkId(code)));
      const facts = linkId === undefined ? undefined : await ask(shared.findFacts(linkId));
      return facts !== undefined && cache.isCurrent(facts.linkId, facts.version) ? facts : undefined;
    },
    put: (code: string, facts: LinkFacts): void => {
      tell(() => shared.put(code, facts));
    },
    linkChanged: (linkId: string, version: number | undefined): void => {
      tell(() => (version === undefined ? shared.forget(linkId) : shared.outdate(linkId, version)));
    },
  };
}

type SharedLookup = ReturnType<typeof createSharedLookup>;

/** What Postgres says: facts, or `null` for a code that names nothing. Rejects where it does not answer. */
async function readFacts(db: Db, cache: LinkCache, code: string): Promise<LinkFacts | null> {
  let facts: LinkFacts | undefined;
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    const mark = cache.codeMark;
    facts = await findLinkFacts(db, code);
    if (facts === undefined) {
      cache.putUnknown(code, mark);
      return null;
    }
    if (cache.isCurrent(facts.linkId, facts.version)) break;
  }
  return facts ?? null;
}

/** Asks Redis and Postgres about one code and keeps the answer. `isSharedTrusted`: Redis may be asked before Postgres. */
function createLookUp(
  deps: LinkResolverDeps & {
    cache: LinkCache;
    shared: SharedLookup;
    wishes: VisitWishes;
    isSharedTrusted: () => boolean;
  },
) {
  const { cache, shared, wishes } = deps;
  const keep = async (code: string, facts: LinkFacts): Promise<Resolution> => {
    // Only in a process that has just started; nobody's wish is passed over because its visitor was the first.
    await wishes.ready;
    const target = targetOf(facts, wishes);
    cache.put(code, target, facts.changesAtMs);
    return { found: true, target };
  };
  return async (code: string): Promise<Resolution> => {
    const isSharedFirst = deps.isSharedTrusted();
    const early = isSharedFirst ? await shared.find(code) : undefined;
    if (early !== undefined) return keep(code, early);
    try {
      const facts = await findWithTimeout(readFacts(deps.db, cache, code), POSTGRES_WAIT_MS);
      if (facts !== undefined) wishes.answered();
      if (facts === null) return UNKNOWN;
      if (facts !== undefined) {
        shared.put(code, facts);
        return await keep(code, facts);
      }
    } catch (error) {
      deps.log.debug({ err: error }, 'a link could not be read from postgres');
    }
    const late = isSharedFirst ? undefined : await shared.find(code);
    return late === undefined ? UNAVAILABLE : keep(code, late);
  };
}

/** Concurrent visitors of one code wait for one lookup; undefined where too many are under way. */
function createJoin(lookUp: (code: string) => Promise<Resolution>): (code: string) => Promise<Resolution> | undefined {
  const running = new Map<string, Promise<Resolution>>();
  return (code) => {
    const joined = running.get(code);
    if (joined !== undefined || running.size >= MAX_LOOKUPS) return joined;
    const lookup = lookUp(code).finally(() => running.delete(code));
    running.set(code, lookup);
    return lookup;
  };
}

/**
 * Finds where links lead: process cache ▸ Redis ▸ Postgres.
 *
 * Postgres announces every change in the transaction that makes it, and each process hears it on a connection of its own, gives up what it
 * remembers and marks older versions in Redis as outdated. While that connection is broken nothing is believed for more than a second, and
 * for 30 s after it is back (what Redis may still hold from before) Redis is asked only where Postgres does not answer. What brands and the
 * operator wish for all their links is announced on the same channel and kept beside the links.
 */
export function createLinkResolver(deps: LinkResolverDeps): LinkResolver {
  const cache = new LinkCache({ now: deps.now });
  const shared = createSharedLookup(deps.redis, cache);
  const wishes = followVisitWishes(deps);
  let toldSinceMs: number | undefined;
  const changes: LinkChanges = {
    linkChanged: (linkId, version) => {
      cache.linkChanged(linkId, version);
      shared.linkChanged(linkId, version);
    },
    codeAdded: (code) => cache.codeAdded(code),
    wishesChanged: () => wishes.changed(),
    told: (isTold) => {
      toldSinceMs = isTold ? performance.now() : undefined;
      cache.setTold(isTold);
      wishes.setTold(isTold);
    },
  };
  const isSharedTrusted = (): boolean =>
    toldSinceMs !== undefined && performance.now() - toldSinceMs > (deps.trustSharedAfterMs ?? REDIS_LINK_TTL_MS);
  const join = createJoin(createLookUp({ ...deps, cache, shared, wishes, isSharedTrusted }));
  const stopFollowing = followLinkChanges({ databaseUrl: deps.databaseUrl, log: deps.log, changes });

  return {
    knownTarget: (code) => cache.findFresh(code),
    known: (code) => {
      const hit = cache.find(code);
      return hit?.isFresh === true ? resolutionOf(hit) : undefined;
    },
    resolve: async (code) => {
      const hit = cache.find(code);
      if (hit?.isFresh === true) return resolutionOf(hit);
      const isUsable = hit !== undefined && !(hit.found && hit.isChanged);
      const lookup = join(code);
      const looked =
        lookup === undefined ? undefined : await findWithTimeout(lookup, isUsable ? STALE_WAIT_MS : COLD_WAIT_MS);
      if (looked !== undefined && (looked.found || looked.reason !== 'unavailable')) return looked;
      return hit === undefined ? UNAVAILABLE : resolutionOf(hit);
    },
    isTold: () => toldSinceMs !== undefined,
    stop: async () => {
      wishes.stop();
      await stopFollowing();
    },
  };
}
