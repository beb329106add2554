import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogServer, makeInfluencer, makeOffer, productInput, tally } from '../catalog/catalog-server.ts';
import type { Caller, CatalogServer, Made } from '../catalog/catalog-server.ts';

let server: CatalogServer;
let one: { id: string; caller: Caller };
let other: { id: string; caller: Caller };
let taobao: Awaited<ReturnType<typeof makeOffer>>;
let youzan: Awaited<ReturnType<typeof makeOffer>>;

beforeAll(async () => {
  server = await createCatalogServer();
  one = await makeInfluencer(server);
  other = await makeInfluencer(server);
  taobao = await makeOffer(server);
  youzan = await makeOffer(server, {
    store: { platform: 'youzan' },
    product: { url: 'https://shop12345.youzan.com/v2/goods/2exampleali0001' },
  });
});
afterAll(async () => {
  await server.close();
});

interface Lease extends Made {
  code: string;
  externalId: string;
  productId: string | null;
  validFrom: string;
  validTo: string | null;
}

let slotNumber = 100_000;
function adzone(changes: Record<string, unknown> = {}): Record<string, unknown> {
  slotNumber += 1;
  const { storeId, productId } = taobao;
  return { storeId, kind: 'adzone', externalId: String(slotNumber), influencerId: one.id, productId, ...changes };
}
const lease = async (body: Record<string, unknown>, caller = taobao.brand.caller) =>
  caller.post<Lease>('/v1/tracking-slots', body);

describe('tracking slots', () => {
  it('an adzone is leased to one influencer for one product; a whole PID names its adzone', async () => {
    const { statusCode, body } = await lease(adzone({ externalId: 'mm_12_34_5678901' }));
    expect(statusCode).toBe(201);
    expect(body).toMatchObject({ externalId: '5678901', productId: taobao.productId, validTo: null });
  });

  it('leases of a slot never overlap; the day one ends, the next may begin', async () => {
    const slot = adzone();
    expect((await lease({ ...slot, validFrom: '2026-01-01', validTo: '2026-02-01' })).statusCode).toBe(201);
    const overlapping = await lease({ ...slot, validFrom: '2026-01-31', validTo: '2026-03-01' });
    expect([overlapping.statusCode, overlapping.body.code]).toEqual([409, 'conflict']);
    const next = await lease({ ...slot, validFrom: '2026-02-01' });
    expect([next.statusCode, next.body.validFrom]).toEqual([201, '2026-01-31T16:00:00.000Z']);
  });

  it('a slot never moves to another influencer, also after its lease ended', async () => {
    const slot = adzone();
    await lease({ ...slot, validFrom: '2026-01-01', validTo: '2026-02-01' });
    const moved = await lease({ ...slot, influencerId: other.id, validFrom: '2026-06-01' });
    expect([moved.statusCode, moved.body.code]).toEqual([409, 'conflict']);
    expect((await lease({ ...slot, validFrom: '2026-06-01' })).statusCode).toBe(201);
  });

  it('of 10 influencers who want a slot at the same time one gets it', async () => {
    const wanters = await Promise.all(Array.from({ length: 10 }, async () => makeInfluencer(server)));
    const slot = adzone();
    const answers = await Promise.all(wanters.map(async ({ id }) => lease({ ...slot, influencerId: id })));
    expect(tally(answers)).toEqual({ 201: 1, 409: 9 });
  });

  it('a refused lease leaves the slot free', async () => {
    const slot = adzone();
    expect((await lease({ ...slot, influencerId: other.id, validTo: '2020-01-01' })).statusCode).toBe(400);
    expect((await lease(slot)).statusCode).toBe(201);
  });

  it('ends when told, not in the past, and then another product may have it', async () => {
    const slot = adzone();
    const { body } = await lease({ ...slot, validFrom: '2026-01-01' });
    const url = `/v1/tracking-slots/${body.id}`;
    expect((await taobao.brand.caller.patch(url, { validTo: '2026-01-02' })).statusCode).toBe(400);
    expect((await taobao.brand.caller.patch<Lease>(url, { validTo: '2099-01-01' })).body.validTo).toBe(
      '2098-12-31T16:00:00.000Z',
    );
    const product = await taobao.brand.caller.post<Made>('/v1/products', productInput(taobao.storeId));
    const next = { ...slot, productId: product.body.id, validFrom: '2099-01-01' };
    expect((await lease(next)).statusCode).toBe(201);
    const extended = await taobao.brand.caller.patch<Lease>(url, { validTo: '2099-01-02' });
    expect([extended.statusCode, extended.body.code]).toEqual([409, 'conflict']);
  });

  it('each kind belongs to its platforms, and an adzone names a product of its store', async () => {
    const sls = { storeId: youzan.storeId, kind: 'sls', externalId: 'sls-1', influencerId: one.id };
    expect((await lease(sls, youzan.brand.caller)).statusCode).toBe(201);
    expect((await lease(adzone({ kind: 'sls' }))).statusCode).toBe(400);
    expect((await lease({ ...sls, kind: 'relation', externalId: 'r1' }, youzan.brand.caller)).statusCode).toBe(400);
    const { productId, ...withoutProduct } = adzone();
    expect(productId).toBe(taobao.productId);
    expect((await lease(withoutProduct)).statusCode).toBe(400);
    expect((await lease(adzone({ productId: youzan.productId }))).statusCode).toBe(404);
    expect((await lease(adzone({ productId: youzan.productId }), server.admin)).statusCode).toBe(404);
  });

  it('a leased slot reaches the links it concerns: their version rises', async () => {
    const { productId, storeId, brand } = await makeOffer(server);
    await one.caller.post('/v1/links', { productId });
    const version = async (): Promise<bigint | undefined> =>
      (await server.db.query<{ version: bigint }>('select version from links where product_id = $1', [productId]))
        .rows[0]?.version;
    expect(await version()).toBe(1n);
    await lease({ storeId, kind: 'adzone', externalId: '9', influencerId: one.id, productId }, brand.caller);
    expect(await version()).toBe(2n);
  });

  it('lists its own, by store and influencer', async () => {
    const ids = async (query: string, caller: Caller): Promise<number> =>
      (await caller.get<{ data: Lease[] }>(`/v1/tracking-slots?limit=200&${query}`)).body.data.length;
    expect(await ids('', youzan.brand.caller)).toBe(1);
    expect(await ids(`influencerId=${other.id}`, youzan.brand.caller)).toBe(0);
    expect(await ids(`storeId=${taobao.storeId}`, youzan.brand.caller)).toBe(0);
  });
});

