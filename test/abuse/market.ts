/** Two brands and three influencers who deal with each other: whatever one of them owns, somebody else must not see. */
import { randomBytes } from 'node:crypto';
import { issueKey, type KeyFields, registerAgency } from '../../src/local/demo/market.ts';
import { sealEntries } from '../../src/ledger/seal/sealer.ts';
import { ADMIN_KEY, bearer } from '../http/test-server.ts';
import type { AbuseApp } from './abuse-app.ts';
import { sell, type SoldLine, type SoldOrder } from './sell.ts';
import {
  type BrandSide,
  type InfluencerSide,
  created,
  type LinkMade,
  makeBrandSide,
  makeInfluencer,
  makeLink,
  operatorOf,
} from './sides.ts';

const NAME_OF_B = '品牌乙丙丁';
/** What the picture of brand B's product is served under. */
export const PICTURE_SHA256 = 'a5'.repeat(32);

/** Who sends a request: a role's key (a finance key sees all brands or one), or somebody without any. */
export const CALLERS = ['admin', 'brand', 'influencer', 'finance', 'financeOfBrand', 'anyone'] as const;
export type Caller = (typeof CALLERS)[number];

/** One id of each kind. Requests are made from these names, so that one of them can be somebody else's. */
export const ID_NAMES = [
  'brand',
  'store',
  'spareStore',
  'product',
  'order',
  'line',
  'slot',
  'coupon',
  'code',
  'influencer',
  'payee',
  'agency',
  'key',
] as const;
export type IdName = (typeof ID_NAMES)[number];
export type Ids = Readonly<Record<IdName, string>>;

export interface Market {
  /** Everything that belongs to brand A and influencer 1. */
  own: Ids;
  /** The ids a caller must not know of; what it may know is left out. */
  foreign: Readonly<Record<Caller, Partial<Ids>>>;
  /** Texts that may stand in no answer to that caller. */
  secrets: Readonly<Record<Caller, readonly string[]>>;
  headers: Readonly<Record<Caller, Record<string, string>>>;
  /** API keys by caller, and those of brand B and influencer 2. */
  keys: Readonly<Record<Exclude<Caller, 'anyone'> | 'brandB' | 'influencer2', string>>;
  a: BrandSide;
  b: BrandSide;
  /** An instant at which every sale of the market was in the sealed journal. */
  sealedAt: string;
}

/** As an id of that kind looks that nobody has; another one at each call. */
export function unknownIds(): Ids {
  const id = (prefix: string): string => `${prefix}_${randomBytes(8).toString('hex')}`;
  return {
    brand: id('brd'),
    store: id('str'),
    spareStore: id('str'),
    product: id('prd'),
    order: id('ord'),
    line: id('lin'),
    slot: id('slt'),
    coupon: id('cpn'),
    code: `z9${[...randomBytes(5)].map((byte) => 'bcdfghjk'[byte % 8]).join('')}`,
    influencer: id('inf'),
    payee: id('pye'),
    agency: id('pye'),
    key: id('key'),
  };
}

/** What is traded: who may see which part of it follows from here. */
interface Trade {
  agency: string;
  one: InfluencerSide;
  two: InfluencerSide;
  three: InfluencerSide;
  a: BrandSide;
  b: BrandSide;
  links: Readonly<Record<'a1' | 'a2' | 'b1' | 'b2' | 'b3', LinkMade>>;
  couponOfTwo: string;
  /** Of brand A: its first line is influencer 1's, its second influencer 2's, its third nobody's. */
  mixed: SoldOrder;
  /** Of brand B, through influencer 2 and through influencer 3. */
  ofTwo: SoldOrder;
  ofThree: SoldOrder;
}

export async function makeMarket(abuse: AbuseApp): Promise<Market> {
  const trade = await makeTrade(abuse);
  const { a, b, mixed, links, one } = trade;
  await givePicture(abuse, b.product);
  const sealedAt = await seal(abuse.db);
  const { spareKey, keys } = await makeKeys(abuse, trade);
  const own: Ids = {
    ...pick(a, ['brand', 'store', 'spareStore', 'product', 'slot', 'coupon']),
    order: mixed.orderId,
    line: mixed.lineIds[0] ?? '',
    code: links.a1.code,
    influencer: one.influencer,
    payee: one.payee,
    agency: trade.agency,
    key: spareKey,
  };
  const headers = {
    anyone: {},
    ...mapValues(pick(keys, ['admin', 'brand', 'influencer', 'finance', 'financeOfBrand']), bearer),
  };
  return { own, ...viewsOf(trade), headers, keys, a, b, sealedAt };
}

/** Of a product of brand B, whose picture no request here changes, as a worker would have fetched it. */
async function givePicture({ db }: AbuseApp, productId: string): Promise<void> {
  await db.query(`update products set image_url = 'https://img.example.com/a.jpg' where id = $1`, [productId]);
  await db.query(
    `update product_pictures
     set sha256 = $2, bytes = 'RIFF', width = 1, height = 1, media_type = 'image/webp', fetched_at = now()
     where product_id = $1`,
    [productId, PICTURE_SHA256],
  );
}

