import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { refilled } from '../../src/http/token-bucket.ts';
import type { Bucket, BucketLimits } from '../../src/http/token-bucket.ts';
import {
  createUnknownCodeLimit,
  createUnknownCodeMetrics,
  takeSharedToken,
} from '../../src/visits/unknown-code-limit.ts';
import type { UnknownCodeLimit } from '../../src/visits/unknown-code-limit.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { waitUntil } from '../support/timing.ts';

let shared: TestRedis;
beforeAll(async () => {
  shared = await createTestRedis();
});
afterAll(async () => {
  await shared.drop();
});

const KEY = Buffer.alloc(16, 5);
const LIMITS: BucketLimits = { burst: 5, perSecond: 1 };

function limitWith(options: { limits?: BucketLimits; redis?: TestRedis['redis']; key?: Buffer } = {}) {
  const registry = createMetricsRegistry();
  const clock = { nowMs: 0 };
  const limit = createUnknownCodeLimit({
    redis: options.redis ?? shared.redis,
    key: options.key ?? KEY,
    limits: options.limits ?? LIMITS,
    metrics: createUnknownCodeMetrics(registry),
    nowMs: () => clock.nowMs,
  });
  return { limit, clock, registry };
}

/** Misses until one is refused. @returns how many were admitted */
function triesUntilRefused(limit: UnknownCodeLimit, address: string): number {
  for (let admitted = 0; admitted < 1_000; admitted += 1) {
    const admission = limit.admit(address);
    if (!admission.isAdmitted) return admitted;
    admission.countUnknown();
  }
  return 1_000;
}

describe('in one process', () => {
  it('a burst is admitted, then one a second; the refusal says how long to wait', async () => {
    const { limit, clock } = limitWith({ key: Buffer.alloc(16, 21) });
    expect(triesUntilRefused(limit, '203.0.113.7')).toBe(5);
    expect(limit.admit('203.0.113.7')).toEqual({ isAdmitted: false, retryAfterSeconds: 1 });
    clock.nowMs += 1_000;
    expect(triesUntilRefused(limit, '203.0.113.7')).toBe(1);
  });

  it('codes that are found cost nothing, however many, and however many are looked up at one moment', () => {
    const { limit } = limitWith({ key: Buffer.alloc(16, 22) });
    const admissions = Array.from({ length: 500 }, () => limit.admit('203.0.113.7'));
    expect(admissions.filter(({ isAdmitted }) => !isAdmitted)).toEqual([]);
    expect(triesUntilRefused(limit, '203.0.113.7')).toBe(5);
  });

  it('misses of one moment are a debt that is worked off before the next try', () => {
    const { limit, clock } = limitWith({ key: Buffer.alloc(16, 23) });
    const admissions = Array.from({ length: 15 }, () => limit.admit('203.0.113.7'));
    for (const admission of admissions) if (admission.isAdmitted) admission.countUnknown();
    expect(limit.admit('203.0.113.7')).toEqual({ isAdmitted: false, retryAfterSeconds: 11 });
    clock.nowMs += 10_900;
    expect(limit.admit('203.0.113.7').isAdmitted).toBe(false);
    clock.nowMs += 100;
    expect(triesUntilRefused(limit, '203.0.113.7')).toBe(1);
  });

  it('an IPv4 address is one network, also as IPv6 writes it; of IPv6 it is the /64', () => {
    const { limit } = limitWith({ key: Buffer.alloc(16, 24) });
    triesUntilRefused(limit, '203.0.113.7');
    expect(limit.admit('::ffff:203.0.113.7').isAdmitted).toBe(false);
    expect(limit.admit('203.0.113.8').isAdmitted).toBe(true);
    triesUntilRefused(limit, '2001:db8:1:2::1');
    expect(limit.admit('2001:db8:1:2:ffff::9').isAdmitted).toBe(false);
    expect(limit.admit('2001:db8:1:3::1').isAdmitted).toBe(true);
  });
});

describe('shared by processes', () => {
  it('what one process spends is missing in the others', async () => {
    const key = Buffer.alloc(16, 31);
    const [one, other] = [limitWith({ key }), limitWith({ key })];
    expect(triesUntilRefused(one.limit, '198.51.100.1')).toBe(5);
    // The other process learns of it with its own first miss.
    const admission = other.limit.admit('198.51.100.1');
    if (admission.isAdmitted) admission.countUnknown();
    await waitUntil(async () => expect(other.limit.admit('198.51.100.1').isAdmitted).toBe(false));
  });

  it('Redis holds no address and forgets a network once its bucket is full', async () => {
    await shared.inspector.flushdb();
    const { limit } = limitWith({ key: Buffer.alloc(16, 32), limits: { burst: 2, perSecond: 4 } });
    triesUntilRefused(limit, '198.51.100.77');
    await waitUntil(async () => expect(await shared.inspector.keys('*')).toHaveLength(1));
    const [key = ''] = await shared.inspector.keys('*');
    expect(key).toMatch(/^misses:1:[0-9a-f]{16}$/);
    expect(await shared.inspector.pttl(key)).toBeLessThanOrEqual(4_001);
    await waitUntil(async () => expect(await shared.inspector.keys('*')).toEqual([]));
  });

  it('without Redis each process counts alone, and says so', async () => {
    const away = await createTestRedis();
    away.redis.disconnect();
    await waitUntil(() => expect(away.redis.status).toBe('end'));
    const { limit, registry } = limitWith({ redis: away.redis });
    expect(triesUntilRefused(limit, '192.0.2.9')).toBe(5);
    const metrics = await registry.metrics();
    expect(metrics).toMatch(/visitor_miss_decisions_alone_total 5/);
    expect(metrics).toMatch(/visitor_misses_total\{outcome="refused"\} 1/);
    await away.redis.connect();
    await away.drop();
  });

  // The script in Redis and the rules in core/ are one bucket: whoever asks which, the answer is the same.
  it('the script takes and refills as the rules say, for any limits and times', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 600 }),
        fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 30 }),
        async (burst, perMinute, pausesMs) => {
          const limits = { burst, perSecond: perMinute / 60 };
          const network = `property-${(run += 1)}`;
          let nowMs = 1_800_000_000_000;
          let bucket: Bucket = { tokens: burst, atMs: nowMs };
          for (const pauseMs of pausesMs) {
            nowMs += pauseMs;
            bucket = refilled(bucket, nowMs, limits);
            // Where a rounding could decide, both answers are right.
            const isClose = Math.abs(bucket.tokens - 1) < 1e-4;
            const isTaken = bucket.tokens >= 1;
            const left = await takeSharedToken(shared.inspector, { network, limits, nowMs });
            if (isClose) return;
            expect(left >= 0).toBe(isTaken);
            if (isTaken) bucket = { ...bucket, tokens: bucket.tokens - 1 };
            const off = isTaken ? Math.abs(left / 1_000 - bucket.tokens) : 0;
            expect(off).toBeLessThan(0.002);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
