import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { createDb } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';
import { closeRedis, createRedis } from '../../src/infra/redis.ts';
import { createSharedLinks } from '../../src/links/shared-links.ts';
import { findLinkFacts } from '../../src/links/link-facts-queries.ts';
import type { LinkResolver, Resolution } from '../../src/links/resolve.ts';
import { locationOf } from '../../src/platforms/destination.ts';
import { addAlias, insertSlot, seedLink } from '../support/promotion.ts';
import { createLinkProcesses, log } from './link-processes.ts';
import type { LinkProcesses } from './link-processes.ts';
import { shortestMs, SOON, SOON_MS, waitUntil } from '../support/timing.ts';

let processes: LinkProcesses;
let test: LinkProcesses['test'];
let cache: LinkProcesses['cache'];
let startResolver: LinkProcesses['start'];

beforeAll(async () => {
  processes = await createLinkProcesses();
  ({ test, cache, start: startResolver } = processes);
});
afterAll(async () => processes.drop());
afterEach(async () => processes.endAll());

/** A pool that counts the lookups of links made through it. */
function countLookups(db: Db): { db: Db; lookups: () => number } {
  let lookups = 0;
  const counting = new Proxy(db, {
    get: (target, name: keyof Db) => {
      const value = target[name];
      if (typeof value !== 'function') return value;
      if (name !== 'query') return (value as (...values: unknown[]) => unknown).bind(target);
      return (query: { name?: string }, ...values: unknown[]) => {
        if (query.name === 'find_link_facts') lookups += 1;
        return (value as (...values: unknown[]) => unknown).call(target, query, ...values);
      };
    },
  });
  return { db: counting, lookups: () => lookups };
}

function ownPool(): Db {
  return createDb({ url: test.url, applicationName: 'daihuo-test-own', onError: () => undefined });
}

async function pauseLink(linkId: string): Promise<void> {
  await test.db.query(`update links set status = 'paused' where id = $1`, [linkId]);
}

function statusOf(resolution: Resolution): string {
  return resolution.found ? resolution.target.status : resolution.reason;
}

function locationFor(resolution: Resolution): string {
  return resolution.found ? locationOf(resolution.target, 'CLICK') : resolution.reason;
}

async function resolved(resolver: LinkResolver, code: string): Promise<string> {
  return statusOf(await resolver.resolve(code));
}

describe('resolving', () => {
  it('a code leads to the destination cut at the place of the click id, with the number that click ids carry', async () => {
    const { code, linkId, linkNumber } = await seedLink(test.db);
    const resolver = await startResolver();
    const resolution = await resolver.resolve(code);
    expect(resolution).toMatchObject({
      found: true,
      target: { linkId, linkNumber, status: 'active', takesClickId: true, version: 1 },
    });
    expect(locationFor(resolution)).toBe('https://item.taobao.com/item.htm?id=600000000001&dh_click=CLICK#detail');
    expect(resolver.known(code)).toEqual(resolution);
    expect(resolution).toMatchObject({ target: resolver.knownTarget(code) });
  });

  it('an opaque destination is left as it is', async () => {
    const { code } = await seedLink(test.db, { url: 'https://s.click.taobao.com/abc' });
    expect(locationFor(await (await startResolver()).resolve(code))).toBe('https://s.click.taobao.com/abc');
  });

  it.each([
    ['a paused link', `update links set status = 'paused' where id = $1`, 'linkId', 'paused'],
    ['a paused product', `update products set status = 'paused' where id = $1`, 'productId', 'paused'],
    ['a paused influencer', `update influencers set status = 'paused' where id = $1`, 'influencerId', 'paused'],
    ['a product off sale', `update products set status = 'off_sale' where id = $1`, 'productId', 'gone'],
    ['a closed store', `update stores set status = 'closed' where id = $1`, 'storeId', 'gone'],
    // Registration refuses such a URL; written past it, it must not become a Location either.
    [
      'a destination that is not allowed',
      `update products set url = 'https://evil.example/' where id = $1`,
      'productId',
      'gone',
    ],
  ] as const)(
    '%s is seen within 1 s by a process that had the link in its cache',
    async (_name, sql, subject, status) => {
      const link = await seedLink(test.db);
      const resolver = await startResolver();
      expect(await resolved(resolver, link.code)).toBe('active');
      await test.db.query(sql, [link[subject]]);
      await waitUntil(async () => expect(await resolved(resolver, link.code)).toBe(status), SOON);
    },
  );

  it('an unknown code is asked for once, also by many at the same time, and found as soon as it is added', async () => {
    const link = await seedLink(test.db);
    const { db, lookups } = countLookups(test.db);
    const resolver = await startResolver({ db });
    await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('summer-sale')));
    expect(await resolved(resolver, 'summer-sale')).toBe('unknown');
    expect(resolver.known('summer-sale')).toEqual({ found: false, reason: 'unknown' });
    expect(lookups()).toBe(1);
    await addAlias(test.db, link, 'summer-sale');
    await waitUntil(async () => expect(await resolved(resolver, 'summer-sale')).toBe('active'), SOON);
  });

  it('a thundering herd makes one query', async () => {
    const { code } = await seedLink(test.db);
    const { db, lookups } = countLookups(test.db);
    const resolver = await startResolver({ db });
    const answers = await Promise.all(Array.from({ length: 200 }, () => resolved(resolver, code)));
    expect(new Set(answers)).toEqual(new Set(['active']));
    expect(lookups()).toBe(1);
  });
});

