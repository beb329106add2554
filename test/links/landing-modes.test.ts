import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { inTransaction } from '../../src/infra/db.ts';
import { createCatalogServer, makeInfluencer, makeOffer } from '../catalog/catalog-server.ts';
import type { Caller, CatalogServer } from '../catalog/catalog-server.ts';
import { insertInfluencers } from '../support/market.ts';
import { insertLinks } from '../support/promotion.ts';
import { waitUntil } from '../support/timing.ts';

let server: CatalogServer;
let brand: { id: string; caller: Caller };
let other: { id: string; caller: Caller };
let influencer: { id: string; caller: Caller };
let link: { id: string; code: string };

interface Link {
  id: string;
  code: string;
  status: string;
  landingMode: string | null;
  taoCode: string | null;
}

beforeAll(async () => {
  server = await createCatalogServer();
  influencer = await makeInfluencer(server);
  const offer = await makeOffer(server);
  brand = offer.brand;
  other = (await makeOffer(server)).brand;
  link = (await influencer.caller.post<Link>('/v1/links', { productId: offer.productId })).body;
});
afterAll(async () => server.close());

/** 100,000 links of one brand, each of an influencer of its own, to the product of the link above. */
async function addManyLinks(): Promise<void> {
  const { rows } = await server.db.query<{ brandId: string; storeId: string; productId: string }>(
    `select p.brand_id as "brandId", p.store_id as "storeId", p.id as "productId"
     from links l join products p on p.id = l.product_id where l.id = $1`,
    [link.id],
  );
  const numbers = Array.from({ length: 100_000 }, (_, number) => number);
  await inTransaction(server.db, async (tx) => {
    // Without the triggers, which keep a history that no test reads here.
    await tx.query('set local session_replication_role = replica');
    const influencerIds = await insertInfluencers(
      tx,
      numbers.map((number) => ({ influencerId: `inf_many${number}` })),
    );
    for (const product of rows) {
      await insertLinks(
        tx,
        influencerIds.map((influencerId, number) => ({ ...product, influencerId, code: `many${number}` })),
      );
    }
  });
}

async function versionOf(): Promise<bigint | undefined> {
  const query = 'select version from links where id = $1';
  const { rows } = await server.db.query<{ version: bigint }>(query, [link.id]);
  return rows[0]?.version;
}

/** The messages on the channel of link changes while `work` runs. */
async function announcedDuring(work: () => Promise<void>): Promise<string[]> {
  const client = new Client({ connectionString: server.test.url });
  const announced: string[] = [];
  client.on('notification', ({ payload }) => announced.push(payload ?? ''));
  await client.connect();
  await client.query('listen links_changed');
  try {
    await work();
    await server.db.query(`select pg_notify('links_changed', 'code:end')`);
    await waitUntil(() => expect(announced.at(-1)).toBe('code:end'));
  } finally {
    await client.end();
  }
  return announced.slice(0, -1);
}

async function auditOf(subject: string): Promise<unknown[]> {
  const { rows } = await server.db.query('select action, detail from audit_log where subject = $1 order by id', [
    subject,
  ]);
  return rows;
}

describe('/v1/brands/:id/landing-modes', () => {
  const url = (): string => `/v1/brands/${brand.id}/landing-modes`;

  it('replaces all overrides of the brand, announces nothing, and is audited', async () => {
    expect((await brand.caller.get(url())).body).toEqual({ byApp: {} });
    const before = await versionOf();
    const overrides = { byApp: { douyin: 'direct', wechat: 'page' } };
    const announced = await announcedDuring(async () => {
      expect(await brand.caller.put(url(), overrides)).toMatchObject({ statusCode: 200, body: overrides });
      expect((await server.admin.put(url(), overrides)).body).toEqual(overrides);
      expect((await brand.caller.put(url(), { byApp: { wechat: 'direct' } })).body).toEqual({
        byApp: { wechat: 'direct' },
      });
    });
    expect(announced).toEqual([]);
    expect(await versionOf()).toBe(before);
    expect((await server.admin.get(url())).body).toEqual({ byApp: { wechat: 'direct' } });
    expect(await auditOf(brand.id)).toContainEqual({
      action: 'landing_modes.replaced',
      detail: { before: overrides.byApp, after: { wechat: 'direct' } },
    });
  });

  it('is closed to other brands and to influencers, and refuses what it does not know', async () => {
    for (const caller of [other.caller, server.admin]) {
      const unknown = caller === server.admin ? '/v1/brands/brd_nobody/landing-modes' : url();
      expect((await caller.get(unknown)).statusCode).toBe(404);
      expect((await caller.put(unknown, { byApp: {} })).statusCode).toBe(404);
    }
    expect((await influencer.caller.put(url(), { byApp: {} })).statusCode).toBe(403);
    const before = await versionOf();
    for (const body of [
      {},
      { byApp: { netscape: 'page' } },
      { byApp: { qq: 'maybe' } },
      { byApp: {}, more: 1 },
      { byApp: [] },
    ]) {
      expect(await brand.caller.put(url(), body)).toMatchObject({
        statusCode: 400,
        body: { code: 'validation_failed' },
      });
    }
    expect(await versionOf()).toBe(before);
  });
});

