import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { decodeClicks } from '../../src/clicks/click-batch.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { createFindFallback } from '../../src/links/fallback/find-fallback.ts';
import { createDb } from '../../src/infra/db.ts';
import { pino } from 'pino';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer, drained, startTestWorker } from '../clicks/click-server.ts';
import type { ClickServer } from '../clicks/click-server.ts';
import { waitUntil } from '../support/timing.ts';

let test: TestDatabase;
let streams: TestRedis;
let server: ClickServer;
let link: SeededLink;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  server = await createClickServer({ test, redisUrl: streams.url });
});
afterAll(async () => {
  await server.close();
  await test.drop();
  await streams.drop();
});
beforeEach(async () => {
  link = await seedLink(test.db);
  await streams.inspector.del('clicks:{0}');
});

const visit = async (url: string, headers: Record<string, string> = {}) =>
  server.app.inject({ method: 'GET', url, headers: { 'user-agent': PHONE, ...headers } });

async function choose(fallbacks: string[], pageUrl: string | null = null): Promise<void> {
  const values = [link.brandId, fallbacks, pageUrl];
  await test.db.query('update brands set fallbacks = $2, page_url = $3 where id = $1', values);
}

async function pauseLink(): Promise<void> {
  await test.db.query(`update links set status = 'paused' where id = $1`, [link.linkId]);
}

async function offSale(): Promise<void> {
  await test.db.query(`update products set status = 'off_sale' where id = $1`, [link.productId]);
}

async function sameItem(...products: string[]): Promise<void> {
  await test.db.query(`update products set external_item_id = 'SAME-1' where id = any ($1)`, [products]);
}

async function loggedClicks(): Promise<Click[]> {
  const entries = await streams.inspector.xrange('clicks:{0}', '-', '+');
  return entries.flatMap(([, [, text]]) => {
    const reading = decodeClicks(text ?? '');
    if (!reading.ok) throw new Error(reading.reason);
    return reading.clicks;
  });
}

const PAGE_URL = 'https://shop10192168.m.youzan.com/v2/showcase/homepage';

