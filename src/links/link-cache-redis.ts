import { z } from 'zod';

import { LANDING_MODES, PLATFORMS, TARGET_STATUSES } from '../core/vocabulary.ts';
import type { RedisClient } from '../infra/redis.ts';
import type { LinkFacts } from './resolve-queries.ts';

/** What Redis holds of a link lives this long at most, so a process may not trust it before it was told of changes for as long. */
export const REDIS_LINK_TTL_MS = 30_000;
/** Code → link never changes; it is only forgotten to give memory back. */
const REDIS_CODE_TTL_MS = 3_600_000;

/** The number is the version of the value's shape: a program of another version sees nothing rather than something it cannot read. */
const LINK_KEY = 'link:4:';
const CODE_KEY = 'linkcode:1:';

const FACTS = z.strictObject({
  linkNumber: z.int(),
  linkId: z.string(),
  brandId: z.string(),
  status: z.enum(TARGET_STATUSES),
  platform: z.enum(PLATFORMS),
  url: z.string(),
  sls: z.string().nullable(),
  way: z.enum(LANDING_MODES).nullable(),
  changesAtMs: z.int().nullable(),
  version: z.int(),
});

/**
 * Writes `<version> <facts>` unless a newer version stands there; with `after` also unless the same one does. A value without facts says
 * that everything before its version is outdated: who was told of a change leaves it, so that a slower process cannot bring back what it
 * read before. Values: version, facts, ms to live, '' or 'after'.
 */
const PUT_IF_NEWER = `
local current = redis.call('get', KEYS[1])
local version = current and tonumber(string.match(current, '^%d+')) or -1
local offered = tonumber(ARGV[1])
if offered < version or (offered == version and ARGV[4] == 'after') then return 0 end
redis.call('set', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1`;

/** Link facts shared between processes by way of Redis. Every function rejects where Redis does not answer. */
export interface SharedLinks {
  /** The link a code names; undefined where Redis does not know. */
  findLinkId(code: string): Promise<string | undefined>;
  /** The facts of a link; undefined where there are none, or they are of another program version. */
  findFacts(linkId: string): Promise<LinkFacts | undefined>;
  put(code: string, facts: LinkFacts): Promise<void>;
  /** Declares every version before this one outdated. */
  outdate(linkId: string, version: number): Promise<void>;
  /** Forgets a link whose new version is not known. */
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