describe('/v1/landing-modes', () => {
  it('is the operator’s alone', async () => {
    const overrides = { byApp: { other: 'direct' } };
    expect((await server.admin.put('/v1/landing-modes', overrides)).body).toEqual(overrides);
    expect((await server.admin.get('/v1/landing-modes')).body).toEqual(overrides);
    for (const caller of [brand.caller, influencer.caller]) {
      expect((await caller.get('/v1/landing-modes')).statusCode).toBe(403);
      expect((await caller.put('/v1/landing-modes', overrides)).statusCode).toBe(403);
    }
    expect((await server.admin.put('/v1/landing-modes', { byApp: {} })).body).toEqual({ byApp: {} });
  });

  it('of two lists sent at the same time one holds, never a mixture', async () => {
    const lists = [{ byApp: { wechat: 'direct' } }, { byApp: { qq: 'page' } }];
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(lists.map(async (list) => server.admin.put('/v1/landing-modes', list)));
      expect(lists).toContainEqual((await server.admin.get('/v1/landing-modes')).body);
      await server.admin.put('/v1/landing-modes', { byApp: {} });
    }
  });

  it('as a brand’s, touches no link and announces nothing: with 100,000 links a change is a short statement', async () => {
    await addManyLinks();
    const stateOf = async (): Promise<unknown> =>
      (await server.db.query('select count(*), sum(version), max(xmin::text::bigint) from links')).rows[0];
    const before = await stateOf();
    expect(before).toMatchObject({ count: 100_001n });
    const startedAtMs = performance.now();
    const announced = await announcedDuring(async () => {
      expect((await server.admin.put('/v1/landing-modes', { byApp: { qq: 'direct' } })).statusCode).toBe(200);
      expect((await brand.caller.put(`/v1/brands/${brand.id}/landing-modes`, { byApp: {} })).statusCode).toBe(200);
    });
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    expect(announced).toEqual([]);
    expect(await stateOf()).toEqual(before);
    await server.admin.put('/v1/landing-modes', { byApp: {} });
  }, 60_000);
});

describe('PATCH /v1/links/:code', () => {
  const patch = async (caller: Caller, body: object) =>
    caller.patch<Link & { code: string }>(`/v1/links/${link.code}`, body);

  it('the brand decides what visitors are shown, the influencer whether the link is on, an admin both', async () => {
    const before = (await versionOf()) ?? 0n;
    const shown = { landingMode: 'direct', taoCode: '7￥AbCdEfG￥' };
    expect(await patch(brand.caller, shown)).toMatchObject({ statusCode: 200, body: { ...shown, status: 'active' } });
    expect(await versionOf()).toBe(before + 1n);
    expect(await auditOf(link.id)).toEqual([
      { action: 'link.page_changed', detail: { landingMode: shown.landingMode, taoCode: shown.taoCode } },
    ]);
    expect(await patch(influencer.caller, { status: 'paused' })).toMatchObject({
      body: { ...shown, status: 'paused' },
    });
    const both = { status: 'active', landingMode: null, taoCode: null };
    expect(await patch(server.admin, both)).toMatchObject({ statusCode: 200, body: both });
    const reread = await influencer.caller.get<Link>(`/v1/links/${link.code}`);
    expect(reread.body).toMatchObject(both);
  });

  it('refuses what is not the caller’s to change, all or nothing', async () => {
    expect(await patch(influencer.caller, { landingMode: 'direct' })).toMatchObject({
      statusCode: 403,
      body: { code: 'forbidden' },
    });
    expect((await patch(influencer.caller, { status: 'paused', taoCode: '￥x￥' })).statusCode).toBe(403);
    expect((await patch(brand.caller, { status: 'paused' })).statusCode).toBe(403);
    expect((await patch(other.caller, { landingMode: 'direct' })).statusCode).toBe(404);
    expect((await patch(brand.caller, {})).statusCode).toBe(400);
    expect((await influencer.caller.get<Link>(`/v1/links/${link.code}`)).body).toMatchObject({
      status: 'active',
      landingMode: null,
      taoCode: null,
    });
  });

  it.each([
    'https://evil.example/x ￥abc￥',
    '￥abc￥ http://item.taobao.com/',
    'tbopen://m.taobao.com/x',
    '￥a\nb￥',
    '￥a\u2028b￥',
    '',
    '￥'.repeat(201),
  ])('takes no 淘口令 that leads elsewhere or is no line of text: %j', async (taoCode) => {
    expect(await patch(brand.caller, { taoCode })).toMatchObject({
      statusCode: 400,
      body: { code: 'validation_failed' },
    });
  });

  it('takes one as Taobao’s app shares it', async () => {
    const taoCode = '【淘宝】https://m.tb.cn/h.abc 「手冲壶」7￥AbCdEfG￥ 点击链接直接打开';
    expect(await patch(brand.caller, { taoCode })).toMatchObject({ statusCode: 200, body: { taoCode } });
  });
});

describe('the 淘口令 and the price of a product', () => {
  it('are kept with the day the price was given', async () => {
    const { productId, brand } = await makeOffer(server, { product: { taoCode: '7￥AbCdEfG￥' } });
    const { caller } = brand;
    const url = `/v1/products/${productId}`;
    await server.db.query(`update products set price_taken_at = '2026-01-02T03:04:05Z' where id = $1`, [productId]);
    expect((await caller.patch(url, { title: '新壶' })).body).toMatchObject({
      taoCode: '7￥AbCdEfG￥',
      priceTakenAt: '2026-01-02T03:04:05.000Z',
    });
    const { body } = await caller.patch<{ priceTakenAt: string }>(url, { priceFen: 19_900, taoCode: null });
    expect(body).toMatchObject({ taoCode: null });
    expect(Date.now() - Date.parse(body.priceTakenAt)).toBeLessThan(60_000);
  });
});
