import { daysAgo } from '../catalog/catalog-server.ts';
import type { Example } from './routes.ts';

const BRAND_SIDE = ['brand', 'admin'] as const;
const LINK_SIDE = ['influencer', 'admin'] as const;
const IN_A_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString();
const PAGE = { limit: '200' };

const links: Example[] = [
  {
    route: 'POST /v1/links',
    callers: LINK_SIDE,
    status: 200,
    make: ({ ids, caller, unique }) => ({
      path: '/v1/links',
      body: {
        productId: ids.product,
        alias: `my-${unique}`,
        ...(caller === 'admin' ? { influencerId: ids.influencer } : {}),
      },
    }),
  },
  {
    route: 'POST /v1/links',
    callers: ['influencer'],
    status: 400,
    make: ({ ids }) => ({ path: '/v1/links', body: { productId: ids.product, influencerId: ids.influencer } }),
  },
  {
    route: 'PATCH /v1/links/:code',
    callers: LINK_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/links/${ids.code}`, body: { status: 'active' } }),
  },
  {
    route: 'PATCH /v1/links/:code',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/links/${ids.code}`, body: { landingMode: 'direct', taoCode: '7￥AbCdEfG￥' } }),
  },
  {
    route: 'GET /v1/brands/:id/landing-modes',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/brands/${ids.brand}/landing-modes` }),
  },
  {
    route: 'PUT /v1/brands/:id/landing-modes',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/brands/${ids.brand}/landing-modes`, body: { byApp: { wechat: 'direct' } } }),
  },
  { route: 'GET /v1/landing-modes', callers: ['admin'], status: 200, make: () => ({ path: '/v1/landing-modes' }) },
  {
    route: 'PUT /v1/landing-modes',
    callers: ['admin'],
    status: 200,
    make: () => ({ path: '/v1/landing-modes', body: { byApp: { other: 'direct' } } }),
  },
  {
    route: 'GET /v1/links',
    callers: LINK_SIDE,
    status: 200,
    make: ({ ids, caller }) => ({
      path: '/v1/links',
      query: { ...PAGE, productId: ids.product, ...(caller === 'admin' ? { influencerId: ids.influencer } : {}) },
    }),
  },
  {
    route: 'GET /v1/links',
    callers: ['influencer'],
    status: 400,
    make: ({ ids }) => ({ path: '/v1/links', query: { influencerId: ids.influencer } }),
  },
  {
    route: 'GET /v1/links/:code',
    callers: LINK_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/links/${ids.code}` }),
  },
  { route: 'GET /v1/entry-domains', callers: ['admin'], status: 200, make: () => ({ path: '/v1/entry-domains' }) },
  {
    route: 'PUT /v1/entry-domains',
    callers: ['admin'],
    status: 200,
    make: () => ({
      path: '/v1/entry-domains',
      body: { domains: [{ host: 'go.example.com', state: 'suspect', note: '抖音内打不开' }] },
    }),
  },
  {
    route: 'GET /v1/links/:code/kit',
    callers: LINK_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/links/${ids.code}/kit`, query: { tag: 'v12' } }),
  },
  {
    route: 'GET /v1/links/:code/stats',
    callers: ['influencer', 'brand', 'finance', 'financeOfBrand', 'admin'],
    status: 200,
    make: ({ ids }) => ({
      path: `/v1/links/${ids.code}/stats`,
      query: { from: daysAgo(7), to: IN_A_YEAR, interval: 'hour' },
    }),
  },
];

const leases: Example[] = [
  {
    route: 'POST /v1/tracking-slots',
    callers: BRAND_SIDE,
    status: 201,
    make: ({ ids, unique }) => ({
      path: '/v1/tracking-slots',
      body: {
        storeId: ids.store,
        kind: 'adzone',
        externalId: unique,
        influencerId: ids.influencer,
        productId: ids.product,
        validFrom: daysAgo(1),
        validTo: IN_A_YEAR,
      },
    }),
  },
  {
    route: 'GET /v1/tracking-slots',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/tracking-slots',
      query: { ...PAGE, storeId: ids.store, influencerId: ids.influencer },
    }),
  },
  {
    route: 'PATCH /v1/tracking-slots/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/tracking-slots/${ids.slot}`, body: { validTo: IN_A_YEAR } }),
  },
  {
    route: 'POST /v1/coupons',
    callers: BRAND_SIDE,
    status: 201,
    make: ({ ids, unique }) => ({
      path: '/v1/coupons',
      body: {
        storeId: ids.store,
        code: `C${unique}`,
        influencerId: ids.influencer,
        validFrom: daysAgo(1),
        validTo: IN_A_YEAR,
      },
    }),
  },
  {
    route: 'GET /v1/coupons',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: '/v1/coupons', query: { ...PAGE, storeId: ids.store, influencerId: ids.influencer } }),
  },
  {
    route: 'PATCH /v1/coupons/:id',
    callers: BRAND_SIDE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/coupons/${ids.coupon}`, body: { validTo: IN_A_YEAR } }),
  },
];

export const ofLinks: readonly Example[] = [...links, ...leases];
