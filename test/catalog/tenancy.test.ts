import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable } from '../http/test-server.ts';
import {
  createCatalogServer,
  makeBrand,
  makeInfluencer,
  makeOffer,
  productInput,
  storeInput,
} from './catalog-server.ts';
import type { Answer, Caller, CatalogServer, Made } from './catalog-server.ts';

/** Two brands and two influencers; everything belongs to the first of each, and the second of each tries. */
let server: CatalogServer;
let owner: Awaited<ReturnType<typeof makeOffer>>;
let stranger: Caller;
let promoter: { id: string; caller: Caller };
let rival: Caller;
let slotId: string;
let couponId: string;
let code: string;

beforeAll(async () => {
  server = await createCatalogServer();
  owner = await makeOffer(server);
  stranger = (await makeBrand(server)).caller;
  promoter = await makeInfluencer(server);
  rival = (await makeInfluencer(server)).caller;
  const lease = { storeId: owner.storeId, influencerId: promoter.id };
  const { caller } = owner.brand;
  slotId = (await caller.post<Made>('/v1/tracking-slots', { ...lease, kind: 'relation', externalId: '1' })).body.id;
  couponId = (await caller.post<Made>('/v1/coupons', { ...lease, code: 'MINE' })).body.id;
  code = (await promoter.caller.post<{ code: string }>('/v1/links', { productId: owner.productId })).body.code;
});
afterAll(async () => {
  await server.close();
});

const random = (prefix: string): string => `${prefix}_zzzzzzzzzzzzzzzz`;

/** All rows of the catalogue and the links, to see that nothing of them changed. */
async function fingerprint(): Promise<unknown> {
  const { rows } = await server.db.query(
    `select (select md5(string_agg(t::text, '|' order by t.id)) from brands t) as brands,
      (select md5(string_agg(t::text, '|' order by t.id)) from stores t) as stores,
      (select md5(string_agg(t::text, '|' order by t.id)) from store_assessments t) as assessments,
      (select md5(string_agg(t::text, '|' order by t.id)) from products t) as products,
      (select md5(string_agg(t::text, '|' order by t.item_key)) from product_item_keys t) as keys,
      (select md5(string_agg(t::text, '|' order by t.id)) from terms t) as terms,
      (select md5(string_agg(t::text, '|' order by t.id)) from links t) as links,
      (select md5(string_agg(t::text, '|' order by t.code)) from link_codes t) as codes,
      (select md5(string_agg(t::text, '|' order by t.id)) from tracking_slots t) as slots,
      (select md5(string_agg(t::text, '|' order by t.external_id)) from tracking_slot_owners t) as slot_owners,
      (select md5(string_agg(t::text, '|' order by t.id)) from coupons t) as coupons,
      (select md5(string_agg(t::text, '|' order by t.code)) from coupon_owners t) as coupon_owners,
      (select md5(string_agg(t::text, '|' order by t.id)) from influencers t) as influencers,
      (select count(*) from audit_log) as audit`,
  );
  return rows[0];
}

type Ids = Record<'brand' | 'store' | 'product' | 'influencer' | 'slot' | 'coupon' | 'code', string>;

const owned = (): Ids => ({
  brand: owner.brand.id,
  store: owner.storeId,
  product: owner.productId,
  influencer: promoter.id,
  slot: slotId,
  coupon: couponId,
  code,
});
const unknown = (): Ids => ({
  brand: random('brd'),
  store: random('str'),
  product: random('prd'),
  influencer: random('inf'),
  slot: random('slt'),
  coupon: random('cpn'),
  code: 'zzzzzz9',
});

type Attempt = (ids: Ids) => Promise<Answer>;
const asStranger = (): Caller => stranger;
const asRival = (): Caller => rival;

const ATTEMPTS: [string, Attempt][] = [
  ['GET /v1/brands/:id', async ({ brand }) => asStranger().get(`/v1/brands/${brand}`)],
  ['GET /v1/stores/:id', async ({ store }) => asStranger().get(`/v1/stores/${store}`)],
  [
    'PATCH /v1/stores/:id',
    async ({ store }) => asStranger().patch(`/v1/stores/${store}`, { name: 'x', status: 'closed' }),
  ],
  [
    'POST /v1/stores/:id/webhook-secret',
    async ({ store }) => asStranger().post(`/v1/stores/${store}/webhook-secret`, {}),
  ],
  ['POST /v1/products', async ({ store }) => asStranger().post('/v1/products', productInput(store))],
  ['GET /v1/products/:id', async ({ product }) => asStranger().get(`/v1/products/${product}`)],
  [
    'PATCH /v1/products/:id',
    async ({ product }) => asStranger().patch(`/v1/products/${product}`, { commission: { rateBp: 1 } }),
  ],
  [
    'POST /v1/tracking-slots',
    async ({ store }) =>
      asStranger().post('/v1/tracking-slots', {
        storeId: store,
        kind: 'relation',
        externalId: '2',
        influencerId: promoter.id,
      }),
  ],
  [
    'PATCH /v1/tracking-slots/:id',
    async ({ slot }) => asStranger().patch(`/v1/tracking-slots/${slot}`, { validTo: '2099-01-01' }),
  ],
  [
    'POST /v1/coupons',
    async ({ store }) => asStranger().post('/v1/coupons', { storeId: store, code: 'X', influencerId: promoter.id }),
  ],
  [
    'PATCH /v1/coupons/:id',
    async ({ coupon }) => asStranger().patch(`/v1/coupons/${coupon}`, { validTo: '2099-01-01' }),
  ],
  ['GET /v1/influencers/:id', async ({ influencer }) => asRival().get(`/v1/influencers/${influencer}`)],
  ['GET /v1/links/:code', async ({ code }) => asRival().get(`/v1/links/${code}`)],
  ['PATCH /v1/links/:code', async ({ code }) => asRival().patch(`/v1/links/${code}`, { status: 'paused' })],
];