describe('a leased salesman', () => {
  const url = 'https://shop10192168.youzan.com/wscgoods/detail/2exampleali0001';

  it('stands in the destination while the lease holds, and begins and ends on time without any change being announced', async () => {
    const link = await seedLink(test.db, { platform: 'youzan', url });
    const resolver = await startResolver();
    expect(locationFor(await resolver.resolve(link.code))).toBe(`${url}?dh_click=CLICK`);
    const at = (ms: number): Date => new Date(Date.now() + ms);
    await insertSlot(test.db, { kind: 'sls', externalId: 'Soon', link, validFrom: at(2_000), validTo: at(5_000) });
    // From here on the process knows the link with its lease, and nothing is announced any more.
    await waitUntil(async () => {
      await resolver.resolve(link.code);
      expect(resolver.knownTarget(link.code)?.version).toBe(2);
    });
    expect(locationFor(await resolver.resolve(link.code))).toBe(`${url}?dh_click=CLICK`);
    await waitUntil(async () => {
      expect(locationFor(await resolver.resolve(link.code))).toBe(`${url}?sls=Soon&dh_click=CLICK`);
    }, SOON);
    await waitUntil(async () => {
      expect(locationFor(await resolver.resolve(link.code))).toBe(`${url}?dh_click=CLICK`);
    }, SOON);
  });

  it('for the product wins over the one for the store', async () => {
    const link = await seedLink(test.db, { platform: 'youzan', url });
    await insertSlot(test.db, { kind: 'sls', externalId: 'Product', link, withProduct: true });
    await insertSlot(test.db, { kind: 'sls', externalId: 'Store', link });
    expect(locationFor(await (await startResolver()).resolve(link.code))).toBe(`${url}?sls=Product&dh_click=CLICK`);
  });
});

