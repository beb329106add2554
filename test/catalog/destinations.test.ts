import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkDueDestinations, lookAtDestination } from '../../src/catalog/products/destinations/check-destinations.ts';
import { renewDestinationList } from '../../src/catalog/products/destinations/queries.ts';
import { createGuardedRequest } from '../../src/infra/guarded-request.ts';
import type { GuardedRequest } from '../../src/infra/guarded-request.ts';
import { SHOP_ADDRESS, openOutside } from '../support/outside.ts';
import type { Handler, Outside } from '../support/outside.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createCatalogServer } from './catalog-server.ts';
import type { CatalogServer } from './catalog-server.ts';

let server: CatalogServer;
let outside: Outside;
let fetch: GuardedRequest;
let results: string[];

/** Destinations are https; plain http here spares a certificate in the name of a real shop, and is told apart by nothing but the fetcher. */
const ITEM = 'http://item.taobao.com/item.htm?id=600000000001';
const never = new AbortController().signal;

beforeAll(async () => {
  server = await createCatalogServer();
  outside = await openOutside();
  fetch = createGuardedRequest({ userAgent: 'daihuo/0', testNetwork: outside.network });
});
afterAll(async () => {
  await outside.close();
  await server.close();
});
beforeEach(() => {
  results = [];
  outside.requests.length = 0;
  outside.names.clear();
  for (const name of ['item.taobao.com', 'login.taobao.com', 'error.item.taobao.com', 'shop1.youzan.com'])
    outside.names.set(name, [SHOP_ADDRESS]);
  outside.answer(status(200));
});
afterEach(async () => {
  await server.db.query('delete from destination_checks');
  await server.db.query(`update products set status = 'off_sale'`);
});

const status =
  (code: number): Handler =>
  (_request, response) =>
    response.writeHead(code).end('x'.repeat(100_000));
const redirectTo =
  (location: string): Handler =>
  ({ headers: { host = '' } }, response) =>
    host.startsWith('item.') ? response.writeHead(302, { location }).end() : response.end();

describe('a look', () => {
  const look = async (url = ITEM) => lookAtDestination(fetch, { url, platform: 'taobao' }, never);

  it.each([
    ['200', status(200), { outcome: 'reachable' }, 200],
    ['404', status(404), { outcome: 'missing', failure: 'not_found' }, 404],
    ['410', status(410), { outcome: 'missing', failure: 'gone' }, 410],
    ['403', status(403), { outcome: 'unknown' }, 403],
    ['429', status(429), { outcome: 'unknown' }, 429],
    ['500', status(500), { outcome: 'unknown' }, 500],
    ['503', status(503), { outcome: 'unknown' }, 503],
    ['a log-in page elsewhere', redirectTo('http://login.taobao.com/member/login.jhtml'), { outcome: 'unknown' }, 200],
    [
      'the page for missing items',
      redirectTo('http://error.item.taobao.com/error/noitem?itemid=1'),
      { outcome: 'missing', failure: 'item_missing' },
      200,
    ],
    ['an endless circle', redirectTo(ITEM), { outcome: 'unknown' }, undefined],
    ['a redirect inside', redirectTo('http://10.0.0.1/'), { outcome: 'unknown' }, undefined],
    ['a redirect to a name that is gone', redirectTo('http://nobody.test/'), { outcome: 'unknown' }, undefined],
  ] as const)('at %s', async (_what, handler, finding, code) => {
    outside.answer(handler);
    expect(await look()).toEqual({ finding, status: code });
  });

  it('believes the page for missing items even where that page itself cannot be had', async () => {
    outside.names.delete('error.item.taobao.com');
    outside.answer(redirectTo('http://error.item.taobao.com/error/noitem'));
    expect((await look()).finding).toEqual({ outcome: 'missing', failure: 'item_missing' });
  });

  it('asks with GET where HEAD does not say that all is well, and believes that', async () => {
    outside.answer(({ method }, response) => response.writeHead(method === 'HEAD' ? 404 : 200).end());
    expect((await look()).finding).toEqual({ outcome: 'reachable' });
    expect(outside.requests).toEqual([
      'HEAD item.taobao.com/item.htm?id=600000000001',
      'GET item.taobao.com/item.htm?id=600000000001',
    ]);
    outside.requests.length = 0;
    outside.answer(status(200));
    await look();
    expect(outside.requests).toHaveLength(1);
  });

  it('takes a name that does not exist for a failure only while the platform itself can be found', async () => {
    expect(await look('http://shop2.youzan.com/')).toEqual({ finding: { outcome: 'unknown' }, status: undefined });
    // The front door is https, which nobody here speaks: it does not answer, but it exists.
    outside.names.set('www.taobao.com', [SHOP_ADDRESS]);
    expect((await look('http://shop2.youzan.com/')).finding).toEqual({ outcome: 'missing', failure: 'no_such_host' });
  });
});

