import { LRUCache } from 'lru-cache';
import { Counter } from 'prom-client';

import { createVisitorHash } from '../core/clicks/click.ts';
import { refilled, secondsUntilToken } from '../http/token-bucket.ts';
import type { Bucket, BucketLimits } from '../http/token-bucket.ts';
import type { RedisClient } from '../infra/redis.ts';
import type { MetricsRegistry } from '../http/metrics.ts';

/** Whether a code that this process does not know may be looked up. Call `countUnknown` where the code names no link. */
export type Admission =
  | { isAdmitted: true; countUnknown: () => void }
  | { isAdmitted: false; retryAfterSeconds: number };

/** Limits how many codes that name no link a network may try. */
export interface UnknownCodeLimit {
  admit(address: string): Admission;
}

export interface UnknownCodeMetrics {
  unknownCode(outcome: 'answered' | 'refused'): void;
  /** Redis did not take part in a decision. */
  decidedAlone(): void;
}

/** Networks that the process remembers; beyond that the least recently used one is forgotten, and only Redis holds its bucket. */
const MAX_NETWORKS = 50_000;
const REDIS_KEY = 'misses:1:';

/**
 * Takes one token, by the clock of Redis, and returns how many thousandths of a token are left; a negative number means that there was no
 * token. Values: burst, tokens per second, and the time in ms where a test brings its own clock, else ''. The key expires when the bucket is
 * full again.
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

/** Admits every code. */
export const NO_UNKNOWN_CODE_LIMIT: UnknownCodeLimit = {
  admit: () => ({ isAdmitted: true, countUnknown: () => undefined }),
};

/**
 * Takes one token of a network's shared bucket.
 *
 * @param nowMs  for tests; the clock of Redis without it
 * @returns thousandths of a token that are left, negative where there was none. Rejects where Redis does not answer.
 */
export async function takeSharedToken(
  redis: RedisClient,
  { network, limits, nowMs }: { network: string; limits: BucketLimits; nowMs?: number },
): Promise<number> {
  const { burst, perSecond } = limits;
  return Number(await redis.eval(TAKE, 1, REDIS_KEY + network, burst, perSecond, nowMs ?? ''));
}

export function createUnknownCodeMetrics(registry: MetricsRegistry): UnknownCodeMetrics {
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
  return { unknownCode: (outcome) => misses.inc({ outcome }), decidedAlone: () => alone.inc() };
}

/**
 * A token bucket of unknown codes for each network (IPv4 address, IPv6 /64), shared by all processes through Redis.
 *
 * Each process decides at once by a bucket of its own, so no visitor waits for Redis. An unknown code also takes a token of the shared bucket,
 * and the tokens that are left there limit the process's own bucket, so that n processes allow little more than one. Without Redis each
 * process goes on alone. Redis holds a keyed hash of the network, until its bucket is full again; the address itself is stored nowhere.
 *
 * @param deps.key    16 bytes that all processes share
 * @param deps.nowMs  a monotonic clock; `performance.now` unless a test brings its own
 */
export function createUnknownCodeLimit(deps: {
  redis: RedisClient;
  key: Uint8Array;
  limits: BucketLimits;
  metrics: UnknownCodeMetrics;
  nowMs?: () => number;
}): UnknownCodeLimit {
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
        metrics.unknownCode('refused');
        return { isAdmitted: false, retryAfterSeconds: secondsUntilToken(bucket, limits) };
      }
      // The token is taken after the lookup: a fresh process knows no link, and a thousand visitors of one carrier must all find theirs. A
      // thousand concurrent tries pass as well, but leave a debt that must be refilled before the next one.
      return {
        isAdmitted: true,
        countUnknown: () => {
          const now = bucketOf(network);
          buckets.set(network, { ...now, tokens: now.tokens - 1 });
          metrics.unknownCode('answered');
          void share(network);
        },
      };
    },
  };
}
