/** The landing modes that brands and the operator set for many links at once, as processes see them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Db } from '../../src/infra/db.ts';
import type { LinkResolver, LinkResolverDeps } from '../../src/links/resolve.ts';
import { type SeededLink, seedLink, setLandingModeOverride } from '../support/promotion.ts';
import { createLinkProcesses } from './link-processes.ts';
import type { LinkProcesses } from './link-processes.ts';
import { SOON, waitUntil } from '../support/timing.ts';

const OFTEN = { readOverridesEveryMs: 50 };
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

/** Trusts Redis from the start. */
function openResolver(deps: Partial<LinkResolverDeps> = {}): LinkResolver {
  return processes.open({ trustSharedAfterMs: -1, ...deps });
}

async function startResolver(deps: Partial<LinkResolverDeps> = {}): Promise<LinkResolver> {
  return processes.start({ trustSharedAfterMs: -1, ...deps });
}

type QueryName = 'find_link_facts' | 'list_overrides_by_owner';

/** A pool whose queries and answers are counted, and whose answers to some can be held back after Postgres gave them. */
function watchQueries(db: Db) {
  const counts: Record<QueryName, number> = { find_link_facts: 0, list_overrides_by_owner: 0 };
  const answered: Record<QueryName, number> = { find_link_facts: 0, list_overrides_by_owner: 0 };
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
    /** Holds back the answers to queries from now on, until the returned function is called. */
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

async function setOverride(brandId: string | null, app: string, landingMode: 'direct' | 'page'): Promise<void> {
  await setLandingModeOverride(test.db, { brandId, app, landingMode });
}

/** The overrides of a link that the process knows, as its click path reads them; undefined where the link would have to be looked up. */
function knownOverrides({ code }: SeededLink, resolver: LinkResolver): unknown {
  return resolver.knownTarget(code)?.overrides?.byApp;
}

async function lookedUpOverrides({ code }: SeededLink, resolver: LinkResolver): Promise<unknown> {
  const resolution = await resolver.resolve(code);
  return resolution.found ? resolution.target.overrides?.byApp : resolution.reason;
}

describe('an override', () => {
  it('of the operator reaches every link that two processes know within 5 s, and none of them is looked up again', async () => {
    const links = await Promise.all(Array.from({ length: 50 }, async () => seedLink(test.db)));
    const watched = [watchQueries(test.db), watchQueries(test.db)];
    const two = await Promise.all(watched.map(async ({ db }) => startResolver({ db })));
    for (const resolver of two) await Promise.all(links.map(({ code }) => resolver.resolve(code)));
    const before = watched.map(({ counts }) => counts.find_link_facts);
    await setOverride(null, 'qq', 'direct');
    await waitUntil(() => {
      for (const resolver of two) {
        for (const link of links) expect(knownOverrides(link, resolver)).toEqual({ qq: 'direct' });
      }
    }, SOON);
    await test.db.query('delete from landing_mode_overrides');
    await waitUntil(() => {
      for (const resolver of two) {
        for (const { code } of links) {
          expect(resolver.knownTarget(code)).toMatchObject({ overrides: { byApp: undefined } });
        }
      }
    }, SOON);
    expect(watched.map(({ counts }) => counts.find_link_facts)).toEqual(before);
  }, 20_000);

  it('of a brand reaches its links and no others, and goes before the operator’s app by app', async () => {
    const [own, other] = await Promise.all([seedLink(test.db), seedLink(test.db)]);
    const sibling = await seedLink(test.db, { brandId: own.brandId, landingMode: null });
    const resolver = await startResolver(OFTEN);
    for (const { code } of [own, other, sibling]) await resolver.resolve(code);
    await setOverride(null, 'qq', 'direct');
    await setOverride(null, 'wechat', 'direct');
    await setOverride(own.brandId, 'qq', 'page');
    await waitUntil(() => {
      expect(knownOverrides(own, resolver)).toEqual({ qq: 'page', wechat: 'direct' });
      expect(knownOverrides(sibling, resolver)).toEqual({ qq: 'page', wechat: 'direct' });
      expect(knownOverrides(other, resolver)).toEqual({ qq: 'direct', wechat: 'direct' });
    }, SOON);
    expect(resolver.knownTarget(own.code)?.overrides?.link).toBe('direct');
    expect(resolver.knownTarget(sibling.code)?.overrides?.link).toBeUndefined();
  });

  it('holds for the very first visitor of a process', async () => {
    const link = await seedLink(test.db);
    await setOverride(link.brandId, 'qq', 'direct');
    const watched = watchQueries(test.db);
    const release = watched.hold('list_overrides_by_owner');
    const visit = lookedUpOverrides(link, openResolver({ db: watched.db }));
    // The facts of the link are read, the overrides not yet.
    await waitUntil(async () => expect(await cache.inspector.exists(`link:5:${link.linkId}`)).toBe(1));
    await sleep(20);
    release();
    expect(await visit).toEqual({ qq: 'direct' });
  });

  it('of an app that only a newer program knows changes nothing', async () => {
    const link = await seedLink(test.db);
    await setOverride(link.brandId, 'netscape', 'page');
    await setOverride(link.brandId, 'qq', 'page');
    expect(await lookedUpOverrides(link, await startResolver())).toEqual({ qq: 'page' });
  });

  it('is seen without the connection that announces changes of links', async () => {
    const link = await seedLink(test.db);
    const resolver = openResolver({ ...OFTEN, databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' });
    expect(await lookedUpOverrides(link, resolver)).toBeUndefined();
    await setOverride(link.brandId, 'qq', 'direct');
    await waitUntil(async () => expect(await lookedUpOverrides(link, resolver)).toEqual({ qq: 'direct' }), SOON);
    expect(resolver.isListening()).toBe(false);
  });
});

describe('a read that began before an override was set', () => {
  it('of a link, and is answered after it, brings nothing old back', async () => {
    const link = await seedLink(test.db);
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ ...OFTEN, db: watched.db });
    const release = watched.hold('find_link_facts');
    const visit = lookedUpOverrides(link, resolver);
    await waitUntil(() => expect(watched.counts.find_link_facts).toBe(1));
    await setOverride(null, 'qq', 'direct');
    const reads = watched.counts.list_overrides_by_owner;
    await waitUntil(() => expect(watched.counts.list_overrides_by_owner).toBeGreaterThan(reads + 1), SOON);
    release();
    expect(await visit).toEqual({ qq: 'direct' });
    expect(knownOverrides(link, resolver)).toEqual({ qq: 'direct' });
  });

  it('of the overrides themselves is followed by another', async () => {
    const link = await seedLink(test.db);
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ ...OFTEN, db: watched.db });
    await resolver.resolve(link.code);
    const release = watched.hold('list_overrides_by_owner');
    const reads = watched.counts.list_overrides_by_owner;
    await waitUntil(() => expect(watched.counts.list_overrides_by_owner).toBe(reads + 1), SOON);
    // Postgres has answered by now, and the answer is held back; this override is not in it.
    await test.db.query('select pg_sleep(0.05)');
    await setOverride(null, 'qq', 'direct');
    release();
    await waitUntil(() => expect(knownOverrides(link, resolver)).toEqual({ qq: 'direct' }), SOON);
  });

  it('and left its link in Redis says nothing of overrides: a process that takes the link from there has the new one', async () => {
    const link = await seedLink(test.db);
    await setOverride(link.brandId, 'qq', 'page');
    await (await startResolver()).resolve(link.code);
    await waitUntil(async () =>
      expect(await cache.inspector.exists(`link:5:${link.linkId}`, `linkcode:1:${link.code}`)).toBe(2),
    );
    await setOverride(link.brandId, 'qq', 'direct');
    const watched = watchQueries(test.db);
    const resolver = await startResolver({ db: watched.db });
    await sleep(5);
    expect(await lookedUpOverrides(link, resolver)).toEqual({ qq: 'direct' });
    expect(watched.counts.find_link_facts).toBe(0);
  });
});