async function makeDue(): Promise<void> {
  await server.db.query(`update destination_checks set next_check_at = now() - interval '1 second', taken_at = null`);
}

/** Checks what is due now, as a worker at that time. */
async function check(now = new Date()): Promise<void> {
  const onResult = (result: string): number => results.push(result);
  await checkDueDestinations({ db: server.db, fetch, now: () => now, onResult }, never);
}

/** Fails three times, over as many half hours. */
async function breakIt(): Promise<{ since: Date }> {
  outside.answer(status(404));
  await renewDestinationList(server.db);
  const since = new Date('2026-11-22T03:00:00Z');
  for (const minutes of [0, 31, 62]) {
    await makeDue();
    await check(new Date(since.getTime() + minutes * 60_000));
  }
  return { since };
}

const rowOf = async (link: SeededLink): Promise<Record<string, unknown> | undefined> =>
  (
    await server.db.query<Record<string, unknown>>('select * from destination_checks where product_id = $1', [
      link.productId,
    ])
  ).rows[0];

interface WithProblems {
  status: string;
  problems: { code: string; since: string; detail: string }[];
}

describe('a broken destination', () => {
  it('is shown to the influencer and to the brand, in lists and alone, and stops nothing', async () => {
    const link = await seedLink(server.db, { url: ITEM });
    const { since } = await breakIt();
    expect(results).toEqual(['missing', 'missing', 'missing']);
    const problems = [
      {
        code: 'destination_broken',
        since: since.toISOString(),
        detail: 'The shop answers that the page does not exist (404).',
      },
    ];
    const influencer = await server.asInfluencer(link.influencerId);
    const brand = await server.asBrand(link.brandId);
    expect((await influencer.get<WithProblems>(`/v1/links/${link.code}`)).body).toMatchObject({
      status: 'active',
      problems,
    });
    const links = await influencer.get<{ data: WithProblems[] }>('/v1/links');
    expect(links.body.data.map((each) => each.problems)).toEqual([problems]);
    expect((await brand.get<WithProblems>(`/v1/products/${link.productId}`)).body).toMatchObject({
      status: 'active',
      problems,
    });
    const products = await brand.get<{ data: WithProblems[] }>('/v1/products');
    expect(products.body.data.map((each) => each.problems)).toEqual([problems]);
  });

  it('is well again as soon as it is seen, or as the brand gives another URL', async () => {
    const link = await seedLink(server.db, { url: ITEM });
    const brand = await server.asBrand(link.brandId);
    const problemsNow = async () => (await brand.get<WithProblems>(`/v1/products/${link.productId}`)).body.problems;
    await breakIt();
    outside.answer(status(200));
    await makeDue();
    await check();
    expect(await problemsNow()).toEqual([]);
    await breakIt();
    expect(await problemsNow()).toHaveLength(1);
    await brand.patch(`/v1/products/${link.productId}`, { url: 'https://item.taobao.com/item.htm?id=600000000002' });
    expect(await problemsNow()).toEqual([]);
    await renewDestinationList(server.db);
    expect(await rowOf(link)).toMatchObject({ failures: 0, checked_at: null });
  });

  it('is none after two failures, nor by answers that say nothing', async () => {
    const link = await seedLink(server.db, { url: ITEM });
    await renewDestinationList(server.db);
    outside.answer(status(404));
    for (const code of [404, 404, 403, 500, 503]) {
      outside.answer(status(code));
      await makeDue();
      await check();
    }
    expect(results).toEqual(['missing', 'missing', 'unknown', 'unknown', 'unknown']);
    expect(await rowOf(link)).toMatchObject({ failures: 2, broken_since: null, outcome: 'unknown', status: 503 });
  });
});

