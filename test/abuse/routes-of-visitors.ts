import { readYouzanCapture } from '../support/youzan-message.ts';
import { type Caller, PICTURE_SHA256 } from './market.ts';
import type { Example } from './routes.ts';

const ANYONE: readonly Caller[] = ['anyone'];

/** As captured from Youzan, the message inside already encoded; number, shop and id are set when it is sent. */
const YOUZAN_BODY = JSON.parse(readYouzanCapture('paid').rawBody.toString('utf8')) as Record<string, unknown>;

/** The life of one order, every kind of event once. */
function shopEvents({
  orderId,
  itemId,
  couponCode,
}: {
  orderId: string;
  itemId: string;
  couponCode: string;
}): Record<string, unknown>[] {
  const head = { orderId, occurredAt: new Date().toISOString(), version: 1 };
  const line = { lineId: '1', itemId, quantity: 1, paidFen: 19_900, couponCode };
  const refund = { refundId: 'R-1', lines: [{ lineId: '1', refundedFen: 5_000 }] };
  return [
    { type: 'order.created', ...head, lines: [line] },
    { type: 'order.paid', ...head, lines: [line] },
    { type: 'order.received', ...head, lines: [{ lineId: '1' }] },
    { type: 'order.settled', ...head },
    { type: 'order.refund_requested', ...head, refund },
    { type: 'order.refund_closed', ...head, refund },
    { type: 'order.refunded', ...head, refund },
    { type: 'order.closed', ...head, fullRefund: false, lines: [{ lineId: '1' }] },
  ];
}

/** Addresses that never change, each with what it answers. */
const FIXED: readonly [route: string, status: number, path?: string][] = [
  ['GET /', 200],
  ['GET /healthz', 200],
  ['GET /readyz', 200],
  ['GET /openapi.json', 200],
  ['GET /docs', 200],
  ['HEAD /docs/', 200],
  ['GET /docs/json', 200],
  ['GET /docs/yaml', 200],
  ['GET /docs/static/index.html', 302],
  ['GET /docs/static/swagger-initializer.js', 200],
  ['GET /docs/static/*', 200, '/docs/static/swagger-ui.css'],
  ['GET /problems/:slug', 200, '/problems/not-found'],
  ['GET /-/pictures/:file', 200, `/-/pictures/${PICTURE_SHA256}.webp`],
];

/** What a shop and Youzan post; the sender signs the bytes. */
const hooks: Example[] = [
  {
    route: 'POST /hooks/shops/:storeId',
    callers: ANYONE,
    status: 200,
    signedBy: 'shop',
    make: ({ ids, itemId, couponCode, unique }) => ({
      path: `/hooks/shops/${ids.store}`,
      body: {
        type: 'order.paid',
        orderId: `S-${unique}`,
        occurredAt: new Date().toISOString(),
        createdAt: new Date().toISOString(),
        version: 3,
        lines: [
          {
            lineId: '1',
            itemId,
            quantity: 2,
            paidFen: 19_900,
            clickId: 'x'.repeat(38),
            couponCode,
            buyerNote: '请用 #xiaomei 的优惠',
            adzoneId: '111222333',
            relationId: '998877',
            clickedAt: new Date(Date.now() - 60_000).toISOString(),
          },
        ],
      },
    }),
  },
  {
    route: 'POST /hooks/shops/:storeId',
    callers: ANYONE,
    status: 200,
    signedBy: 'shop',
    make: ({ ids, itemId, couponCode, unique }) => ({
      path: `/hooks/shops/${ids.store}`,
      body: { events: shopEvents({ orderId: `M-${unique}`, itemId, couponCode }) },
    }),
  },
  {
    route: 'POST /hooks/youzan',
    callers: ANYONE,
    status: 200,
    signedBy: 'youzan',
    make: () => ({ path: '/hooks/youzan', body: YOUZAN_BODY }),
  },
];

export const ofProgramsAndVisitors: readonly Example[] = [
  ...FIXED.map(([route, status, path]): Example => ({
    route,
    callers: ANYONE,
    status,
    make: () => ({ path: path ?? route.slice(route.indexOf(' ') + 1) }),
  })),
  ...hooks,
  { route: 'GET /metrics', callers: ['admin'], status: 200, make: () => ({ path: '/metrics' }) },
  { route: 'GET /:code', callers: ANYONE, status: 302, make: ({ ids }) => ({ path: `/${ids.code}` }) },
  { route: 'GET /:code/:tag', callers: ANYONE, status: 302, make: ({ ids }) => ({ path: `/${ids.code}/v12` }) },
  {
    route: 'GET /:code/qr.svg',
    callers: ANYONE,
    status: 200,
    make: ({ ids }) => ({ path: `/${ids.code}/qr.svg`, query: { tag: 'v12' } }),
  },
  {
    route: 'GET /:code/qr.png',
    callers: ANYONE,
    status: 200,
    make: ({ ids }) => ({ path: `/${ids.code}/qr.png`, query: { tag: 'v12', size: 'print' } }),
  },
  {
    route: 'GET /-/find',
    callers: ANYONE,
    status: 303,
    make: ({ ids }) => ({ path: '/-/find', query: { code: ids.code } }),
  },
  // Nobody can make up a click id: what a page calls is refused, or looks like what was never there.
  {
    route: 'POST /-/step',
    callers: ANYONE,
    status: 400,
    make: () => ({ path: '/-/step', body: { clickId: 'x'.repeat(38), step: 'view' } }),
  },
  {
    route: 'GET /-/seen/:clickId',
    callers: ANYONE,
    status: 200,
    make: () => ({ path: `/-/seen/${'x'.repeat(38)}` }),
  },
  {
    route: 'GET /-/go/:clickId/:code',
    callers: ANYONE,
    status: 404,
    make: ({ ids }) => ({ path: `/-/go/${'x'.repeat(38)}/${ids.code}` }),
  },
  { route: 'GET /:code/preview', callers: ANYONE, status: 200, make: ({ ids }) => ({ path: `/${ids.code}/preview` }) },
];
