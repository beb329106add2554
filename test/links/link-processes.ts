/** Resolvers as several processes have them, on the database and Redis of one test file. */
import { pino } from 'pino';
import { expect } from 'vitest';

import { createLinkResolver } from '../../src/links/resolve.ts';
import type { LinkResolver, LinkResolverDeps } from '../../src/links/resolve.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { waitUntil } from '../support/timing.ts';

export const log = pino({ level: 'silent' });

export interface LinkProcesses {
  test: TestDatabase;
  cache: TestRedis;
  /** One process's resolver, which may not listen yet. */
  open: (deps?: Partial<LinkResolverDeps>) => LinkResolver;
  /** One process's resolver, listening. */
  start: (deps?: Partial<LinkResolverDeps>) => Promise<LinkResolver>;
  /** Closed with the resolvers. */
  alsoClose(close: () => Promise<unknown>): void;
  /** Ends the processes, after each test. */
  endAll(): Promise<void>;
  drop(): Promise<void>;
}

export async function createLinkProcesses(): Promise<LinkProcesses> {
  const [test, cache] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const closing: (() => Promise<unknown>)[] = [];
  const open: LinkProcesses['open'] = (deps = {}) => {
    const resolver = createLinkResolver({
      db: test.db,
      databaseUrl: test.url,
      redis: cache.redis,
      log,
      now: () => new Date(),
      ...deps,
    });
    closing.push(() => resolver.stop());
    return resolver;
  };
  return {
    test,
    cache,
    open,
    start: async (deps) => {
      const resolver = open(deps);
      await waitUntil(() => expect(resolver.isListening()).toBe(true));
      return resolver;
    },
    alsoClose: (close) => closing.push(close),
    endAll: async () => {
      await Promise.all(closing.splice(0).map((close) => close()));
    },
    drop: async () => {
      await test.drop();
      await cache.drop();
    },
  };
}
