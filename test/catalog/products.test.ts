import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogServer, makeBrand, makeOffer, productInput, storeInput, tally } from './catalog-server.ts';
import type { Caller, CatalogServer, Made } from './catalog-server.ts';

let server: CatalogServer;
let brand: { id: string; caller: Caller };
let storeId: string;
let youzanStoreId: string;

beforeAll(async () => {
  server = await createCatalogServer();
  brand = await makeBrand(server);
  storeId = (await brand.caller.post<Made>('/v1/stores', storeInput())).body.id;
  youzanStoreId = (await brand.caller.post<Made>('/v1/stores', storeInput({ platform: 'youzan' }))).body.id;
});
afterAll(async () => {
  await server.close();
});

interface Product extends Made {
  brandId: string;
  url: string;
  title: string;
  priceFen: number;
  commission: { rateBp: number } | { flatFen: number } | null;
  windowDays: number;
  holdDays: number;
  status: string;
  imageUrl: string | null;
  itemKeys: string[];
  warnings: { code: string }[];
  code: string;
}

const register = async (changes: Record<string, unknown> = {}) =>
  brand.caller.post<Product>('/v1/products', productInput(storeId, changes));

interface TermsVersion {
  rateBp: number | null;
  flatFen: bigint | null;
  windowDays: number;
  holdDays: number;
  isOpen: boolean;
}

async function listTerms(productId: string): Promise<TermsVersion[]> {
  const { rows } = await server.db.query<TermsVersion>(
    `select rate_bp as "rateBp", flat_fen as "flatFen", window_days as "windowDays", hold_days as "holdDays", valid_to is null as "isOpen"
     from terms where product_id = $1 order by valid_from`,
    [productId],
  );
  return rows;
}

describe('registering a product', () => {
  it('keeps its destination, its names in orders, and its commission as the first version of its terms', async () => {
    const { statusCode, body } = await register({
      url: 'https://item.taobao.com/item.htm?id=600000000001&spm=a#top',
      externalItemId: '600000000001',
      affiliateItemId: 'AbC-x_1',
      windowDays: 7,
    });
    expect(statusCode).toBe(201);
    expect(body).toMatchObject({
      brandId: brand.id,
      url: 'https://item.taobao.com/item.htm?id=600000000001&spm=a#top',
      priceFen: 19_900,
      commission: { rateBp: 1500 },
      windowDays: 7,
      holdDays: 15,
      status: 'active',
      itemKeys: ['item:600000000001', 'item:AbC-x_1'],
      warnings: [],
    });
    expect(await listTerms(body.id)).toEqual([
      { rateBp: 1500, flatFen: null, windowDays: 7, holdDays: 15, isOpen: true },
    ]);
    expect((await brand.caller.get<Product>(`/v1/products/${body.id}`)).body).toEqual(body);
  });

  it('a flat commission is kept in fen', async () => {
    expect((await register({ commission: { flatFen: 500 } })).body.commission).toEqual({ flatFen: 500 });
  });

  it('an opaque link without item id is warned about: no order could name the product', async () => {
    const { body } = await register({ url: 'https://s.click.taobao.com/vpIZmSu' });
    expect(body).toMatchObject({ itemKeys: [] });
    expect(body.warnings.map((warning) => warning.code)).toEqual(['no_item_key']);
  });

  it.each([
    ['https://item.jd.com/100012043978.html', 'platform_not_supported'],
    ['https://u.jd.com/abc', 'platform_not_supported'],
    ['https://store.weixin.qq.com/shop/a', 'platform_not_supported'],
    ['https://shop123.youzan.com/v2/goods/2exampleali0001', 'destination_not_allowed'],
    ['http://item.taobao.com/item.htm?id=1', 'destination_not_allowed'],
    ['https://item.taobao.com@evil.example/item.htm?id=1', 'destination_not_allowed'],
    ['https://item.taobao.com.evil.example/item.htm?id=1', 'destination_not_allowed'],
    ['https://evil.example\\@item.taobao.com/', 'destination_not_allowed'],
    ['javascript:alert(1)', 'destination_not_allowed'],
    ['', 'destination_not_allowed'],
  ])('the URL %s is refused: %s', async (url, code) => {
    const answer = await register({ url });
    expect([answer.statusCode, answer.body.code]).toEqual([422, code]);
    const { body } = await register();
    const changed = await brand.caller.patch<Product>(`/v1/products/${body.id}`, { url });
    expect([changed.statusCode, changed.body.code]).toEqual([422, code]);
  });

  it.each([
    { priceFen: -1 },
    { priceFen: 199.5 },
    { priceFen: 2 ** 53 },
    { commission: { rateBp: 9001 } },
    { commission: { rateBp: 1500, flatFen: 1 } },
    { commission: {} },
    { commission: { flatFen: -1 } },
    { windowDays: 0 },
    { windowDays: 91 },
    { holdDays: 181 },
    { title: '' },
    { title: 'a\0b' },
    { imageUrl: 'javascript:alert(1)' },
    { imageUrl: 'http://example.com/a.png' },
    { externalItemId: 'a b' },
    { status: 'deleted' },
    { brandId: 'brd_0000000000000000' },
    { itemKeys: ['item:1'] },
    { createdAt: '2020-01-01T00:00:00Z' },
  ])('%o is refused', async (changes) => {
    const answer = await register(changes);
    expect([answer.statusCode, answer.body.code]).toEqual([400, 'validation_failed']);
  });

  it('one name, one product in a store: a second product of the item is refused and leaves nothing behind', async () => {
    const { body } = await register({ externalItemId: '777' });
    const countProducts = async (): Promise<bigint | undefined> =>
      (await server.db.query<{ n: bigint }>('select count(*) as n from products')).rows[0]?.n;
    const count = await countProducts();
    const again = await register({ affiliateItemId: '777' });
    expect([again.statusCode, again.body.code]).toEqual([409, 'conflict']);
    expect(again.text).toContain(body.id);
    expect(await countProducts()).toBe(count);
    const otherStore = await makeOffer(server, { product: { externalItemId: '777' } });
    expect(otherStore.productId).toMatch(/^prd_/);
  });

  it('of 10 products of one item registered at the same time one stays', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, async () => register({ externalItemId: 'race-1' })));
    expect(tally(answers)).toEqual({ 201: 1, 409: 9 });
  });

  it('a Youzan product is named by its alias', async () => {
    const url = 'https://shop12345.m.youzan.com/wscgoods/detail/2exampleali0001?scan=1';
    const { body } = await brand.caller.post<Product>('/v1/products', productInput(youzanStoreId, { url }));
    expect(body.itemKeys).toEqual(['alias:2exampleali0001']);
  });

  it('a closed store gets no new products', async () => {
    const closed = await brand.caller.post<Made>('/v1/stores', storeInput());
    await brand.caller.patch(`/v1/stores/${closed.body.id}`, { status: 'closed' });
    const answer = await brand.caller.post<Product>('/v1/products', productInput(closed.body.id));
    expect([answer.statusCode, answer.body.code]).toEqual([409, 'conflict']);
  });
});