describe('while the overrides cannot be read', () => {
  it('those that are known stay in use, a fresh process goes by the table, and a change made meanwhile is not lost', async () => {
    const link = await seedLink(test.db);
    await setOverride(link.brandId, 'qq', 'direct');
    const resolver = await startResolver(OFTEN);
    expect(await lookedUpOverrides(link, resolver)).toEqual({ qq: 'direct' });
    await waitUntil(async () =>
      expect(await cache.inspector.exists(`link:5:${link.linkId}`, `linkcode:1:${link.code}`)).toBe(2),
    );
    await test.db.query('alter table landing_mode_overrides rename to landing_mode_overrides_away');
    try {
      await test.db.query(`update landing_mode_overrides_away set landing_mode = 'page' where brand_id = $1`, [
        link.brandId,
      ]);
      const fresh = await startResolver(OFTEN);
      expect(await lookedUpOverrides(link, fresh)).toBeUndefined();
      await sleep(200);
      expect(knownOverrides(link, resolver)).toEqual({ qq: 'direct' });
      await test.db.query('alter table landing_mode_overrides_away rename to landing_mode_overrides');
      await waitUntil(() => {
        expect(knownOverrides(link, resolver)).toEqual({ qq: 'page' });
        expect(knownOverrides(link, fresh)).toEqual({ qq: 'page' });
      }, SOON);
    } finally {
      await test.db.query('alter table if exists landing_mode_overrides_away rename to landing_mode_overrides');
    }
  });

  it('one read runs at a time, however long it takes, and a visitor waits for it less than a second', async () => {
    const link = await seedLink(test.db);
    await setOverride(link.brandId, 'qq', 'direct');
    const watched = watchQueries(test.db);
    const release = watched.hold('list_overrides_by_owner');
    const resolver = openResolver({ ...OFTEN, db: watched.db });
    const startedAtMs = performance.now();
    expect(await lookedUpOverrides(link, resolver)).toBeUndefined();
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    await sleep(200);
    expect(watched.counts.list_overrides_by_owner).toBe(1);
    release();
    await waitUntil(async () => expect(await lookedUpOverrides(link, resolver)).toEqual({ qq: 'direct' }), SOON);
  });
});
