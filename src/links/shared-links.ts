import { z } from 'zod';

import type { RedisClient } from '../infra/redis.ts';
import { findWithTimeout } from '../infra/with-timeout.ts';
import { LANDING_MODES, PLATFORMS, TARGET_STATUSES } from '../core/vocabulary.ts';
import type { LinkFacts } from './link-facts-queries.ts';

/** Maximum life of a link in Redis. A process trusts what it finds there only after it has heard changes for as long. */
export const REDIS_LINK_TTL_MS = 30_000;
/** Code → link never changes; the entry expires only to give memory back. */
const REDIS_CODE_TTL_MS = 3_600_000;
const REDIS_WAIT_MS = 40;
/** After Redis failed, lookups leave it out for this long, so that visitors do not wait for it one by one. */
const REDIS_REST_MS = 1_000;

/** The number is the version of the value's shape, so a program of another version finds nothing rather than a value it cannot read. */
const LINK_KEY = 'link:5:';
const CODE_KEY = 'linkcode:1:';

const FACTS = z.strictObject({
  linkNumber: z.int(),
  linkId: z.string(),
  brandId: z.string(),
  status: z.enum(TARGET_STATUSES),
  platform: z.enum(PLATFORMS),
  url: z.string(),
  sls: z.string().nullable(),
  landingMode: z.enum(LANDING_MODES).nullable(),
  changesAtMs: z.int().nullable(),
  version: z.int(),
});

/**
 * Writes `<version> <facts>` unless a newer version is stored; with `after` also unless the same version is. A value without facts marks every
 * version before it as outdated: a process that hears of a change writes it, so that a slower process cannot bring back facts that it read
 * before the change. Values: version, facts, ms to live, '' or 'after'.
 */
const PUT_IF_NEWER = `
local current = redis.call('get', KEYS[1])
local version = current and tonumber(string.match(current, '^%d+')) or -1
local offered = tonumber(ARGV[1])
if offered < version or (offered == version and ARGV[4] == 'after') then return 0 end
redis.call('set', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1`;

/** Link facts that processes share through Redis. Every function rejects where Redis does not answer. */
export interface SharedLinks {
  /** The link that a code names; undefined where Redis does not hold it. */
  findLinkId(code: string): Promise<string | undefined>;
  /** The facts of a link; undefined where Redis holds none, or those of another program version. */
  findFacts(linkId: string): Promise<LinkFacts | undefined>;
  put(code: string, facts: LinkFacts): Promise<void>;
  /** Marks every version before this one as outdated. */
  outdate(linkId: string, version: number): Promise<void>;
  /** Deletes a link whose new version is not known. */
  forget(linkId: string): Promise<void>;
}

function readFacts(value: string): LinkFacts | undefined {
  const json = value.slice(value.indexOf(' ') + 1);
  if (json === '') return undefined;
  try {
    return FACTS.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

export function createSharedLinks(redis: RedisClient): SharedLinks {
  const putIfNewer = async (linkId: string, version: number, facts: string, mode: '' | 'after'): Promise<void> => {
    await redis.eval(PUT_IF_NEWER, 1, LINK_KEY + linkId, version, facts, REDIS_LINK_TTL_MS, mode);
  };
  return {
    findLinkId: async (code) => (await redis.get(CODE_KEY + code)) ?? undefined,
    findFacts: async (linkId) => {
      const value = await redis.get(LINK_KEY + linkId);
      return value === null ? undefined : readFacts(value);
    },
    put: async (code, facts) => {
      await putIfNewer(facts.linkId, facts.version, JSON.stringify(facts), '');
      await redis.set(CODE_KEY + code, facts.linkId, 'PX', REDIS_CODE_TTL_MS);
    },
    outdate: async (linkId, version) => {
      await putIfNewer(linkId, version, '', 'after');
    },
    forget: async (linkId) => {
      await redis.del(LINK_KEY + linkId);
    },
  };
}

/** The shared facts as a lookup uses them. Never rejects: a Redis that does not answer is the same as one that holds nothing. */
export interface SharedLookup {
  /** Facts that are no older than what was announced to this process. `knownLinkId` saves the lookup of the code. */
  find(code: string, knownLinkId: string | undefined): Promise<LinkFacts | undefined>;
  /** Writes without waiting. */
  put(code: string, facts: LinkFacts): void;
  /** Marks or deletes a changed link, without waiting. */
  linkChanged(linkId: string, version: number | undefined): void;
}

export function createSharedLookup(
  redis: RedisClient,
  cache: { isCurrent(linkId: string, version: number): boolean },
): SharedLookup {
  const shared = createSharedLinks(redis);
  let restsUntilMs = -Infinity;
  const read = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await findWithTimeout(answer, REDIS_WAIT_MS);
    } catch {
      restsUntilMs = performance.now() + REDIS_REST_MS;
      return undefined;
    }
  };
  const write = (statement: () => Promise<void>): void => {
    if (redis.status === 'ready') statement().catch(() => undefined);
  };
  return {
    find: async (code, knownLinkId) => {
      if (redis.status !== 'ready' || performance.now() < restsUntilMs) return undefined;
      const linkId = knownLinkId ?? (await read(shared.findLinkId(code)));
      const facts = linkId === undefined ? undefined : await read(shared.findFacts(linkId));
      return facts !== undefined && cache.isCurrent(facts.linkId, facts.version) ? facts : undefined;
    },
    put: (code, facts) => {
      write(() => shared.put(code, facts));
    },
    linkChanged: (linkId, version) => {
      write(() => (version === undefined ? shared.forget(linkId) : shared.outdate(linkId, version)));
    },
  };
}
