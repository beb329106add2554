/** What brands and the operator wish for all their links, as processes hear of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Db } from '../../src/infra/db.ts';
import type { LinkResolver, LinkResolverDeps } from '../../src/links/resolve.ts';
import { type SeededLink, seedLink, setLandingModeOverride } from '../support/promotion.ts';
import { createLinkProcesses } from './link-processes.ts';
import type { LinkProcesses } from './link-processes.ts';
import { SOON, waitUntil } from '../support/timing.ts';

let processes: LinkProcesses;
let test: LinkProcesses['test'];
let cache: LinkProcesses['cache'];

beforeAll(async () => {
  processes = await createLinkProcesses();
  ({ test, cache } = processes);
});
afterAll(async () => processes.drop());
afterEach(async () => {
  await processes.endAll();
  await test.db.query('delete from landing_mode_overrides');
});

/** Redis is believed from the start. */
function openResolver(deps: Partial<LinkResolverDeps> = {}): LinkResolver {
  return processes.open({ trustSharedAfterMs: -1, ...deps });
}

async function startResolver(deps: Partial<LinkResolverDeps> = {}): Promise<LinkResolver> {
  return processes.start({ trustSharedAfterMs: -1, ...deps });
}

type QueryName = 'find_link_facts' | 'list_wishes';

/** A pool whose queries and answers are counted, and whose answers to some can be held back after Postgres gave them. */
function watchQueries(db: Db) {
  const counts: Record<QueryName, number> = { find_link_facts: 0, list_wishes: 0 };
  const answered: Record<QueryName, number> = { find_link_facts: 0, list_wishes: 0 };
  const gates = new Map<string, Promise<void>>();
  const watched = new Proxy(db, {
    get: (target, name: keyof Db) => {
      const value = target[name] as (...values: unknown[]) => unknown;
      if (name !== 'query') return typeof value === 'function' ? value.bind(target) : value;
      return async (query: { name: QueryName; text: string }) => {
        counts[query.name] += 1;
        const gate = gates.get(query.name);
        const answer = await target.query(query);
        answered[query.name] += 1;
        await gate;
        return answer;
      };
    },
  });
  return {
    db: watched,
    counts,
    /** Includes the answers that are held back. */
    answered,
    /** From now on; what is asked before it is called back waits, later questions do not. */
    hold: (name: QueryName): (() => void) => {
      const gate = Promise.withResolvers<void>();
      gates.set(name, gate.promise);
      return () => {
        gates.delete(name);
        gate.resolve();
      };
    },
  };
}

async function wish(brandId: string | null, app: string, landingMode: 'direct' | 'page'): Promise<void> {
  await setLandingModeOverride(test.db, { brandId, app, landingMode });
}

/** What is wanted for a link that the process knows, as its hot path reads it; undefined where the link would have to be looked up. */
function knownWays({ code }: SeededLink, resolver: LinkResolver): unknown {
  return resolver.knownTarget(code)?.ways?.byApp;
}

async function lookedUpWays({ code }: SeededLink, resolver: LinkResolver): Promise<unknown> {
  const resolution = await resolver.resolve(code);
  return resolution.found ? resolution.target.ways?.byApp : resolution.reason;
}

describe('a wish', () => {
  it('of the operator reaches every link that two processes know within 1 s, and none of them is looked up again', async () => {
    const links = await Promise.all(Array.from({ length: 50 }, async () => seedLink(test.db)));
    const watched = [watchQueries(test.db), watchQueries(test.db)];
    const two = await Promise.all(watched.map(async ({ db }) => startResolver({ db })));
    for (const resolver of two) await Promise.all(links.map(({ code }) => resolver.resolve(code)));
    const before = watched.map(({ counts }) => counts.find_link_facts);
    await wish(null, 'qq', 'direct');
    await waitUntil(() => {
      for (const resolver of two) {
        for (const link of links) expect(knownWays(link, resolver)).toEqual({ qq: 'direct' });
      }
    }, SOON);
    await test.db.query('delete from landing_mode_overrides');
    await waitUntil(() => {
      for (const resolver of two) {
        for (const link of links) expect(resolver.knownTarget(link.code)).toMatchObject({ ways: { byApp: undefined } });
      }
    }, SOON);
    expect(watched.map(({ counts }) => counts.find_link_facts)).toEqual(before);
  });

  it('of a brand reaches its links and no others, and goes before the operator’s app by app', async () => {
    const [own, other] = await Promise.all([seedLink(test.db), seedLink(test.db)]);
    const sibling = await seedLink(test.db, { brandId: own.brandId, landingMode: null });
    const resolver = await startResolver();
    for (const { code } of [own, other, sibling]) await resolver.resolve(code);
    await wish(null, 'qq', 'direct');
    await wish(null, 'wechat', 'direct');
    await wish(own.brandId, 'qq', 'page');
    await waitUntil(() => {
      expect(knownWays(own, resolver)).toEqual({ qq: 'page', wechat: 'direct' });
      expect(knownWays(sibling, resolver)).toEqual({ qq: 'page', wechat: 'direct' });
      expect(knownWays(other, resolver)).toEqual({ qq: 'direct', wechat: 'direct' });
    }, SOON);
    expect(resolver.knownTarget(own.code)?.ways?.link).toBe('direct');
    expect(resolver.knownTarget(sibling.code)?.ways?.link).toBeUndefined();
  });

  it('holds for the very first visitor of a process', async () => {
    const link = await seedLink(test.db);
    await wish(link.brandId, 'qq', 'direct');
    const watched = watchQueries(test.db);
    const release = watched.hold('list_wishes');
    const visit = lookedUpWays(link, openResolver({ db: watched.db }));
    // The facts of the link are there, the wishes not yet.
    await waitUntil(async () => expect(await cache.inspector.exists(`link:4:${link.linkId}`)).toBe(1));
    await sleep(20);
    release();
    expect(await visit).toEqual({ qq: 'direct' });
  });

  it('of an app or a way that only a newer program knows changes nothing', async () => {
    const link = await seedLink(test.db);
    await wish(link.brandId, 'netscape', 'page');
    await wish(link.brandId, 'qq', 'page');
    expect(await lookedUpWays(link, await startResolver())).toEqual({ qq: 'page' });
  });
});

