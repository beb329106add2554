/** The brands and influencers of the market, made through the API as an operator would. */
import { randomBytes } from 'node:crypto';
import { productInput, storeInput } from '../catalog/catalog-server.ts';
import { ADMIN_KEY, bearer } from '../http/test-server.ts';
import type { AbuseApp } from './abuse-app.ts';

export interface BrandSide {
  brand: string;
  store: string;
  secret: string;
  /** A Youzan store without orders, to be changed. */
  spareStore: string;
  kdtId: string;
  youzan: { clientId: string; clientSecret: string };
  product: string;
  itemId: string;
  slot: string;
  coupon: string;
  couponCode: string;
}

export interface InfluencerSide {
  influencer: string;
  payee: string;
  name: string;
}

export interface LinkMade {
  id: string;
  code: string;
  number: number;
}

export interface Made {
  id: string;
}
export type Post = <Answer>(url: string, body: object) => Promise<Answer>;

/** Posts with the operator's key. */
export function postAsAdmin(app: AbuseApp['app']): Post {
  return async <Answer>(url: string, body: object) => {
    const answer = await app.inject({ method: 'POST', url, headers: bearer(ADMIN_KEY), payload: body });
    if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.payload}`);
    return JSON.parse(answer.payload) as Answer;
  };
}

export async function makeLink(
  { app, db }: Pick<AbuseApp, 'app' | 'db'>,
  side: BrandSide,
  { influencer }: InfluencerSide,
): Promise<LinkMade> {
  const body = { productId: side.product, influencerId: influencer };
  const made = await postAsAdmin(app)<Omit<LinkMade, 'number'>>('/v1/links', body);
  const { rows } = await db.query<{ number: bigint }>('select l.number from links l where l.id = $1', [made.id]);
  return { ...made, number: Number(rows[0]?.number) };
}

export async function makeInfluencer(post: Post, name: string, agency?: string): Promise<InfluencerSide> {
  const body = { name, ...(agency === undefined ? {} : { agency: { payeeId: agency, shareBp: 2000 } }) };
  const { id, payeeId } = await post<Made & { payeeId: string }>('/v1/influencers', body);
  return { influencer: id, payee: payeeId, name };
}

export async function makeBrandSide(post: Post, name: string, influencerId: string): Promise<BrandSide> {
  const suffix = randomBytes(4).toString('hex');
  const { id: brandId } = await post<Made>('/v1/brands', { name, platformFeeBp: 500 });
  const store = await post<Made & { webhookSecret: string }>('/v1/stores', { brandId, ...storeInput() });
  const kdtId = String(50_000_000 + Number.parseInt(suffix, 16));
  const youzan = { clientId: `client-${suffix}`, clientSecret: `secret-${suffix}` };
  const youzanStore = async (externalShopId: string): Promise<Made> =>
    post<Made>('/v1/stores', { brandId, ...storeInput({ platform: 'youzan', externalShopId, youzan }) });
  await youzanStore(kdtId);
  const spareStore = await youzanStore(`${kdtId}0`);
  const itemId = String(600_000_000_000 + Number.parseInt(suffix, 16));
  const url = `https://item.taobao.com/item.htm?id=${itemId}`;
  const product = await post<Made>('/v1/products', productInput(store.id, { url, title: `${name}的壶` }));
  const lease = { storeId: store.id, influencerId };
  const slot = await post<Made>('/v1/tracking-slots', { ...lease, kind: 'relation', externalId: `rel${suffix}` });
  const couponCode = `CODE${suffix}`.toUpperCase();
  const coupon = await post<Made>('/v1/coupons', { ...lease, code: couponCode });
  await post('/v1/terms', { scope: { storeId: store.id, influencerId }, rateBp: 2000, windowDays: 30 });
  return {
    brand: brandId,
    store: store.id,
    secret: store.webhookSecret,
    spareStore: spareStore.id,
    kdtId,
    youzan,
    product: product.id,
    itemId,
    slot: slot.id,
    coupon: coupon.id,
    couponCode,
  };
}