describe('another tenant’s object and one that does not exist answer the same bytes, and nothing changes', () => {
  it.each(ATTEMPTS)('%s', async (_route, attempt) => {
    const before = await fingerprint();
    const theirs = await attempt(owned());
    const nobodys = await attempt(unknown());
    expect(theirs.statusCode).toBe(404);
    const plain = (answer: Answer): unknown => comparable({ ...answer, body: answer.text });
    const withoutParsed = (answer: Answer): Answer => ({ ...answer, body: {} });
    expect(plain(withoutParsed(theirs))).toEqual(plain(withoutParsed(nobodys)));
    expect(await fingerprint()).toEqual(before);
  });

  it('an id that has not even the shape of one answers 404 as well', async () => {
    for (const url of [
      '/v1/stores/x',
      '/v1/products/str_1',
      '/v1/stores/str_%00',
      `/v1/brands/${'x'.repeat(60)}`,
      '/v1/links/%E5%92%96',
    ]) {
      expect((await server.admin.get(url)).statusCode).toBe(404);
    }
  });
});

describe('lists show a caller its own rows only', () => {
  it.each(['/v1/stores', '/v1/products', '/v1/tracking-slots', '/v1/coupons', '/v1/brands'])('%s', async (url) => {
    const theirs = await owner.brand.caller.get<{ data: unknown[] }>(url);
    expect(theirs.body.data).toHaveLength(1);
    const filters = url === '/v1/brands' ? [''] : ['', `?storeId=${owner.storeId}`];
    for (const filter of filters) {
      const { body } = await stranger.get<{ data?: { id: string }[] }>(`${url}${filter}`);
      expect(JSON.stringify(body)).not.toContain(owner.brand.id);
    }
  });

  it('/v1/links', async () => {
    expect((await rival.get<{ data: unknown[] }>(`/v1/links?productId=${owner.productId}`)).body.data).toEqual([]);
  });
});

describe('roles', () => {
  it.each(['/v1/brands', '/v1/payees', '/v1/influencers', '/v1/links'])('a brand key may not POST %s', async (url) => {
    expect((await stranger.post(url, {})).statusCode).toBe(403);
  });

  it.each(['/v1/stores', '/v1/products', '/v1/tracking-slots', '/v1/coupons', '/v1/brands'])(
    'an influencer key may not POST %s',
    async (url) => {
      expect((await rival.post(url, {})).statusCode).toBe(403);
    },
  );
});

/** INVARIANTS A11: no field of an answer can be smuggled in through a request. */
describe('mass assignment', () => {
  const SMUGGLED = {
    id: 'x_1',
    brandId: 'brd_zzzzzzzzzzzzzzzz',
    createdAt: '2020-01-01T00:00:00.000Z',
    eligibility: { eligible: true, reasons: [] },
    webhookSecret: 'whsec_x',
    openedOnSource: 'platform',
    warnings: [],
    itemKeys: [],
    estimatedCommissionFen: 1,
    payeeId: 'pye_operator',
    code: 'k7q2m8x',
    version: 9,
    role: 'admin',
    constructor: {},
  };
  const TARGETS: [
    string,
    () => Promise<{ caller: Caller; method: 'post' | 'patch'; url: string; body: Record<string, unknown> }>,
  ][] = [
    ['brand', async () => ({ caller: server.admin, method: 'post', url: '/v1/brands', body: { name: 'x' } })],
    [
      'brand change',
      async () => ({ caller: server.admin, method: 'patch', url: `/v1/brands/${owner.brand.id}`, body: {} }),
    ],
    ['payee', async () => ({ caller: server.admin, method: 'post', url: '/v1/payees', body: { name: 'x' } })],
    ['influencer', async () => ({ caller: server.admin, method: 'post', url: '/v1/influencers', body: { name: 'x' } })],
    [
      'influencer change',
      async () => ({ caller: server.admin, method: 'patch', url: `/v1/influencers/${promoter.id}`, body: {} }),
    ],
    ['store', async () => ({ caller: owner.brand.caller, method: 'post', url: '/v1/stores', body: storeInput() })],
    [
      'store change',
      async () => ({ caller: owner.brand.caller, method: 'patch', url: `/v1/stores/${owner.storeId}`, body: {} }),
    ],
    [
      'product',
      async () => ({
        caller: owner.brand.caller,
        method: 'post',
        url: '/v1/products',
        body: productInput(owner.storeId),
      }),
    ],
    [
      'product change',
      async () => ({ caller: owner.brand.caller, method: 'patch', url: `/v1/products/${owner.productId}`, body: {} }),
    ],
    [
      'link',
      async () => ({ caller: promoter.caller, method: 'post', url: '/v1/links', body: { productId: owner.productId } }),
    ],
    [
      'link change',
      async () => ({ caller: promoter.caller, method: 'patch', url: `/v1/links/${code}`, body: { status: 'active' } }),
    ],
  ];

  it.each(TARGETS)('%s: every unknown field is refused and nothing changes', async (_name, target) => {
    const before = await fingerprint();
    const { caller, method, url, body } = await target();
    for (const [field, value] of Object.entries(SMUGGLED)) {
      const answer = await caller[method]<{ code: string }>(url, { ...body, [field]: value });
      expect([field, answer.statusCode, answer.body.code]).toEqual([field, 400, 'validation_failed']);
    }
    expect(await fingerprint()).toEqual(before);
  });
});
