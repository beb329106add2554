import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createCatalogServer, makeInfluencer, makeOffer } from '../catalog/catalog-server.ts';
import type { Caller, CatalogServer } from '../catalog/catalog-server.ts';

let server: CatalogServer;
let brand: { id: string; caller: Caller };
let other: { id: string; caller: Caller };
let influencer: { id: string; caller: Caller };
let link: { id: string; code: string };

interface Link {
  id: string;
  code: string;
  status: string;
  way: string | null;
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

async function versionOf(): Promise<bigint | undefined> {
  const query = 'select version from links where id = $1';
  const { rows } = await server.db.query<{ version: bigint }>(query, [link.id]);
  return rows[0]?.version;
}

async function auditOf(subject: string): Promise<unknown[]> {
  const { rows } = await server.db.query('select action, detail from audit_log where subject = $1 order by id', [
    subject,
  ]);
  return rows;
}

describe('/v1/brands/:id/visit-ways', () => {
  const url = (): string => `/v1/brands/${brand.id}/visit-ways`;

  it('replaces all wishes of the brand, raises the versions of its links, and is audited', async () => {
    expect((await brand.caller.get(url())).body).toEqual({ byApp: {} });
    const before = await versionOf();
    const ways = { byApp: { douyin: 'direct', wechat: 'page' } };
    expect(await brand.caller.put(url(), ways)).toMatchObject({ statusCode: 200, body: ways });
    expect(await versionOf()).toBe((before ?? 0n) + 1n);
    // The same once more changes nothing, so it is told to nobody.
    expect((await server.admin.put(url(), ways)).body).toEqual(ways);
    expect(await versionOf()).toBe((before ?? 0n) + 1n);
    expect((await brand.caller.put(url(), { byApp: { wechat: 'direct' } })).body).toEqual({
      byApp: { wechat: 'direct' },
    });
    expect((await server.admin.get(url())).body).toEqual({ byApp: { wechat: 'direct' } });
    expect(await auditOf(brand.id)).toContainEqual({
      action: 'visit_ways.replace',
      detail: { before: ways.byApp, after: { wechat: 'direct' } },
    });
  });

  it('is closed to other brands and to influencers, and refuses what it does not know', async () => {
    for (const caller of [other.caller, server.admin]) {
      const unknown = caller === server.admin ? '/v1/brands/brd_nobody/visit-ways' : url();
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

describe('/v1/visit-ways', () => {
  it('is the operator’s, and reaches every link', async () => {
    const before = await versionOf();
    const ways = { byApp: { other: 'direct' } };
    expect((await server.admin.put('/v1/visit-ways', ways)).body).toEqual(ways);
    expect((await server.admin.get('/v1/visit-ways')).body).toEqual(ways);
    expect(await versionOf()).toBe((before ?? 0n) + 1n);
    for (const caller of [brand.caller, influencer.caller]) {
      expect((await caller.get('/v1/visit-ways')).statusCode).toBe(403);
      expect((await caller.put('/v1/visit-ways', ways)).statusCode).toBe(403);
    }
    expect((await server.admin.put('/v1/visit-ways', { byApp: {} })).body).toEqual({ byApp: {} });
  });
});

describe('PATCH /v1/links/:code', () => {
  const patch = async (caller: Caller, body: object) =>
    caller.patch<Link & { code: string }>(`/v1/links/${link.code}`, body);

  it('the brand decides what visitors are shown, the influencer whether the link is on, an admin both', async () => {
    const before = (await versionOf()) ?? 0n;
    const shown = { way: 'direct', taoCode: '7￥AbCdEfG￥' };
    expect(await patch(brand.caller, shown)).toMatchObject({ statusCode: 200, body: { ...shown, status: 'active' } });
    expect(await versionOf()).toBe(before + 1n);
    expect(await auditOf(link.id)).toEqual([{ action: 'link.change_page', detail: shown }]);
    expect(await patch(influencer.caller, { status: 'paused' })).toMatchObject({
      body: { ...shown, status: 'paused' },
    });
    const both = { status: 'active', way: null, taoCode: null };
    expect(await patch(server.admin, both)).toMatchObject({ statusCode: 200, body: both });
    const reread = await influencer.caller.get<Link>(`/v1/links/${link.code}`);
    expect(reread.body).toMatchObject(both);
  });

  it('refuses what is not the caller’s to change, all or nothing', async () => {
    expect(await patch(influencer.caller, { way: 'direct' })).toMatchObject({
      statusCode: 403,
      body: { code: 'forbidden' },
    });
    expect((await patch(influencer.caller, { status: 'paused', taoCode: '￥x￥' })).statusCode).toBe(403);
    expect((await patch(brand.caller, { status: 'paused' })).statusCode).toBe(403);
    expect((await patch(other.caller, { way: 'direct' })).statusCode).toBe(404);
    expect((await patch(brand.caller, {})).statusCode).toBe(400);
    expect((await influencer.caller.get<Link>(`/v1/links/${link.code}`)).body).toMatchObject({
      status: 'active',
      way: null,
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
