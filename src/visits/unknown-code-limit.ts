import { LRUCache } from 'lru-cache';
import { Counter } from 'prom-client';

import { createVisitorHash } from '../core/clicks/click.ts';
import { refilled, secondsUntilToken } from '../http/token-bucket.ts';
import type { Bucket, BucketLimits } from '../http/token-bucket.ts';
import type { RedisClient } from '../infra/redis.ts';
import type { MetricsRegistry } from '../http/metrics.ts';

/** Leave to look up a code that this process does not know; `missed` is called where it names nothing. */
export type Admission = { isAdmitted: true; missed: () => void } | { isAdmitted: false; retryAfterSeconds: number };

/** How many codes that name nothing one network may try. */
export interface MissBudget {
  admit(address: string): Admission;
}

export interface MissMetrics {
  missed(outcome: 'answered' | 'refused'): void;
  /** Redis did not take part in a decision. */
  decidedAlone(): void;
}

/** Networks remembered in the process; beyond that the one asked about longest ago is forgotten, and only Redis knows it. */
const MAX_NETWORKS = 50_000;
const REDIS_KEY = 'misses:1:';

/**
 * Takes one token, by Redis' own clock, and says how many thousandths of a token are left; below 0 there was none to take. Values: burst,
 * tokens a second, and the time in ms where a test brings its own clock, else ''. The key goes when the bucket would be full again.
 */
const TAKE = `
local burst = tonumber(ARGV[1])
local perSecond = tonumber(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('time')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local kept = redis.call('hmget', KEYS[1], 'tokens', 'at')
local tokens = tonumber(kept[1] or burst)
local at = tonumber(kept[2] or now)
tokens = math.min(burst, tokens + math.max(0, now - at) * perSecond / 1000)
local isTaken = tokens >= 1
if isTaken then tokens = tokens - 1 end
redis.call('hset', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', math.max(now, at)))
redis.call('pexpire', KEYS[1], math.ceil((burst - tokens) / perSecond * 1000) + 1)
if isTaken then return math.floor(tokens * 1000) end
return -1 - math.floor((1 - tokens) * 1000)`;

/** Everybody is admitted. */
export const NO_MISS_BUDGET: MissBudget = {
  admit: () => ({ isAdmitted: true, missed: () => undefined }),
};

/**
 * Takes one token of a network's shared bucket.
 *
 * @param nowMs  for tests; Redis' own clock without it
 * @returns thousandths of a token that are left, below 0 where there was none. Rejects where Redis does not answer.
 */
export async function takeSharedToken(
  redis: RedisClient,
  { network, limits, nowMs }: { network: string; limits: BucketLimits; nowMs?: number },
): Promise<number> {
  const { burst, perSecond } = limits;
  return Number(await redis.eval(TAKE, 1, REDIS_KEY + network, burst, perSecond, nowMs ?? ''));
}

export function createMissMetrics(registry: MetricsRegistry): MissMetrics {
  const registers = [registry];
  const misses = new Counter({
    name: 'visitor_misses_total',
    help: 'Requests for codes that name no link: answered with a page, or refused before the lookup',
    labelNames: ['outcome'],
    registers,
  });
  const alone = new Counter({
    name: 'visitor_miss_decisions_alone_total',
    help: 'Misses that were counted in the process only, because Redis did not answer',
    registers,
  });
  return { missed: (outcome) => misses.inc({ outcome }), decidedAlone: () => alone.inc() };
}

/**
 * A token bucket for misses by network (IPv4 address, IPv6 /64), shared by all processes through Redis.
 *
 * Each process keeps a bucket of its own and decides by it at once: nobody waits for Redis. A miss also takes a token of the shared
 * bucket, and what is left there bounds the process's own, so that n processes allow little more than one. Without Redis each process
 * goes on alone. Redis learns a keyed hash of the network, for as long as the bucket is not full; the address itself is kept nowhere.
 *
 * @param deps.key    16 bytes that all processes share
 * @param deps.nowMs  a clock that is never set back; `performance.now` unless a test brings its own
 */
export function createMissBudget(deps: {
  redis: RedisClient;
  key: Uint8Array;
  limits: BucketLimits;
  metrics: MissMetrics;
  nowMs?: () => number;
}): MissBudget {
  const { redis, limits, metrics, nowMs = () => performance.now() } = deps;
  const hash = createVisitorHash(deps.key);
  const buckets = new LRUCache<string, Bucket>({ max: MAX_NETWORKS });
  const bucketOf = (network: string): Bucket => {
    const kept = buckets.get(network);
    return kept === undefined ? { tokens: limits.burst, atMs: nowMs() } : refilled(kept, nowMs(), limits);
  };

  const share = async (network: string): Promise<void> => {
    if (redis.status !== 'ready') {
      metrics.decidedAlone();
      return;
    }
    try {
      const left = (await takeSharedToken(redis, { network, limits })) / 1000;
      const own = bucketOf(network);
      if (left < own.tokens) buckets.set(network, { ...own, tokens: Math.max(0, left) });
    } catch {
      metrics.decidedAlone();
    }
  };

  return {
    admit: (address) => {
      const network = hash({ address, agentDigest: '' });
      const bucket = bucketOf(network);
      if (bucket.tokens < 1) {
        metrics.missed('refused');
        return { isAdmitted: false, retryAfterSeconds: secondsUntilToken(bucket, limits) };
      }
      // Taken after the lookup: a new process knows no link yet, and a thousand visitors of one carrier must all find theirs. A thousand
      // tries at one moment pass as well, but leave a debt that is worked off before the next.
      return {
        isAdmitted: true,
        missed: () => {
          const now = bucketOf(network);
          buckets.set(network, { ...now, tokens: now.tokens - 1 });
          metrics.missed('answered');
          void share(network);
        },
      };
    },
  };
}