describe('several processes', () => {
  it('a pause reaches both within 1 s, and what Redis held before never comes back', async () => {
    const { code, linkId } = await seedLink(test.db);
    const [one, two] = await Promise.all([
      startResolver({ trustSharedAfterMs: -1 }),
      startResolver({ trustSharedAfterMs: -1 }),
    ]);
    expect([await resolved(one, code), await resolved(two, code)]).toEqual(['active', 'active']);
    await waitUntil(async () => expect(await cache.inspector.exists(`link:5:${linkId}`)).toBe(1));
    const outdated = (await cache.inspector.get(`link:5:${linkId}`)) ?? '';
    expect(outdated).toMatch(/^1 \{.*"active"/);
    const before = performance.now();
    await pauseLink(linkId);
    await waitUntil(async () => expect(await cache.inspector.get(`link:5:${linkId}`)).toBe('2 '));
    // A process that was slow to write brings the old version back: those that were told do not take it.
    await cache.inspector.set(`link:5:${linkId}`, outdated);
    expect([await resolved(one, code), await resolved(two, code)]).toEqual(['paused', 'paused']);
    expect(performance.now() - before).toBeLessThan(SOON_MS);
  });

  it('a slow process cannot write an older version over the mark of a change, nor over a newer version', async () => {
    const { code, linkId } = await seedLink(test.db);
    const shared = createSharedLinks(cache.redis);
    const old = await findLinkFacts(test.db, code);
    if (old === undefined) throw new Error('the link was made above');
    await shared.outdate(linkId, 2);
    await shared.put(code, old);
    expect(await shared.findFacts(linkId)).toBeUndefined();
    await shared.put(code, { ...old, version: 2, status: 'paused' });
    await shared.put(code, old);
    await shared.outdate(linkId, 2);
    expect(await shared.findFacts(linkId)).toMatchObject({ version: 2, status: 'paused' });
  });

  it('the second process takes a link from Redis without asking Postgres', async () => {
    const { code, linkId } = await seedLink(test.db);
    await (await startResolver()).resolve(code);
    await waitUntil(async () => expect(await cache.inspector.exists(`link:5:${linkId}`, `linkcode:1:${code}`)).toBe(2));
    const { db, lookups } = countLookups(test.db);
    const two = await startResolver({ db, trustSharedAfterMs: -1 });
    expect(await resolved(two, code)).toBe('active');
    expect(lookups()).toBe(0);
  });

  it('what Redis holds is checked like what Postgres holds: a destination that is not allowed is never a Location', async () => {
    const { code, linkId } = await seedLink(test.db);
    await (await startResolver()).resolve(code);
    await waitUntil(async () => expect(await cache.inspector.exists(`link:5:${linkId}`, `linkcode:1:${code}`)).toBe(2));
    const kept = (await cache.inspector.get(`link:5:${linkId}`)) ?? '';
    await cache.inspector.set(`link:5:${linkId}`, kept.replace('item.taobao.com', 'evil.example'));
    const two = await startResolver({ trustSharedAfterMs: 0 });
    await sleep(5);
    expect(await resolved(two, code)).toBe('gone');
  });
});

describe('when something is away', () => {
  it('a change made while the listening connection was broken is seen within 1 s', async () => {
    const { code, linkId } = await seedLink(test.db);
    const resolver = await startResolver();
    expect(await resolved(resolver, code)).toBe('active');
    await test.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'daihuo-links' and datname = current_database()`,
    );
    await pauseLink(linkId);
    await waitUntil(async () => expect(await resolved(resolver, code)).toBe('paused'));
    await waitUntil(() => expect(resolver.isListening()).toBe(true));
  });

  it('without Redis, Postgres answers', async () => {
    const { code } = await seedLink(test.db);
    const redis = createRedis({ urls: 'redis://127.0.0.1:1', role: 'commands', log });
    processes.alsoClose(() => closeRedis(redis));
    expect(await resolved(await startResolver({ redis, trustSharedAfterMs: -1 }), code)).toBe('active');
  });

  it('without Postgres, the process cache answers, then Redis; what neither knows is unavailable, not unknown', async () => {
    const cached = await seedLink(test.db);
    const shared = await seedLink(test.db);
    const neverAsked = await seedLink(test.db);
    const db = ownPool();
    const resolver = await startResolver({ db });
    await resolver.resolve(cached.code);
    await (await startResolver()).resolve(shared.code);
    await waitUntil(async () => expect(await cache.inspector.exists(`linkcode:1:${shared.code}`)).toBe(1));
    await db.end();
    await resolver.stop();
    expect(resolver.isListening()).toBe(false);
    // Longer than anything is believed untold: only the lack of a better answer keeps it in use.
    await sleep(1_000);
    expect(await shortestMs(async () => expect(await resolved(resolver, cached.code)).toBe('active'))).toBeLessThan(
      150,
    );
    expect(await resolved(resolver, shared.code)).toBe('active');
    expect(await resolved(resolver, neverAsked.code)).toBe('unavailable');
  });
});