async function makeTrade({ app, db }: AbuseApp): Promise<Trade> {
  const operator = operatorOf({ app });
  const agency = await registerAgency(operator, '机构一');
  const one = await makeInfluencer(operator, '达人甲', agency);
  const two = await makeInfluencer(operator, '达人乙丙丁');
  const three = await makeInfluencer(operator, '达人戊');
  const a = await makeBrandSide(operator, '品牌甲', one.influencer);
  const b = await makeBrandSide(operator, NAME_OF_B, two.influencer);
  const link = async (side: BrandSide, influencer: InfluencerSide): Promise<LinkMade> =>
    makeLink({ app, db }, side, influencer);
  const links = {
    a1: await link(a, one),
    a2: await link(a, two),
    b1: await link(b, one),
    b2: await link(b, two),
    b3: await link(b, three),
  };
  const couponOfTwo = `TWO${randomBytes(4).toString('hex')}`.toUpperCase();
  await operator.post('/v1/coupons', { storeId: a.store, code: couponOfTwo, influencerId: two.influencer }, created);
  // All of it has stood for a day: clicks of the last minutes come after it.
  await db.query("update status_changes set changed_at = changed_at - interval '1 day'");
  await db.query("update coupons set valid_from = valid_from - interval '1 day'");
  await db.query("update tracking_slots set valid_from = valid_from - interval '1 day'");
  const sold = async (side: BrandSide, lines: SoldLine[]): Promise<SoldOrder> => sell({ app, db }, { side, lines });
  // The first line has evidence for both: the click wins, the coupon loses.
  const mixed = await sold(a, [{ link: links.a1, couponCode: couponOfTwo }, { link: links.a2 }, {}]);
  await sold(a, [{}]);
  const ofTwo = await sold(b, [{ link: links.b2 }]);
  const ofThree = await sold(b, [{ link: links.b3 }]);
  await sold(b, [{ link: links.b1 }]);
  return { agency, one, two, three, a, b, links, couponOfTwo, mixed, ofTwo, ofThree };
}

async function makeKeys(
  { app }: AbuseApp,
  { a, b, one, two }: Trade,
): Promise<{ spareKey: string; keys: Market['keys'] }> {
  const operator = operatorOf({ app });
  const key = async (fields: Omit<KeyFields, 'label'>): Promise<{ id: string; key: string }> =>
    issueKey(operator, { label: '测试', ...fields });
  const spare = await key({ role: 'finance' });
  const made = {
    brand: await key({ role: 'brand', brandId: a.brand }),
    influencer: await key({ role: 'influencer', influencerId: one.influencer }),
    finance: await key({ role: 'finance' }),
    financeOfBrand: await key({ role: 'finance', brandId: a.brand }),
    brandB: await key({ role: 'brand', brandId: b.brand }),
    influencer2: await key({ role: 'influencer', influencerId: two.influencer }),
  };
  return { spareKey: spare.id, keys: { admin: ADMIN_KEY, ...mapValues(made, (each) => each.key) } };
}

/** What each caller must not see. */
function viewsOf({
  two,
  three,
  b,
  links,
  couponOfTwo,
  mixed,
  ofTwo,
  ofThree,
}: Trade): Pick<Market, 'foreign' | 'secrets'> {
  const ofBrandB = {
    ...pick(b, ['brand', 'store', 'spareStore', 'product', 'slot', 'coupon']),
    order: ofThree.orderId,
    line: ofThree.lineIds[0] ?? '',
    code: links.b3.code,
    payee: three.payee,
  };
  const ofInfluencer2 = {
    influencer: two.influencer,
    payee: two.payee,
    order: ofTwo.orderId,
    code: links.a2.code,
  };
  const wordsOfB = [
    ...Object.values(ofBrandB),
    ...Object.values(pick(b, ['kdtId', 'itemId', 'couponCode'])),
    ...[links.b1, links.b2, links.b3].flatMap(({ id, code }) => [id, code]),
    ...[ofTwo, ofThree].flatMap(({ orderId, lineIds, externalOrderId }) => [orderId, externalOrderId, ...lineIds]),
    NAME_OF_B,
  ];
  const wordsOfTwo = [
    ...Object.values(ofInfluencer2),
    ...[links.a2, links.b2].flatMap(({ id, code }) => [id, code]),
    ...ofTwo.lineIds,
    ...mixed.lineIds.slice(1),
    ...ofTwo.clickIds,
    ...mixed.clickIds.slice(1),
    couponOfTwo,
    two.name,
  ];
  const nothing = { admin: {}, finance: {}, anyone: {} };
  return {
    foreign: { ...nothing, brand: ofBrandB, financeOfBrand: ofBrandB, influencer: ofInfluencer2 },
    secrets: { admin: [], finance: [], anyone: [], brand: wordsOfB, financeOfBrand: wordsOfB, influencer: wordsOfTwo },
  };
}

/** Seals everything, and answers an instant by which it was sealed. */
async function seal(db: AbuseApp['db']): Promise<string> {
  const sealedThrough = async (): Promise<Date> => {
    await sealEntries(db);
    const { rows } = await db.query<{ at: Date }>('select s.sealed_through as "at" from sealer_state s');
    return rows[0]?.at ?? new Date(0);
  };
  // A Date has no microseconds: the next millisecond is after the seals, once the sealer is past it as well.
  const at = new Date((await sealedThrough()).getTime() + 1);
  while ((await sealedThrough()) <= at);
  return at.toISOString();
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}

function mapValues<K extends string, T, R>(from: Record<K, T>, change: (value: T) => R): Record<K, R> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, change(value as T)])) as Record<K, R>;
}
