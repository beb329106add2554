import { randomBytes, randomInt } from 'node:crypto';
import { z } from 'zod';
import type { YouzanCredentials } from '../../platforms/youzan/verify.ts';
import type { Api } from './api.ts';
import { AGENCY_SHARE_BP, PLATFORM_FEE_BP, PRODUCTS, type ProductName } from './rules.ts';

/** One influencer's link to one product. */
export interface DemoLink {
  id: string;
  code: string;
  createdAt: Date;
}

export interface DemoProduct {
  id: string;
  /** How orders name the item: a number on Taobao, an alias on Youzan. */
  itemId: string;
}

/** What one run of the demo makes for itself: nothing of an earlier run can disturb its figures. */
export interface Market {
  /** Tells this run from others in every name. */
  run: string;
  brandId: string;
  taobao: { storeId: string; webhookSecret: string };
  youzan: { storeId: string; kdtId: number; credentials: YouzanCredentials };
  products: Record<ProductName, DemoProduct>;
  /** Her links: fryer and tea. */
  mei: { influencerId: string; payeeId: string; fryer: DemoLink; tea: DemoLink };
  /** His links: kettle and cup. */
  qiang: { influencerId: string; payeeId: string; agencyPayeeId: string; kettle: DemoLink; cup: DemoLink };
  /** What each role can see and do; `connect` makes an API of a key. */
  brand: Api;
  finance: Api;
  /** To be revoked at the end. */
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

async function makeKey({ admin, connect, keyIds }: KeyMaker, fields: object): Promise<Api> {
  const { id, key } = await admin.post('/v1/keys', { label: 'daihuo demo', ...fields }, createdKey);
  keyIds.push(id);
  return connect(key);
}

/** Registers a brand with two stores and four products, two influencers, and the four links they take, each with its own role's key. */
export async function openMarket(admin: Api, connect: (key: string) => Api): Promise<Market> {
  const run = randomBytes(3).toString('hex');
  const maker: KeyMaker = { admin, connect, keyIds: [] };
  const name = `云朵家居 ${run}`;
  const { id: brandId } = await admin.post('/v1/brands', { name, platformFeeBp: PLATFORM_FEE_BP }, created);
  const brand = await makeKey(maker, { role: 'brand', brandId });
  const finance = await makeKey(maker, { role: 'finance', brandId });
  const stores = await openStores(brand, run);
  const products = await offerProducts(brand, stores);
  const agency = await admin.post('/v1/payees', { name: `星光传媒 ${run}` }, created);
  const mei = await admin.post('/v1/influencers', { name: `小美 ${run}` }, createdInfluencer);
  const qiang = await admin.post(
    '/v1/influencers',
    { name: `阿强 ${run}`, agency: { payeeId: agency.id, shareBp: AGENCY_SHARE_BP } },
    createdInfluencer,
  );
  const meiApi = await makeKey(maker, { role: 'influencer', influencerId: mei.id });
  const qiangApi = await makeKey(maker, { role: 'influencer', influencerId: qiang.id });
  return {
    run,
    brandId,
    ...stores,
    products,
    mei: {
      influencerId: mei.id,
      payeeId: mei.payeeId,
      fryer: await takeLink(meiApi, products.fryer),
      tea: await takeLink(meiApi, products.tea),
    },
    qiang: {
      influencerId: qiang.id,
      payeeId: qiang.payeeId,
      agencyPayeeId: agency.id,
      kettle: await takeLink(qiangApi, products.kettle),
      cup: await takeLink(qiangApi, products.cup),
    },
    brand,
    finance,
    keyIds: maker.keyIds,
  };
}

type Stores = Pick<Market, 'taobao' | 'youzan'>;

async function openStores(brand: Api, run: string): Promise<Stores> {
  const quality = { rating: { score: 4.8, scale: 5 }, openedOn: '2021-03-18' };
  const taobao = await brand.post(
    '/v1/stores',
    { platform: 'taobao', externalShopId: `demo-${run}`, name: `云朵家居生活馆 ${run}`, ...quality },
    createdStore,
  );
  const kdtId = randomInt(100_000_000, 1_000_000_000);
  const credentials = {
    clientId: randomBytes(9).toString('hex'),
    clientSecret: randomBytes(16).toString('hex'),
  };
  const youzan = await brand.post(
    '/v1/stores',
    { platform: 'youzan', externalShopId: String(kdtId), name: `云朵茶铺 ${run}`, ...quality, youzan: credentials },
    createdStore,
  );
  return {
    taobao: { storeId: taobao.id, webhookSecret: taobao.webhookSecret },
    youzan: { storeId: youzan.id, kdtId, credentials },
  };
}

async function offerProducts(brand: Api, { taobao, youzan }: Stores): Promise<Market['products']> {
  const offer = async (name: ProductName): Promise<DemoProduct> => {
    const { platform, title, priceFen, commission, holdDays } = PRODUCTS[name];
    const isTaobao = platform === 'taobao';
    const itemId = isTaobao
      ? String(randomInt(600_000_000_000, 700_000_000_000))
      : `2demo${randomBytes(5).toString('hex')}`;
    const url = isTaobao ? `https://item.taobao.com/item.htm?id=${itemId}` : `https://h5.youzan.com/v2/goods/${itemId}`;
    const storeId = isTaobao ? taobao.storeId : youzan.storeId;
    const hold = holdDays === undefined ? {} : { holdDays };
    const body = { storeId, title, url, priceFen, commission, ...hold };
    const { id } = await brand.post('/v1/products', body, created);
    return { id, itemId };
  };
  return {
    fryer: await offer('fryer'),
    kettle: await offer('kettle'),
    cup: await offer('cup'),
    tea: await offer('tea'),
  };
}

async function takeLink(influencer: Api, product: DemoProduct): Promise<DemoLink> {
  const { id, code, createdAt } = await influencer.post('/v1/links', { productId: product.id }, createdLink);
  return { id, code, createdAt: new Date(createdAt) };
}
