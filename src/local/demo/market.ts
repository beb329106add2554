import { randomBytes, randomInt } from 'node:crypto';
import { z } from 'zod';
import type { Role } from '../../core/vocabulary.ts';
import type { YouzanCredentials } from '../../platforms/youzan/verify.ts';
import type { Api } from './api.ts';
import { AGENCY_SHARE_BP, type OfferedProduct, PLATFORM_FEE_BP, PRODUCTS, type ProductName } from './rules.ts';

/** One influencer's link to one product. */
export interface MarketLink {
  id: string;
  code: string;
  createdAt: Date;
}

export interface MarketProduct {
  id: string;
  /** How orders name the item: a number on Taobao, an alias on Youzan. */
  itemId: string;
}

/** The rows that one run of the demo creates. Each run uses its own, so earlier runs do not change its figures. */
export interface Market {
  /** Part of every name, so that names of different runs differ. */
  run: string;
  brandId: string;
  taobao: { storeId: string; webhookSecret: string };
  youzan: { storeId: string; kdtId: number; credentials: YouzanCredentials };
  products: Record<ProductName, MarketProduct>;
  /** Has links to the fryer and the tea. */
  mei: { influencerId: string; payeeId: string; fryer: MarketLink; tea: MarketLink };
  /** Has links to the kettle and the cup. */
  qiang: { influencerId: string; payeeId: string; agencyPayeeId: string; kettle: MarketLink; cup: MarketLink };
  /** The API under a key of this role. */
  brand: Api;
  finance: Api;
  /** The demo revokes these keys at the end. */
  keyIds: string[];
}

const created = z.object({ id: z.string() });
const createdStore = z.object({ id: z.string(), webhookSecret: z.string() });
const createdKey = z.object({ id: z.string(), key: z.string() });
const createdInfluencer = z.object({ id: z.string(), payeeId: z.string() });
const createdLink = z.object({ id: z.string(), code: z.string(), createdAt: z.iso.datetime() });

interface KeyMaker {
  admin: Api;
  connect: (key: string) => Api;
  keyIds: string[];
}

async function makeKey({ admin, connect, keyIds }: KeyMaker, fields: Omit<KeyFields, 'label'>): Promise<Api> {
  const { id, key } = await issueKey(admin, { label: 'daihuo demo', ...fields });
  keyIds.push(id);
  return connect(key);
}

/**
 * Registers a brand with two stores and four products, two influencers and their four links, each with a key of the role that does so in
 * practice.
 *
 * @param connect  returns the API under a key
 */
export async function openMarket(admin: Api, connect: (key: string) => Api): Promise<Market> {
  const run = randomBytes(3).toString('hex');
  const maker: KeyMaker = { admin, connect, keyIds: [] };
  const brandId = await openBrand(admin, { name: `云朵家居 ${run}`, platformFeeBp: PLATFORM_FEE_BP });
  const brand = await makeKey(maker, { role: 'brand', brandId });
  const finance = await makeKey(maker, { role: 'finance', brandId });
  const externalShopId = `demo-${run}`;
  const taobao = await openStore(brand, { platform: 'taobao', externalShopId, name: `云朵家居生活馆 ${run}` });
  const { kdtId, credentials } = newYouzanShop();
  const youzan = await openStore(brand, {
    platform: 'youzan',
    externalShopId: String(kdtId),
    name: `云朵茶铺 ${run}`,
    youzan: credentials,
  });
  const offer = async (name: ProductName): Promise<MarketProduct> => {
    const product = PRODUCTS[name];
    return offerProduct(brand, {
      ...product,
      storeId: product.platform === 'taobao' ? taobao.storeId : youzan.storeId,
    });
  };
  const products = {
    fryer: await offer('fryer'),
    kettle: await offer('kettle'),
    cup: await offer('cup'),
    tea: await offer('tea'),
  };
  const agencyPayeeId = await registerAgency(admin, `星光传媒 ${run}`);
  const mei = await registerInfluencer(admin, { name: `小美 ${run}` });
  const agency = { payeeId: agencyPayeeId, shareBp: AGENCY_SHARE_BP };
  const qiang = await registerInfluencer(admin, { name: `阿强 ${run}`, agency });
  const meiApi = await makeKey(maker, { role: 'influencer', influencerId: mei.influencerId });
  const qiangApi = await makeKey(maker, { role: 'influencer', influencerId: qiang.influencerId });
  return {
    run,
    brandId,
    taobao,
    youzan: { storeId: youzan.storeId, kdtId, credentials },
    products,
    mei: {
      ...mei,
      fryer: await takeLink(meiApi, { productId: products.fryer.id }),
      tea: await takeLink(meiApi, { productId: products.tea.id }),
    },
    qiang: {
      ...qiang,
      agencyPayeeId,
      kettle: await takeLink(qiangApi, { productId: products.kettle.id }),
      cup: await takeLink(qiangApi, { productId: products.cup.id }),
    },
    brand,
    finance,
    keyIds: maker.keyIds,
  };
}

