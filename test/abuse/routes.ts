/** For every route and everybody who may call it, a request that succeeds (or is refused whatever ids it names). The tests break these on purpose. */
import { STORE_QUALITY } from '../../src/local/demo/market.ts';
import { productInput, storeInput } from '../catalog/catalog-server.ts';
import type { Caller, Ids } from './market.ts';
import { ofLinks } from './routes-of-links.ts';
import { ofOrdersAndMoney } from './routes-of-money.ts';
import { ofProgramsAndVisitors } from './routes-of-visitors.ts';

export interface ExampleRequest {
  path: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: Readonly<Record<string, unknown>>;
}

export interface Making {
  ids: Ids;
  caller: Caller;
  /** The marketplace's number of the item that own orders sell. */
  itemId: string;
  /** Of influencer 1 in the store of these orders. */
  couponCode: string;
  /** When every sale of the market was sealed. */
  sealedAt: string;
  /** Another one in each request. */
  serial: number;
  /** The serial as a few lower-case letters and digits. */
  unique: string;
}

export interface Example {
  /** As in the table of routes, `GET /v1/orders/:id`. */
  route: string;
  callers: readonly Caller[];
  /** What it answers, for the market as made. */
  status: number;
  /** Whose signature the body carries; none where an API key is asked for. */
  signedBy?: 'shop' | 'youzan';
  make: (making: Making) => ExampleRequest;
}

const BRAND_SIDE = ['brand', 'admin'] as const;
const IN_A_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString();
const PAGE = { limit: '200' };

const access: Example[] = [
  {
    route: 'POST /v1/keys',
    callers: ['admin'],
    status: 201,
    make: ({ ids }) => ({
      path: '/v1/keys',
      body: { role: 'finance', brandId: ids.brand, label: '财务', expiresAt: IN_A_YEAR },
    }),
  },
  {
    route: 'POST /v1/keys',
    callers: ['admin'],
    status: 201,
    make: ({ ids }) => ({
      path: '/v1/keys',
      body: { role: 'influencer', influencerId: ids.influencer, label: '小美的手机' },
    }),
  },
  { route: 'GET /v1/keys', callers: ['admin'], status: 200, make: () => ({ path: '/v1/keys', query: PAGE }) },
  {
    route: 'DELETE /v1/keys/:id',
    callers: ['admin'],
    status: 204,
    make: ({ ids }) => ({ path: `/v1/keys/${ids.key}` }),
  },
  {
    route: 'GET /v1/audit',
    callers: ['admin', 'brand'],
    status: 200,
    make: ({ ids }) => ({ path: '/v1/audit', query: { ...PAGE, object: ids.store, brandId: ids.brand } }),
  },
  {
    route: 'GET /v1/audit',
    callers: ['admin'],
    status: 200,
    make: () => ({
      path: '/v1/audit',
      query: { ...PAGE, actor: 'admin:key_environment', action: 'store.registered', from: '2020-01-01', to: IN_A_YEAR },
    }),
  },
];

const brandsAndPeople: Example[] = [
  {
    route: 'POST /v1/brands',
    callers: ['admin'],
    status: 201,
    make: () => ({
      path: '/v1/brands',
      body: {
        name: '山野茶具',
        matching: { inferred: 'review', scope: 'product' },
        platformFeeBp: 500,
        fallbacks: ['same_product', 'other_products'],
        pageUrl: 'https://shop10192168.m.youzan.com/v2/showcase/homepage',
      },
    }),
  },
  {
    route: 'GET /v1/brands',
    callers: ['admin', 'brand'],
    status: 200,
    make: () => ({ path: '/v1/brands', query: PAGE }),
  },
  {
    route: 'GET /v1/brands/:id',
    callers: ['admin', 'brand'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/brands/${ids.brand}` }),
  },
  {
    route: 'PATCH /v1/brands/:id',
    callers: ['admin'],
    status: 200,
    make: ({ ids }) => ({
      path: `/v1/brands/${ids.brand}`,
      body: { name: '山野茶具店', matching: { inferred: 'review', scope: 'product' }, platformFeeBp: 600 },
    }),
  },
  {
    route: 'PATCH /v1/brands/:id',
    callers: ['admin', 'brand'],
    status: 200,
    make: ({ ids }) => ({
      path: `/v1/brands/${ids.brand}`,
      body: { fallbacks: ['brand_page'], pageUrl: 'https://shop10192168.m.youzan.com/v2/showcase/homepage' },
    }),
  },
  {
    route: 'POST /v1/payees',
    callers: ['admin'],
    status: 201,
    make: () => ({ path: '/v1/payees', body: { name: '星火机构' } }),
  },
  {
    route: 'GET /v1/payees',
    callers: ['admin'],
    status: 200,
    make: () => ({ path: '/v1/payees', query: { ...PAGE, kind: 'agency' } }),
  },
  {
    route: 'POST /v1/influencers',
    callers: ['admin'],
    status: 201,
    make: ({ ids, unique }) => ({
      path: '/v1/influencers',
      body: { name: '小美', douyinId: unique, tier: 'A', agency: { payeeId: ids.agency, shareBp: 3000 } },
    }),
  },
  {
    route: 'GET /v1/influencers',
    callers: ['admin'],
    status: 200,
    make: () => ({ path: '/v1/influencers', query: PAGE }),
  },
  {
    route: 'GET /v1/influencers/:id',
    callers: ['admin', 'influencer'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/influencers/${ids.influencer}` }),
  },
  {
    route: 'PATCH /v1/influencers/:id',
    callers: ['admin'],
    status: 200,
    make: ({ ids, unique }) => ({
      path: `/v1/influencers/${ids.influencer}`,
      body: {
        name: '小美美',
        douyinId: unique,
        tier: 'B',
        agency: { payeeId: ids.agency, shareBp: 2500 },
        status: 'active',
      },
    }),
  },
];