describe('what was asked before a wish', () => {
  it('and is answered after it brings nothing old back', async () => {
    const link = await seedLink(test.db);
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ db: watched.db });
    const release = watched.hold('find_link_facts');
    const visit = lookedUpWays(link, resolver);
    await waitUntil(() => expect(watched.counts.find_link_facts).toBe(1));
    const readings = watched.counts.list_wishes;
    await wish(null, 'qq', 'direct');
    await waitUntil(() => expect(watched.counts.list_wishes).toBeGreaterThan(readings));
    release();
    await visit;
    await waitUntil(() => expect(knownWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
  });

  it('about the wishes themselves is asked once more', async () => {
    const link = await seedLink(test.db);
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ db: watched.db });
    await resolver.resolve(link.code);
    // One reading at the start, and one because changes are heard from then on.
    await waitUntil(() => expect(watched.answered.list_wishes).toBe(2));
    const readings = watched.counts.list_wishes;
    const release = watched.hold('list_wishes');
    await wish(null, 'qq', 'page');
    // The answer is there, and held back; this wish is not in it.
    await waitUntil(() => expect(watched.answered.list_wishes).toBe(readings + 1));
    await wish(null, 'qq', 'direct');
    await test.db.query('select pg_sleep(0.05)');
    release();
    await waitUntil(() => expect(knownWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
  });

  it('and stands in Redis says nothing of wishes: a process that takes a link from there has the new one', async () => {
    const link = await seedLink(test.db);
    await wish(link.brandId, 'qq', 'page');
    await (await startResolver()).resolve(link.code);
    await waitUntil(async () =>
      expect(await cache.inspector.exists(`link:4:${link.linkId}`, `linkcode:1:${link.code}`)).toBe(2),
    );
    await wish(link.brandId, 'qq', 'direct');
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ db: watched.db });
    await waitUntil(() => expect(watched.counts.list_wishes).toBeGreaterThan(1));
    await waitUntil(async () => expect(await lookedUpWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
    expect(watched.counts.find_link_facts).toBe(0);
  });
});

describe('a wish made while nobody tells of it', () => {
  it('because the listening connection was broken is seen within 1 s', async () => {
    const link = await seedLink(test.db);
    const resolver = await startResolver();
    expect(await lookedUpWays(link, resolver)).toBeUndefined();
    await test.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'daihuo-links' and datname = current_database()`,
    );
    await wish(link.brandId, 'qq', 'direct');
    await waitUntil(async () => expect(await lookedUpWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
    await waitUntil(() => expect(resolver.isTold()).toBe(true));
  });

  it('because no connection can listen is seen within 1 s', async () => {
    const link = await seedLink(test.db);
    const resolver = openResolver({ databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' });
    expect(await lookedUpWays(link, resolver)).toBeUndefined();
    await wish(link.brandId, 'qq', 'direct');
    await waitUntil(async () => expect(await lookedUpWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
    expect(resolver.isTold()).toBe(false);
  });

  it('because nothing could be read is seen once Postgres answers a lookup again, and is not asked for before', async () => {
    const link = await seedLink(test.db);
    await wish(link.brandId, 'qq', 'direct');
    await test.db.query('alter table landing_mode_overrides rename to landing_mode_overrides_away');
    const watched = watchQueries(test.db);
    const resolver = openResolver({ db: watched.db, databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' });
    try {
      await waitUntil(() => expect(watched.counts.list_wishes).toBe(1));
      await sleep(1_500);
      expect(watched.counts.list_wishes).toBe(1);
    } finally {
      await test.db.query('alter table landing_mode_overrides_away rename to landing_mode_overrides');
    }
    await resolver.resolve(link.code);
    await waitUntil(() => expect(watched.counts.list_wishes).toBeGreaterThan(1));
    await waitUntil(async () => expect(await lookedUpWays(link, resolver)).toEqual({ qq: 'direct' }), SOON);
  });

  it('because Postgres is away leaves those that are known; a process that knows none goes the usual way', async () => {
    const link = await seedLink(test.db);
    await wish(link.brandId, 'qq', 'direct');
    const resolver = await startResolver();
    expect(await lookedUpWays(link, resolver)).toEqual({ qq: 'direct' });
    await waitUntil(async () =>
      expect(await cache.inspector.exists(`link:4:${link.linkId}`, `linkcode:1:${link.code}`)).toBe(2),
    );
    await test.db.query('alter table landing_mode_overrides rename to landing_mode_overrides_away');
    try {
      await test.db.query(`select pg_notify('links_changed', 'landing_modes')`);
      const cold = await startResolver();
      expect(await lookedUpWays(link, cold)).toBeUndefined();
      expect(knownWays(link, resolver)).toEqual({ qq: 'direct' });
      await test.db.query('alter table landing_mode_overrides_away rename to landing_mode_overrides');
      await waitUntil(() => expect(knownWays(link, cold)).toEqual({ qq: 'direct' }), SOON);
    } finally {
      await test.db.query('alter table if exists landing_mode_overrides_away rename to landing_mode_overrides');
    }
  });
});
