import type { Logger } from 'pino';

import type { Db } from '../infra/db.ts';
import type { RedisClient } from '../infra/redis.ts';
import { findWithTimeout } from '../infra/with-timeout.ts';
import { splitDestination } from '../platforms/destination.ts';
import type { SplitDestination } from '../platforms/destination.ts';
import { PLATFORMS } from '../core/vocabulary.ts';
import { checkDestination } from '../platforms/platform.ts';
import { pollLandingModes } from './landing-modes/overrides.ts';
import type { LandingModes } from './landing-modes/overrides.ts';
import { LinkCache, RecentMap } from './link-cache.ts';
import type { CacheHit, LinkTarget } from './link-cache.ts';
import { followLinkChanges } from './link-changes.ts';
import { findLinkFacts } from './link-facts-queries.ts';
import type { LinkFacts } from './link-facts-queries.ts';
import { REDIS_LINK_TTL_MS, createSharedLookup } from './shared-links.ts';
import type { SharedLookup } from './shared-links.ts';

export type { LinkTarget } from './link-cache.ts';

/** `unavailable`: neither Redis nor Postgres answered, and this process remembers nothing of the code. */
export type Resolution = { found: true; target: LinkTarget } | { found: false; reason: 'unknown' | 'unavailable' };

export interface LinkResolver {
  /** The fresh target of a code in canonical spelling, from the process cache. For the click path. */
  knownTarget(code: string): LinkTarget | undefined;
  /** A fresh answer from the process cache; undefined where a lookup is needed. */
  known(code: string): Resolution | undefined;
  /** Process cache, Redis, Postgres, in this order. Never rejects, and answers within about a second even when both stores fail. */
  resolve(code: string): Promise<Resolution>;
  /** Whether the NOTIFY connection is up: a pause then reaches this process at once. */
  isListening(): boolean;
  /** Closes the NOTIFY connection; the process cache keeps answering. */
  stop(): Promise<void>;
}

export interface LinkResolverDeps {
  db: Db;
  /** For the NOTIFY connection; must not be a transaction pooler. */
  databaseUrl: string;
  redis: RedisClient;
  log: Logger;
  now: () => Date;
  /** How long changes must have been heard before lookups read Redis first; 30 s, the life of a link in Redis, unless a test cannot wait. */
  trustSharedAfterMs?: number;
  /** How often the landing-mode overrides are read; every 4 s unless a test cannot wait. */
  readOverridesEveryMs?: number;
}

/** Lookups that may run at once; beyond that a visitor gets what the cache remembers. */
const MAX_LOOKUPS = 500;
/** The cache holds something usable that is no longer fresh: a visitor waits this long for a newer version. */
const STALE_WAIT_MS = 40;
/** The cache holds nothing usable. */
const COLD_WAIT_MS = 1_000;
const POSTGRES_WAIT_MS = 800;
/** A row older than the announced version means that the announcement overtook a running read: read again. */
const READ_ATTEMPTS = 3;

const UNKNOWN: Resolution = { found: false, reason: 'unknown' };
const UNAVAILABLE: Resolution = { found: false, reason: 'unavailable' };

/** Only fills the fields of a target that is `gone` because its destination is not allowed; no redirect uses it. */
const NO_DESTINATION: SplitDestination = { takesClickId: false, before: '', after: '' };

/**
 * Destinations read lately, each stored once. A product has as many links as influencers promote it, and the text is a fifth of a cached link.
 * If every link has a product of its own, this costs a megabyte.
 */
const MAX_SHARED_DESTINATIONS = 10_000;
const sharedDestinations = new RecentMap<string, string>(MAX_SHARED_DESTINATIONS);

function shared(text: string): string {
  const known = sharedDestinations.get(text);
  sharedDestinations.set(known ?? text, known ?? text);
  return known ?? text;
}

/**
 * Checks the destination by the rules of this program and splits it at the place of the click id.
 *
 * This is the second check, after the one at registration: a URL that was stored before a rule became stricter, or past the API, never becomes
 * a Location. Such a link is `gone`.
 */