describe('a link that is paused or gone', () => {
  it('shows the friendly page where the brand chose nothing, and what it chose is not there', async () => {
    await pauseLink();
    expect((await visit(`/${link.code}`)).statusCode).toBe(410);
    link = await seedLink(test.db);
    await pauseLink();
    await choose(['same_product', 'brand_page', 'other_products']);
    const answer = await visit(`/${link.code}`);
    expect([answer.statusCode, answer.headers.location]).toEqual([410, undefined]);
    expect(answer.body).toContain('推广暂停中');
    expect(await server.metric('dead_link_answers_total', 'fallback="none"')).toBe(2);
  });

  it('leads to the influencer’s own link for the same product elsewhere, tag included', async () => {
    const { brandId, influencerId } = link;
    const other = await seedLink(test.db, { brandId, influencerId, platform: 'youzan', url: `${PAGE_URL}?alias=x` });
    await sameItem(link.productId, other.productId);
    await choose(['same_product']);
    await offSale();
    const answer = await visit(`/${link.code}/V12`);
    expect([answer.statusCode, answer.headers.location]).toEqual([302, `/${other.code}/v12`]);
    const next = await visit(answer.headers.location ?? '');
    expect(next.headers.location).toMatch(/dh_click=/);
    expect((await loggedClicks()).map(({ linkNumber, verdict }) => [linkNumber, verdict])).toEqual([
      [link.linkNumber, 'inactive'],
      [other.linkNumber, 'counted'],
    ]);
  });

  it('leads to the same product itself where the influencer has no link for it, without a click id', async () => {
    const other = await seedLink(test.db, {
      brandId: link.brandId,
      url: 'https://detail.tmall.com/item.htm?id=77&dh_click=old',
    });
    await test.db.query('update products set alternate_product_id = $2 where id = $1', [
      link.productId,
      other.productId,
    ]);
    await choose(['same_product', 'brand_page'], PAGE_URL);
    await pauseLink();
    expect((await visit(`/${link.code}`)).headers.location).toBe('https://detail.tmall.com/item.htm?id=77');
  });

  it('leads to the brand’s page, next in its order', async () => {
    await choose(['same_product', 'brand_page', 'other_products'], PAGE_URL);
    await pauseLink();
    expect((await visit(`/${link.code}`)).headers.location).toBe(PAGE_URL);
  });

  it('shows other products of the brand: the influencer’s own links if there are any, titles as text', async () => {
    const { brandId, influencerId } = link;
    await seedLink(test.db, { brandId });
    const own = await seedLink(test.db, { brandId, influencerId });
    await test.db.query(`update products set title = '<b>壶</b>' where id = $1`, [own.productId]);
    await choose(['other_products']);
    await offSale();
    const { statusCode, body } = await visit(`/${link.code}`);
    expect(statusCode).toBe(410);
    expect([...body.matchAll(/<a href="([^"]*)"/g)].map((match) => match[1])).toEqual([`/${own.code}`]);
    expect(body).toContain('&lt;b&gt;壶&lt;/b&gt;');
    expect(body).toContain('¥199.00');
  });

  it('shows at most six others, where the influencer has no link with their own addresses', async () => {
    for (let count = 0; count < 7; count += 1) await seedLink(test.db, { brandId: link.brandId });
    await choose(['other_products']);
    await pauseLink();
    const { body } = await visit(`/${link.code}`, { 'accept-language': 'en' });
    expect(body.match(/<li>/g)).toHaveLength(6);
    expect(body).toContain('href="https://item.taobao.com/item.htm?id=600000000001#detail"');
    expect(body).toContain('Other products of the brand');
  });

  // Written past every check: what stands in the tables is not believed.
  it.each([
    ['https://evil.example/'],
    ['javascript:alert(1)'],
    ['//evil.example'],
    ['https://item.taobao.com.evil.example/'],
    ['https://item.taobao.com@evil.example/'],
    ['http://item.taobao.com/item.htm?id=1'],
    ['https://item.jd.com/1.html'],
  ])('never leads to %s, as page, as product or in the list', async (url) => {
    const other = await seedLink(test.db, { brandId: link.brandId, url });
    await sameItem(link.productId, other.productId);
    await choose(['same_product', 'brand_page', 'other_products'], url);
    await pauseLink();
    const answer = await visit(`/${link.code}`);
    expect([answer.statusCode, answer.headers.location]).toEqual([410, undefined]);
    expect(answer.body).not.toContain('evil');
    expect(answer.body).not.toContain('<a ');
  });

  it('another brand’s products are no fallback', async () => {
    const stranger = await seedLink(test.db);
    await sameItem(link.productId, stranger.productId);
    await choose(['same_product', 'other_products']);
    await pauseLink();
    expect((await visit(`/${link.code}`)).statusCode).toBe(410);
  });

  it('its clicks are kept as inactive, counted nowhere, and machines keep their own verdict', async () => {
    const worker = startTestWorker({ db: test.db, redisUrl: streams.url });
    await pauseLink();
    await visit(`/${link.code}`);
    await visit(`/${link.code}`, { 'user-agent': 'curl/8.5.0' });
    await drained(streams.redis);
    await worker.stop();
    const { rows } = await test.db.query<{ verdict: string }>(
      'select c.verdict from clicks c where c.link_number = $1 order by c.verdict',
      [link.linkNumber],
    );
    expect(rows.map(({ verdict }) => verdict)).toEqual(['bot', 'inactive']);
  });

  it('comes back by itself', async () => {
    await choose(['brand_page'], PAGE_URL);
    await pauseLink();
    await waitUntil(async () => expect((await visit(`/${link.code}`)).headers.location).toBe(PAGE_URL));
    await test.db.query(`update links set status = 'active' where id = $1`, [link.linkId]);
    await waitUntil(async () =>
      expect((await visit(`/${link.code}`)).headers.location).toMatch(/^https:\/\/item\.taobao\.com/),
    );
  });
});

describe('a broken Postgres', () => {
  it('is no fallback within a moment, never an error', async () => {
    const log = pino({ level: 'silent' });
    const url = 'postgres://nobody:nothing@127.0.0.1:1/none';
    const db = createDb({ url, applicationName: 'daihuo-test', onError: () => undefined });
    const find = createFindFallback({ db, log });
    expect(await find(link.linkId)).toEqual({ kind: 'none' });
    await db.end();
  });
});