describe('changing a product', () => {
  it('a new commission begins a version; one that does not differ begins none; what is not given stays', async () => {
    const { body } = await register({ windowDays: 7, holdDays: 20 });
    const url = `/v1/products/${body.id}`;
    expect((await brand.caller.patch<Product>(url, { commission: { rateBp: 1500 }, windowDays: 7 })).statusCode).toBe(
      200,
    );
    expect((await brand.caller.patch<Product>(url, { commission: { rateBp: 2000 } })).body.commission).toEqual({
      rateBp: 2000,
    });
    expect((await brand.caller.patch<Product>(url, { holdDays: 0 })).body).toMatchObject({
      windowDays: 7,
      holdDays: 0,
    });
    expect((await brand.caller.patch<Product>(url, { commission: { flatFen: 300 } })).body.commission).toEqual({
      flatFen: 300,
    });
    expect(await listTerms(body.id)).toEqual([
      { rateBp: 1500, flatFen: null, windowDays: 7, holdDays: 20, isOpen: false },
      { rateBp: 2000, flatFen: null, windowDays: 7, holdDays: 20, isOpen: false },
      { rateBp: 2000, flatFen: null, windowDays: 7, holdDays: 0, isOpen: false },
      { rateBp: null, flatFen: 300n, windowDays: 7, holdDays: 0, isOpen: true },
    ]);
  });

  it('names of the item are only added: orders placed before still use the old ones', async () => {
    const { body } = await register({ url: 'https://item.taobao.com/item.htm?id=811', externalItemId: '812' });
    const changed = await brand.caller.patch<Product>(`/v1/products/${body.id}`, {
      url: 'https://detail.tmall.com/item.htm?id=813',
      externalItemId: null,
      imageUrl: 'https://img.example/a.png',
      title: '新标题',
      status: 'paused',
    });
    expect(changed.body).toMatchObject({
      itemKeys: ['item:811', 'item:812', 'item:813'],
      imageUrl: 'https://img.example/a.png',
      title: '新标题',
      status: 'paused',
      priceFen: 19_900,
      commission: { rateBp: 1500 },
    });
  });

  it('the brand’s list filters by store, platform, status and a part of the title', async () => {
    const offer = await makeOffer(server, { product: { title: '100%棉_T恤' } });
    await offer.brand.caller.post('/v1/products', productInput(offer.storeId, { title: '帽子', status: 'paused' }));
    const titles = async (query: string): Promise<string[]> => {
      const { body } = await offer.brand.caller.get<{ data: Product[] }>(`/v1/products?${query}`);
      return body.data.map((product) => product.title).toSorted();
    };
    expect(await titles('')).toEqual(['100%棉_T恤', '帽子'].toSorted());
    expect(await titles('status=paused')).toEqual(['帽子']);
    expect(await titles(`q=${encodeURIComponent('0%棉_t')}`)).toEqual(['100%棉_T恤']);
    expect(await titles('q=%25')).toEqual(['100%棉_T恤']);
    expect(await titles('platform=youzan')).toEqual([]);
    expect(await titles(`storeId=${storeId}`)).toEqual([]);
    expect((await offer.brand.caller.get('/v1/products?minRateBp=100')).statusCode).toBe(400);
  });
});