function targetOf(facts: LinkFacts, landingModes: LandingModes): LinkTarget {
  const { linkNumber, linkId, version } = facts;
  const checked = checkDestination({ platform: facts.platform, url: facts.url });
  const { takesClickId, before, after } = checked.ok
    ? splitDestination(checked.destination, facts.sls === null ? {} : { sls: facts.sls })
    : NO_DESTINATION;
  const status = checked.ok ? facts.status : 'gone';
  // Use the string constant of this program, because the string that was just read would be one more per link.
  const platform = PLATFORMS.find((known) => known === facts.platform) ?? facts.platform;
  const overrides = landingModes.overridesOf(facts);
  // Every field is written out: with `...split` V8 stores the last three fields in a second object.
  return { linkNumber, linkId, version, status, platform, overrides, takesClickId, before: shared(before), after };
}

function resolutionOf(hit: CacheHit): Resolution {
  return hit.found ? { found: true, target: hit.target } : UNKNOWN;
}

/** The facts in Postgres, or `null` for a code that names no link. Rejects where Postgres does not answer. */
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

/** Returns the function that reads one code from Redis and Postgres and caches the answer. `isSharedTrusted`: Redis goes before Postgres. */
function createLookUp(
  deps: LinkResolverDeps & {
    cache: LinkCache;
    sharedLookup: SharedLookup;
    landingModes: LandingModes;
    isSharedTrusted: () => boolean;
  },
) {
  const { cache, sharedLookup, landingModes } = deps;
  const findShared = async (code: string): Promise<LinkFacts | undefined> =>
    sharedLookup.find(code, cache.linkIdOf(code));
  const keep = async (code: string, facts: LinkFacts): Promise<Resolution> => {
    // Only the first visitors of a fresh process wait here, so that the overrides apply to them as well.
    await landingModes.firstRead;
    const target = targetOf(facts, landingModes);
    cache.put(code, target, facts.changesAtMs);
    return { found: true, target };
  };
  return async (code: string): Promise<Resolution> => {
    const isSharedFirst = deps.isSharedTrusted();
    const early = isSharedFirst ? await findShared(code) : undefined;
    if (early !== undefined) return keep(code, early);
    try {
      const facts = await findWithTimeout(readFacts(deps.db, cache, code), POSTGRES_WAIT_MS);
      if (facts === null) return UNKNOWN;
      if (facts !== undefined) {
        sharedLookup.put(code, facts);
        return await keep(code, facts);
      }
    } catch (error) {
      deps.log.debug({ err: error }, 'a link could not be read from postgres');
    }
    const late = isSharedFirst ? undefined : await findShared(code);
    return late === undefined ? UNAVAILABLE : keep(code, late);
  };
}

/** Concurrent visitors of one code share one lookup; undefined where too many lookups run. */
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
 * Postgres announces every change in the transaction that makes it. Each process hears it on a connection of its own, stops using the cached
 * link, and marks older versions in Redis as outdated. While that connection is down, nothing is fresh for more than a second; for 30 s after
 * it is back, the time for which Redis may hold older links, lookups read Redis only where Postgres does not answer. The landing-mode overrides
 * of brands and the operator concern many links at once: each process keeps that table beside the links and reads it every four seconds.
 */
export function createLinkResolver(deps: LinkResolverDeps): LinkResolver {
  const cache = new LinkCache({ now: deps.now });
  const sharedLookup = createSharedLookup(deps.redis, cache);
  const landingModes = pollLandingModes({ db: deps.db, log: deps.log, everyMs: deps.readOverridesEveryMs });
  let listeningSinceMs: number | undefined;
  const stopFollowing = followLinkChanges({
    databaseUrl: deps.databaseUrl,
    log: deps.log,
    changes: {
      linkChanged: (linkId, version) => {
        cache.linkChanged(linkId, version);
        sharedLookup.linkChanged(linkId, version);
      },
      codeAdded: (code) => cache.codeAdded(code),
      listening: (isListening) => {
        listeningSinceMs = isListening ? performance.now() : undefined;
        cache.setListening(isListening);
      },
    },
  });
  const isSharedTrusted = (): boolean =>
    listeningSinceMs !== undefined &&
    performance.now() - listeningSinceMs > (deps.trustSharedAfterMs ?? REDIS_LINK_TTL_MS);
  const join = createJoin(createLookUp({ ...deps, cache, sharedLookup, landingModes, isSharedTrusted }));

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
    isListening: () => listeningSinceMs !== undefined,
    stop: async () => {
      landingModes.stop();
      await stopFollowing();
    },
  };
}
