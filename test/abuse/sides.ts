/** The brands and influencers of the market, made through the API as an operator would. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Api, createApi, sendInto } from '../../src/local/demo/api.ts';
import {
  newYouzanShop,
  offerProduct,
  openBrand,
  openStore,
  registerInfluencer,
  takeLink,
} from '../../src/local/demo/market.ts';
import { ADMIN_KEY } from '../http/test-server.ts';
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

export const created = z.object({ id: z.string() });

/** The application under the operator's key. */
export function operatorOf({ app }: Pick<AbuseApp, 'app'>): Api {
  return createApi(sendInto(app), ADMIN_KEY);
}

export async function makeLink(
  abuse: Pick<AbuseApp, 'app' | 'db'>,
  side: BrandSide,
  { influencer }: InfluencerSide,
): Promise<LinkMade> {
  const { id, code } = await takeLink(operatorOf(abuse), { productId: side.product, influencerId: influencer });
  const { rows } = await abuse.db.query<{ number: bigint }>('select l.number from links l where l.id = $1', [id]);
  return { id, code, number: Number(rows[0]?.number) };
}

export async function makeInfluencer(operator: Api, name: string, agency?: string): Promise<InfluencerSide> {
  const share = agency === undefined ? {} : { agency: { payeeId: agency, shareBp: 2_000 } };
  const { influencerId, payeeId } = await registerInfluencer(operator, { name, ...share });
  return { influencer: influencerId, payee: payeeId, name };
}

export async function makeBrandSide(operator: Api, name: string, influencerId: string): Promise<BrandSide> {
  const suffix = randomBytes(4).toString('hex');
  const brandId = await openBrand(operator, { name, platformFeeBp: 500 });
  const { storeId, webhookSecret } = await openStore(operator, {
    brandId,
    platform: 'taobao',
    externalShopId: `shop-${suffix}`,
    name: '测试店铺',
  });
  const { kdtId, credentials } = newYouzanShop();
  const youzanStore = async (externalShopId: string): Promise<string> => {
    const fields = { brandId, platform: 'youzan', externalShopId, name: '测试店铺', youzan: credentials } as const;
    return (await openStore(operator, fields)).storeId;
  };
  await youzanStore(String(kdtId));
  const spareStore = await youzanStore(`${kdtId}0`);
  const title = `${name}的壶`;
  const commission = { rateBp: 1_500 };
  const product = await offerProduct(operator, { storeId, platform: 'taobao', title, priceFen: 19_900, commission });
  const lease = { storeId, influencerId };
  const relation = { ...lease, kind: 'relation', externalId: `rel${suffix}` };
  const slot = await operator.post('/v1/tracking-slots', relation, created);
  const couponCode = `CODE${suffix}`.toUpperCase();
  const coupon = await operator.post('/v1/coupons', { ...lease, code: couponCode }, created);
  await operator.post('/v1/terms', { scope: { storeId, influencerId }, rateBp: 2_000, windowDays: 30 }, z.unknown());
  return {
    brand: brandId,
    store: storeId,
    secret: webhookSecret,
    spareStore,
    kdtId: String(kdtId),
    youzan: credentials,
    product: product.id,
    itemId: product.itemId,
    slot: slot.id,
    coupon: coupon.id,
    couponCode,
  };
}