const storesAndProducts: Example[] = [
  {
    route: 'POST /v1/stores',
    callers: BRAND_SIDE,
    status: 201,
    make: ({ ids, caller, unique }) => ({
      path: '/v1/stores',
      body: storeInput({
        ...(caller === 'admin' ? { brandId: ids.brand } : {}),
        platform: 'youzan',
        externalShopId: unique,
        orderSource: 'youzan',
        youzan: { clientId: `client-${unique}`, clientSecret: `secret-${unique}` },
      }),
    }),
  },
  {
    route: 'POST /v1/stores',
    callers: ['brand'],
    status: 400,
    make: ({ ids }) => ({ path: '/v1/stores', body: storeInput({ brandId: ids.brand }) }),
  },
  {
    route: 'PATCH /v1/stores/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids, unique }) => ({
      path: `/v1/stores/${ids.spareStore}`,
      body: {
        name: '山野旗舰店',
        // As the operator gave them: a brand may repeat such values, not change them.
        ...STORE_QUALITY,
        youzan: { clientId: `client-${unique}`, clientSecret: `secret-${unique}` },
        status: 'active',
      },
    }),
  },
  {
    route: 'POST /v1/stores/:id/webhook-secret',
    callers: BRAND_SIDE,
    status: 201,
    // Not the store whose messages are sent: its secret has to stay.
    make: ({ ids }) => ({ path: `/v1/stores/${ids.spareStore}/webhook-secret` }),
  },
  {
    route: 'GET /v1/stores',
    callers: BRAND_SIDE,
    status: 200,
    make: () => ({ path: '/v1/stores', query: PAGE }),
  },
  {
    route: 'GET /v1/stores/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/stores/${ids.store}` }),
  },
  {
    route: 'POST /v1/products',
    callers: BRAND_SIDE,
    status: 201,
    make: ({ ids, unique }) => ({
      path: '/v1/products',
      body: productInput(ids.store, {
        externalItemId: unique,
        affiliateItemId: `aff-${unique}`,
        windowDays: 20,
        holdDays: 10,
        imageUrl: 'https://img.example.com/1.jpg',
        taoCode: '1￥AbCdEfG￥',
        status: 'active',
      }),
    }),
  },
  {
    route: 'POST /v1/products',
    callers: ['admin'],
    status: 201,
    make: ({ ids }) => ({ path: '/v1/products', body: productInput(ids.store, { commission: { flatFen: 300 } }) }),
  },
  {
    route: 'PATCH /v1/products/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids, itemId, unique }) => ({
      path: `/v1/products/${ids.product}`,
      body: {
        title: '手冲咖啡壶 大号',
        url: `https://item.taobao.com/item.htm?id=${itemId}`,
        priceFen: 18_800,
        commission: { rateBp: 1600 },
        externalItemId: itemId,
        affiliateItemId: `aff-${unique}`,
        windowDays: 21,
        holdDays: 9,
        imageUrl: 'https://img.example.com/2.jpg',
        taoCode: '2￥AbCdEfG￥',
        status: 'active',
      },
    }),
  },
  {
    route: 'POST /v1/products',
    callers: ['admin'],
    status: 400,
    make: ({ ids }) => ({
      path: '/v1/products',
      body: productInput(ids.store, { alternateProductId: ids.product }),
    }),
  },
  {
    route: 'PATCH /v1/products/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/products/${ids.product}`, body: { alternateProductId: null } }),
  },
  {
    route: 'PATCH /v1/products/:id',
    callers: ['admin'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/products/${ids.product}`, body: { commission: { flatFen: 400 } } }),
  },
  {
    route: 'GET /v1/products',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/products',
      query: { ...PAGE, q: '壶', platform: 'taobao', storeId: ids.store, status: 'active' },
    }),
  },
  {
    route: 'GET /v1/products',
    callers: ['influencer'],
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/products',
      query: { ...PAGE, q: '壶', platform: 'taobao', storeId: ids.store, minRateBp: '100', sort: 'commission' },
    }),
  },
  {
    route: 'GET /v1/products',
    callers: ['influencer'],
    status: 200,
    make: () => ({ path: '/v1/products', query: PAGE }),
  },
  {
    route: 'GET /v1/products/:id',
    callers: ['influencer', 'brand', 'admin'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/products/${ids.product}` }),
  },
];

/** In an order in which each succeeds after the ones before it, for one caller after the other. */
export const examples: readonly Example[] = [
  ...access,
  ...brandsAndPeople,
  ...storesAndProducts,
  ...ofLinks,
  ...ofOrdersAndMoney,
  ...ofProgramsAndVisitors,
];
