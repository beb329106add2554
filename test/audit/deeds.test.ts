import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createCatalogServer,
  makeBrand,
  makeInfluencer,
  makeOffer,
  productInput,
  storeInput,
} from '../catalog/catalog-server.ts';
import type { CatalogServer, Made } from '../catalog/catalog-server.ts';

/** What an entry says of a change by hand: the deed, and the values before and after; and that a change without effect leaves none. */
let server: CatalogServer;
let offer: Awaited<ReturnType<typeof makeOffer>>;
let lastId = 0n;

beforeAll(async () => {
  server = await createCatalogServer();
  offer = await makeOffer(server);
});
afterAll(async () => {
  await server.close();
});
beforeEach(async () => {
  await newEntries();
});

/** The entries since the last call. */
async function newEntries(): Promise<{ action: string; subject: string; brandId: string | null; detail: unknown }[]> {
  const { rows } = await server.db.query<{
    id: bigint;
    action: string;
    subject: string;
    brandId: string | null;
    detail: unknown;
  }>(
    'select a.id, a.action, a.subject, a.brand_id as "brandId", a.detail from audit_log a where a.id > $1 order by a.id',
    [lastId],
  );
  lastId = rows.at(-1)?.id ?? lastId;
  return rows.map(({ action, subject, brandId, detail }) => ({ action, subject, brandId, detail }));
}

describe('a brand', () => {
  it('its name, its policy and its settings for visitors are deeds of their own', async () => {
    const url = `/v1/brands/${offer.brand.id}`;
    await server.admin.patch(url, { name: '新名', platformFeeBp: 700, fallbacks: ['other_products'] });
    const entry = { subject: offer.brand.id, brandId: offer.brand.id };
    expect(await newEntries()).toEqual([
      {
        ...entry,
        action: 'brand.changed',
        detail: {
          before: { name: expect.any(String), fallbacks: [] },
          after: { name: '新名', fallbacks: ['other_products'] },
        },
      },
      {
        ...entry,
        action: 'brand.policy_changed',
        detail: { before: { platformFeeBp: 0 }, after: { platformFeeBp: 700 } },
      },
    ]);
    await server.admin.patch(url, { name: '新名', platformFeeBp: 700, fallbacks: ['other_products'] });
    expect(await newEntries()).toEqual([]);
  });
});

describe('a store', () => {
  it('a rating the operator vouches for is recorded, its repetition is not', async () => {
    const url = `/v1/stores/${offer.storeId}`;
    await server.admin.patch(url, { rating: { score: 4.8, scale: 5 }, openedOn: '2020-03-01' });
    expect((await newEntries()).map(({ action, detail }) => [action, detail])).toEqual([
      ['store.rating_recorded', { score: '4.8', scale: '5', source: 'admin' }],
      ['store.opening_recorded', { openedOn: '2020-03-01', source: 'admin' }],
    ]);
    await server.admin.patch(url, { rating: { score: 4.8, scale: 5 } });
    expect(await newEntries()).toEqual([]);
    const refused = await offer.brand.caller.patch(url, { name: 'x', rating: { score: 5, scale: 5 } });
    expect(refused.statusCode).toBe(409);
    expect(await newEntries()).toEqual([]);
  });
});

describe('a product', () => {
  it('price and commission are shown before and after; a refused change leaves nothing', async () => {
    const url = `/v1/products/${offer.productId}`;
    await offer.brand.caller.patch(url, { priceFen: 17_900, commission: { rateBp: 2000 } });
    expect(await newEntries()).toMatchObject([
      {
        action: 'product.changed',
        brandId: offer.brand.id,
        detail: { after: { priceFen: 17_900, rateBp: 2000 } },
      },
    ]);
    await offer.brand.caller.patch(url, { priceFen: 17_900, commission: { rateBp: 2000 } });
    const refused = await offer.brand.caller.patch(url, { title: 'x', url: 'https://item.jd.com/1.html' });
    expect(refused.statusCode).toBe(422);
    expect(await newEntries()).toEqual([]);
  });

  it('a product that is refused because its item is taken leaves neither product nor entry', async () => {
    const input = productInput(offer.storeId, { externalItemId: 'taken' });
    expect((await offer.brand.caller.post('/v1/products', input)).statusCode).toBe(201);
    await newEntries();
    expect((await offer.brand.caller.post('/v1/products', input)).statusCode).toBe(409);
    expect(await newEntries()).toEqual([]);
    const { body } = await offer.brand.caller.get<{ data: unknown[] }>(`/v1/products?storeId=${offer.storeId}`);
    expect(body.data).toHaveLength(2);
  });
});

describe('a link', () => {
  it('a pause is recorded once, however often it is sent', async () => {
    const { caller } = await makeInfluencer(server);
    const { body } = await caller.post<Made & { code: string }>('/v1/links', { productId: offer.productId });
    await newEntries();
    await Promise.all([1, 2, 3].map(() => caller.patch(`/v1/links/${body.code}`, { status: 'paused' })));
    const entry = { subject: body.id, brandId: offer.brand.id, detail: {} };
    expect(await newEntries()).toEqual([{ ...entry, action: 'link.paused' }]);
    await caller.patch(`/v1/links/${body.code}`, { status: 'active' });
    expect(await newEntries()).toEqual([{ ...entry, action: 'link.resumed' }]);
  });
});

describe('an influencer', () => {
  it('a share of an agency is recorded with the one before it', async () => {
    const agency = await server.admin.post<Made>('/v1/payees', { name: '星光传媒' });
    const { id } = await makeInfluencer(server);
    await newEntries();
    const first = { payeeId: agency.body.id, shareBp: 3000 };
    await server.admin.patch(`/v1/influencers/${id}`, { agency: first });
    await server.admin.patch(`/v1/influencers/${id}`, { agency: null, tier: 'A' });
    expect((await newEntries()).map(({ action, detail }) => [action, detail])).toEqual([
      ['influencer.agency_changed', { before: null, after: first }],
      ['influencer.changed', { before: { tier: null }, after: { tier: 'A' } }],
      ['influencer.agency_changed', { before: first, after: null }],
    ]);
  });
});

describe('what decides where visitors land', () => {
  it('is recorded with the values before', async () => {
    const domains = [{ host: 'go.example.com', state: 'healthy' }];
    await server.admin.put('/v1/entry-domains', { domains });
    await server.admin.put('/v1/entry-domains', { domains: [] });
    const shown = [{ ...domains[0], note: '' }];
    expect((await newEntries()).map(({ detail }) => detail)).toEqual([
      { before: [], after: shown },
      { before: shown, after: [] },
    ]);
  });
});

describe('a new store', () => {
  it('names its declared values, and no secret', async () => {
    const { id, caller } = await makeBrand(server);
    await newEntries();
    const input = storeInput({
      platform: 'youzan',
      orderSource: 'youzan',
      youzan: { clientId: 'client-1', clientSecret: 'very-secret' },
    });
    const { body } = await caller.post<Made & { webhookSecret: string }>('/v1/stores', input);
    const [entry] = await newEntries();
    expect(entry).toMatchObject({
      action: 'store.registered',
      subject: body.id,
      brandId: id,
      detail: { platform: 'youzan', youzanClientId: 'client-1', score: '4.8', scale: '5', source: 'declared' },
    });
    expect(JSON.stringify(entry)).not.toContain('very-secret');
    expect(JSON.stringify(entry)).not.toContain(body.webhookSecret);
  });
});
