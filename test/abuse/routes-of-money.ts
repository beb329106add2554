import { daysAgo } from '../catalog/catalog-server.ts';
import type { Caller } from './market.ts';
import type { Example } from './routes.ts';

const MONEY_READERS: readonly Caller[] = ['finance', 'financeOfBrand', 'brand', 'influencer', 'admin'];
const DECIDERS: readonly Caller[] = ['brand', 'finance', 'financeOfBrand', 'admin'];
const FINANCE: readonly Caller[] = ['finance', 'financeOfBrand', 'admin'];
const TIMES = { from: daysAgo(30), to: daysAgo(-2) };
const PAGE = { limit: '200' };

const orders: Example[] = [
  {
    route: 'GET /v1/orders',
    callers: DECIDERS,
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/orders',
      query: { ...PAGE, ...TIMES, status: 'received', attribution: 'matched', storeId: ids.store },
    }),
  },
  {
    route: 'GET /v1/orders',
    callers: ['admin'],
    status: 200,
    make: () => ({ path: '/v1/orders', query: { ...PAGE, disputed: 'true' } }),
  },
  {
    route: 'GET /v1/orders/:id',
    callers: [...DECIDERS, 'influencer'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/orders/${ids.order}` }),
  },
  {
    route: 'GET /v1/orders/:id/explanation',
    callers: [...DECIDERS, 'influencer'],
    status: 200,
    make: ({ ids }) => ({ path: `/v1/orders/${ids.order}/explanation` }),
  },
  {
    route: 'POST /v1/order-lines/:id/assign',
    callers: DECIDERS,
    status: 200,
    make: ({ ids }) => ({
      path: `/v1/order-lines/${ids.line}/assign`,
      body: { linkCode: ids.code, note: '达人提供了截图' },
    }),
  },
  {
    route: 'DELETE /v1/order-lines/:id/assign',
    callers: DECIDERS,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/assign` }),
  },
  {
    route: 'POST /v1/order-lines/:id/reject',
    callers: DECIDERS,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/reject`, body: { note: '自己下的单' } }),
  },
  {
    route: 'DELETE /v1/order-lines/:id/reject',
    callers: DECIDERS,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/reject` }),
  },
  {
    route: 'POST /v1/order-lines/:id/hold',
    callers: FINANCE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/hold`, body: { note: '等待核对' } }),
  },
  {
    route: 'DELETE /v1/order-lines/:id/hold',
    callers: FINANCE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/hold` }),
  },
  {
    route: 'POST /v1/order-lines/:id/reprice',
    callers: FINANCE,
    status: 200,
    make: ({ ids }) => ({ path: `/v1/order-lines/${ids.line}/reprice`, body: { note: '佣金率登记有误' } }),
  },
];

const terms: Example[] = [
  {
    route: 'POST /v1/terms',
    callers: ['brand', 'admin'],
    status: 201,
    make: ({ ids }) => ({
      path: '/v1/terms',
      body: {
        brandId: ids.brand,
        scope: { productId: ids.product, influencerId: ids.influencer },
        rateBp: 1800,
        basis: 'order_amount',
        windowDays: 20,
        holdDays: 10,
      },
    }),
  },
  {
    route: 'POST /v1/terms',
    callers: ['admin'],
    status: 201,
    make: ({ ids, serial }) => {
      // Every call has a day of its own, so that no two versions overlap.
      const validFrom = new Date(Date.now() + serial * 86_400_000);
      const validTo = new Date(validFrom.getTime() + 86_400_000);
      return {
        path: '/v1/terms',
        body: {
          scope: { storeId: ids.store },
          flatFen: 500,
          validFrom: validFrom.toISOString(),
          validTo: validTo.toISOString(),
        },
      };
    },
  },
  {
    route: 'GET /v1/terms',
    callers: ['brand', 'admin'],
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/terms',
      query: { ...PAGE, brandId: ids.brand, productId: ids.product, influencerId: ids.influencer },
    }),
  },
  {
    route: 'GET /v1/terms',
    callers: ['brand', 'admin'],
    status: 200,
    make: ({ ids }) => ({ path: '/v1/terms', query: { ...PAGE, storeId: ids.store } }),
  },
];

const money: Example[] = [
  {
    route: 'GET /v1/commissions',
    callers: MONEY_READERS,
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/commissions',
      query: {
        ...PAGE,
        ...TIMES,
        influencerId: ids.influencer,
        brandId: ids.brand,
        storeId: ids.store,
        productId: ids.product,
        platform: 'taobao',
        stage: 'pending',
      },
    }),
  },
  {
    route: 'GET /v1/commissions/totals',
    callers: MONEY_READERS,
    status: 200,
    make: ({ ids, sealedAt }) => ({
      path: '/v1/commissions/totals',
      query: {
        ...TIMES,
        influencerId: ids.influencer,
        brandId: ids.brand,
        storeId: ids.store,
        productId: ids.product,
        platform: 'taobao',
        stage: 'pending',
        groupBy: 'influencer,brand,store,product,link,tag,platform,method,month,day,stage',
        timeBasis: 'posted',
        asOf: sealedAt,
      },
    }),
  },
  {
    route: 'GET /v1/journal',
    callers: FINANCE,
    status: 200,
    make: ({ ids }) => ({
      path: '/v1/journal',
      query: { ...PAGE, ...TIMES, lineId: ids.line, brandId: ids.brand, payeeId: ids.payee, account: 'pending' },
    }),
  },
  {
    route: 'GET /v1/payees/:id/balance',
    callers: [...FINANCE, 'influencer'],
    status: 200,
    make: ({ ids, sealedAt }) => ({ path: `/v1/payees/${ids.payee}/balance`, query: { asOf: sealedAt } }),
  },
];

export const ofOrdersAndMoney: readonly Example[] = [...orders, ...terms, ...money];
