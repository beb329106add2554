import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Api, listAll } from './api.ts';
import type { DemoKeys } from './demo-keys.ts';
import { SEED_AGENCY, SEED_BRAND, SEED_INFLUENCERS, SEED_STORES, type SeedStore } from './seed-data.ts';

const named = z.object({ id: z.string(), name: z.string() });
const created = z.object({ id: z.string() });
const listedStore = z.object({ id: z.string(), externalShopId: z.string() });
const storeWithSecret = z.object({ id: z.string(), webhookSecret: z.string() });
const listedProduct = z.object({ id: z.string(), title: z.string() });
const newKey = z.object({ key: z.string() });
const newLink = z.object({ code: z.string() });

export interface Seeded {
  keys: { influencer: string; brand: string; finance: string };
  data: NonNullable<DemoKeys['data']>;
}

/**
 * Makes the demo brand with its stores, products, influencers and links, through the API, so that every rule applies. What is there
 * already is found again by its name: a seeding that was killed half-way is completed, and after the keys were lost only keys are new.
 *
 * @param connect  the API under another key
 * @returns undefined where the database holds brands, but not ours: it is in real use and gets nothing
 */
export async function seedDemo(admin: Api, connect: (key: string) => Api): Promise<Seeded | undefined> {
  const brands = await listAll(admin, '/v1/brands', named);
  const ours = brands.find(({ name }) => name === SEED_BRAND.name);
  if (ours === undefined && brands.length > 0) return undefined;
  const { id: brandId } = ours ?? (await admin.post('/v1/brands', SEED_BRAND, created));
  const makeKey = async (fields: object): Promise<string> =>
    (await admin.post('/v1/keys', { label: 'demo', ...fields }, newKey)).key;
  const brandKey = await makeKey({ role: 'brand', brandId });
  const { stores, productIds } = await seedStores(connect(brandKey));
  const influencerIds = await seedInfluencers(admin);
  const [influencerId = ''] = influencerIds;
  const influencerKey = await makeKey({ role: 'influencer', influencerId });
  const codes: string[] = [];
  for (const productId of productIds) {
    const { code } = await connect(influencerKey).post('/v1/links', { productId }, newLink);
    codes.push(code);
  }
  const financeKey = await makeKey({ role: 'finance' });
  return {
    keys: { influencer: influencerKey, brand: brandKey, finance: financeKey },
    data: { brandId, influencerId, linkCode: codes[0] ?? '', stores },
  };
}

async function seedStores(brand: Api): Promise<{ stores: Seeded['data']['stores']; productIds: string[] }> {
  const known = await listAll(brand, '/v1/stores', listedStore);
  const products = await listAll(brand, '/v1/products', listedProduct);
  const stores: Seeded['data']['stores'] = [];
  const productIds: string[] = [];
  for (const seed of SEED_STORES) {
    const found = known.find(({ externalShopId }) => externalShopId === seed.externalShopId);
    // A secret is shown once; of a store that is there already, a new one is asked for.
    const store =
      found === undefined
        ? await brand.post('/v1/stores', storeBody(seed), storeWithSecret)
        : await brand.post(`/v1/stores/${found.id}/webhook-secret`, {}, storeWithSecret);
    stores.push({ id: store.id, platform: seed.platform, webhookSecret: store.webhookSecret });
    for (const product of seed.products) {
      const kept = products.find(({ title }) => title === product.title);
      const { id } = kept ?? (await brand.post('/v1/products', { storeId: store.id, ...product }, created));
      productIds.push(id);
    }
  }
  return { stores, productIds };
}

function storeBody({ needsCredentials, products: _products, ...store }: SeedStore): object {
  if (!needsCredentials) return store;
  return { ...store, youzan: { clientId: 'demo-client-id', clientSecret: randomBytes(16).toString('hex') } };
}

async function seedInfluencers(admin: Api): Promise<string[]> {
  const payees = await listAll(admin, '/v1/payees?kind=agency', named);
  const agency =
    payees.find(({ name }) => name === SEED_AGENCY.name) ??
    (await admin.post('/v1/payees', { name: SEED_AGENCY.name }, named));
  const known = await listAll(admin, '/v1/influencers', named);
  const ids: string[] = [];
  for (const { name, douyinId, hasAgency } of SEED_INFLUENCERS) {
    const share = hasAgency ? { agency: { payeeId: agency.id, shareBp: SEED_AGENCY.shareBp } } : {};
    const kept = known.find((each) => each.name === name);
    const { id } = kept ?? (await admin.post('/v1/influencers', { name, douyinId, ...share }, created));
    ids.push(id);
  }
  return ids;
}