describe('what is looked at', () => {
  it('is what visitors are sent to: active products with an active link, and nothing that ceased to be one', async () => {
    const links = await Promise.all([1, 2, 3].map(async () => seedLink(server.db, { url: ITEM })));
    const [kept, paused, unlinked] = links;
    // A look at these is a click in the platform's own books.
    for (const url of ['https://s.click.taobao.com/t?e=1', 'https://m.tb.cn/h.abc', 'https://j.youzan.com/abc'])
      await seedLink(server.db, { url });
    await renewDestinationList(server.db);
    expect((await server.db.query('select 1 from destination_checks')).rows).toHaveLength(3);
    await server.db.query(`update products set status = 'paused' where id = $1`, [paused?.productId]);
    await server.db.query(`update links set status = 'paused' where id = $1`, [unlinked?.linkId]);
    await renewDestinationList(server.db);
    await renewDestinationList(server.db);
    const { rows } = await server.db.query<{ id: string; host: string }>(
      'select product_id as id, host from destination_checks',
    );
    expect(rows).toEqual([{ id: kept?.productId, host: 'item.taobao.com' }]);
  });

  it('is at most six a minute of one host, over all workers together', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => seedLink(server.db, { url: ITEM })));
    await Promise.all([1, 2].map(async () => seedLink(server.db, { url: 'http://shop1.youzan.com/' })));
    await renewDestinationList(server.db);
    for (let round = 0; round < 4; round += 1) await Promise.all([check(), check(), check()]);
    const hosts = outside.requests.map((request) => /^HEAD ([^/]+)/.exec(request)?.[1]);
    expect(hosts.filter((host) => host === 'item.taobao.com')).toHaveLength(6);
    expect(hosts.filter((host) => host === 'shop1.youzan.com')).toHaveLength(2);
    // A minute later six more, and none of those before.
    await server.db.query(`update destination_checks set taken_at = taken_at - interval '61 seconds'`);
    await check();
    expect(results).toHaveLength(14);
    const { rows } = await server.db.query('select 1 from destination_checks where checked_at is not null');
    expect(rows).toHaveLength(14);
  });

  it('comes again where its worker died, and at once is nobody else’s', async () => {
    const link = await seedLink(server.db, { url: ITEM });
    await renewDestinationList(server.db);
    const stop = new AbortController();
    outside.answer(() => stop.abort());
    await checkDueDestinations(
      { db: server.db, fetch, now: () => new Date(), onResult: (result) => results.push(result) },
      stop.signal,
    );
    outside.answer(status(200));
    await check();
    expect(results).toEqual([]);
    expect(await rowOf(link)).toMatchObject({ checked_at: null });
    await server.db.query(`update destination_checks set next_check_at = next_check_at - interval '2 minutes'`);
    await check();
    expect(results).toEqual(['reachable']);
  });

  it('is not remembered where the URL changed meanwhile', async () => {
    const link = await seedLink(server.db, { url: ITEM });
    await renewDestinationList(server.db);
    outside.answer((_request, response) => {
      void (async () => {
        await server.db.query(`update products set url = url || '9' where id = $1`, [link.productId]);
        await renewDestinationList(server.db);
        response.writeHead(404).end();
      })();
    });
    await check();
    expect(await rowOf(link)).toMatchObject({ checked_at: null, failures: 0 });
  });
});