describe('coupons', () => {
  const register = async (changes: Record<string, unknown>) =>
    taobao.brand.caller.post<Lease>('/v1/coupons', { storeId: taobao.storeId, influencerId: one.id, ...changes });

  it('are kept in one spelling, so two spellings are one coupon', async () => {
    const { statusCode, body } = await register({ code: ' ｓave20 ' });
    expect([statusCode, body.code]).toEqual([201, 'SAVE20']);
    expect((await register({ code: 'Save20' })).statusCode).toBe(409);
  });

  it('never move to another influencer, also after they ended', async () => {
    await register({ code: 'OLD', validFrom: '2026-01-01', validTo: '2026-02-01' });
    expect((await register({ code: 'old', influencerId: other.id })).statusCode).toBe(409);
    expect((await register({ code: 'old' })).statusCode).toBe(201);
  });

  it.each(['', 'a b', '%', '\0'])('the code %j is refused', async (code) => {
    expect((await register({ code })).statusCode).toBe(400);
  });

  it('end when told, not in the past', async () => {
    const { body } = await register({ code: 'ENDING' });
    const url = `/v1/coupons/${body.id}`;
    expect((await taobao.brand.caller.patch(url, { validTo: '2026-01-02' })).statusCode).toBe(400);
    expect((await taobao.brand.caller.patch<Lease>(url, { validTo: '2099-01-01' })).statusCode).toBe(200);
    const list = await taobao.brand.caller.get<{ data: Lease[] }>('/v1/coupons?limit=200');
    expect(list.body.data.find((coupon) => coupon.id === body.id)?.validTo).toBe('2098-12-31T16:00:00.000Z');
  });
});