export interface KeyFields {
  role: Role;
  label: string;
  brandId?: string;
  influencerId?: string;
}

export async function issueKey(admin: Api, fields: KeyFields): Promise<{ id: string; key: string }> {
  return admin.post('/v1/keys', fields, createdKey);
}

/** @returns the id of the brand */
export async function openBrand(admin: Api, fields: { name: string; platformFeeBp: number }): Promise<string> {
  return (await admin.post('/v1/brands', fields, created)).id;
}

export interface StoreFields {
  platform: 'taobao' | 'youzan';
  externalShopId: string;
  name: string;
  /** Required when the caller's key covers more than one brand. */
  brandId?: string;
  /** The credentials with which daihuo verifies pushes from Youzan. */
  youzan?: YouzanCredentials;
}

/** What the operator declares of each store; enough for the default rules of promotion. */
export const STORE_QUALITY = { rating: { score: 4.8, scale: 5 }, openedOn: '2021-03-18' };

/** Registers a store whose products may be promoted. */
export async function openStore(api: Api, fields: StoreFields): Promise<{ storeId: string; webhookSecret: string }> {
  const { id, webhookSecret } = await api.post('/v1/stores', { ...STORE_QUALITY, ...fields }, createdStore);
  return { storeId: id, webhookSecret };
}

/** A number and credentials of a Youzan shop; random, so that markets do not share a shop. */
export function newYouzanShop(): { kdtId: number; credentials: YouzanCredentials } {
  const credentials = { clientId: randomBytes(9).toString('hex'), clientSecret: randomBytes(16).toString('hex') };
  return { kdtId: randomInt(100_000_000, 1_000_000_000), credentials };
}

/** Registers a product with a random item number, so that markets do not share an item. */
export async function offerProduct(
  api: Api,
  { platform, ...fields }: OfferedProduct & { storeId: string },
): Promise<MarketProduct> {
  const isTaobao = platform === 'taobao';
  const itemId = isTaobao
    ? String(randomInt(600_000_000_000, 700_000_000_000))
    : `2demo${randomBytes(5).toString('hex')}`;
  const url = isTaobao ? `https://item.taobao.com/item.htm?id=${itemId}` : `https://h5.youzan.com/v2/goods/${itemId}`;
  const { id } = await api.post('/v1/products', { ...fields, url }, created);
  return { id, itemId };
}

/** @returns the id of the agency's payee */
export async function registerAgency(admin: Api, name: string): Promise<string> {
  return (await admin.post('/v1/payees', { name }, created)).id;
}

export async function registerInfluencer(
  admin: Api,
  fields: { name: string; agency?: { payeeId: string; shareBp: number } },
): Promise<{ influencerId: string; payeeId: string }> {
  const { id, payeeId } = await admin.post('/v1/influencers', fields, createdInfluencer);
  return { influencerId: id, payeeId };
}

/** @param fields.influencerId  required unless the caller's key belongs to the influencer */
export async function takeLink(api: Api, fields: { productId: string; influencerId?: string }): Promise<MarketLink> {
  const { id, code, createdAt } = await api.post('/v1/links', fields, createdLink);
  return { id, code, createdAt: new Date(createdAt) };
}
