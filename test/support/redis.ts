import { Redis } from 'ioredis';
import { pino } from 'pino';
import { inject } from 'vitest';
import { closeRedis, createRedis, waitForRedis } from '../../src/infra/redis.ts';

export interface TestRedis {
  /** Names a logical database of its own; for another process, or connections of its own. */
  url: string;
  /** The connection that production code uses for commands, with its short time limits. */
  redis: Redis;
  /** For what a test itself reads and writes: a connection without time limits, because a busy machine may exceed the limits of `redis`. */
  inspector: Redis;
  /** Empties the logical database, closes the connection and gives the number back. */
  drop(): Promise<void>;
}

/** In logical database 0, who has which number. Outlives a killed run by this much. */
const CLAIM_SECONDS = 900;

/** The server of the test run; logical database 0, which holds nothing but the claims of the others. */
export function testRedisUrl(): string {
  return inject('redisUrl');
}

function urlOf(number: number): string {
  const url = new URL(testRedisUrl());
  url.pathname = `/${number}`;
  return url.href;
}

async function claimNumber(claims: Redis): Promise<number> {
  const answer = await claims.config('GET', 'databases');
  const count = Number((Array.isArray(answer) ? answer : Object.values(answer)).at(-1));
  for (let number = 1; number < count; number += 1) {
    const isOurs = await claims.set(`daihuo-test:${number}`, String(process.pid), 'EX', CLAIM_SECONDS, 'NX');
    if (isOurs === 'OK') return number;
  }
  throw new Error(`all ${count - 1} logical databases of ${new URL(testRedisUrl()).host} are in use`);
}

/**
 * A logical database of its own for a test file, empty: keys such as `clicks:{0}` of files that run beside each other do not meet. Call it in
 * `beforeAll`, `drop` in `afterAll`.
 */
export async function createTestRedis(): Promise<TestRedis> {
  const claims = new Redis(testRedisUrl());
  const number = await claimNumber(claims);
  const url = urlOf(number);
  const inspector = new Redis(url);
  await inspector.flushdb();
  const redis = createRedis({ urls: url, role: 'commands', log: pino({ level: 'silent' }) });
  if (!(redis instanceof Redis) || !(await waitForRedis(redis, 60_000)))
    throw new Error(`no connection to ${new URL(url).host}`);
  return {
    url,
    redis,
    inspector,
    drop: async () => {
      await closeRedis(redis);
      await inspector.flushdb();
      await claims.del(`daihuo-test:${number}`);
      await inspector.quit();
      await claims.quit();
    },
  };
}
