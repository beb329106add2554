import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writePrivateFile } from '../placement.ts';
import { type Api, listAll } from './api.ts';
import { SEED_AGENCY, SEED_BRAND, SEED_INFLUENCERS, SEED_STORES, type SeedStore } from './seed-data.ts';

const demoKeysShape = z.object({
  /** Last address of the server of this home, without a trailing slash. */
  address: z.string().optional(),
  keys: z.object({
    admin: z.string(),
    influencer: z.string().optional(),
    brand: z.string().optional(),
    finance: z.string().optional(),
  }),
  /** Missing until the demo data are complete. */
  data: z
    .object({
      brandId: z.string(),
      influencerId: z.string(),
      linkCode: z.string(),
      stores: z.array(z.object({ id: z.string(), platform: z.string(), webhookSecret: z.string() })),
    })
    .optional(),
});

/** Keys and ids of the demo data in the private database. `start` keeps them for its user and for `daihuo demo`. */
export type DemoKeys = z.infer<typeof demoKeysShape>;

function fileIn(home: string): string {
  return path.join(home, 'demo-keys.json');
}

/** @returns undefined where the file is missing or unreadable; `start` then makes new keys */
export async function readDemoKeys(home: string): Promise<DemoKeys | undefined> {
  try {
    const parsed = demoKeysShape.safeParse(JSON.parse(await readFile(fileIn(home), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the file so that only its owner can read it; readers see the old or the new content, never a part. */
export async function writeDemoKeys(home: string, keys: DemoKeys): Promise<void> {
  await writePrivateFile(fileIn(home), `${JSON.stringify(keys, undefined, 2)}\n`);
}

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
 * Creates the demo brand with its stores, products, influencers and links through the API, so that every rule applies.
 *
 * Finds existing rows by name. So a second run completes a seeding that was killed, and when only the keys were lost it makes only new keys.
 *
 * @param connect  returns the API under another key
 * @returns undefined where the database holds brands but not the demo brand: it is in real use, and nothing is added
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
    // The API shows a secret once, so an existing store gets a new one.
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
