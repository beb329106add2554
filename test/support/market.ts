/**
 * A market as rows of the real schema: brands with policies and terms, stores, products, influencers. `promotion.ts` adds links, clicks and
 * orders.
 *
 * Tests and benchmarks insert these rows here and nowhere else. A function with a plural name writes any number of rows with one statement
 * per 20,000 rows, so that 100,000 links take seconds; a function with a singular name writes one row. Every optional field has a default.
 */
import { newId } from '../../src/http/new-id.ts';
import type { Queryable } from '../../src/infra/db.ts';

/** Long before every click and order of a test. */
export const EPOCH = new Date('2020-01-01T00:00:00Z');

const ROWS_PER_STATEMENT = 20_000;

/** Runs a statement whose `$1` is a JSON array of objects; the keys of an object are the names of the columns. */
export async function insertRows<T extends object>(
  db: Queryable,
  statement: string,
  rows: readonly Record<string, unknown>[],
): Promise<T[]> {
  const returned: T[] = [];
  for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT) {
    const json = JSON.stringify(rows.slice(from, from + ROWS_PER_STATEMENT), bigintAsText);
    returned.push(...(await db.query<T>(statement, [json])).rows);
  }
  return returned;
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

// --- brands ---

const INSERT_BRANDS = `
insert into brands (id, name)
select given.id, given.name from jsonb_populate_recordset(null::brands, $1) as given`;

export interface BrandInput {
  brandId?: string;
  name?: string;
}

export async function insertBrands(db: Queryable, brands: readonly BrandInput[]): Promise<string[]> {
  const rows = brands.map(({ brandId = newId('brd'), name = '好物' }) => ({ id: brandId, name }));
  await insertRows(db, INSERT_BRANDS, rows);
  return rows.map(({ id }) => id);
}

export async function insertBrand(db: Queryable, brand: BrandInput = {}): Promise<string> {
  return first(await insertBrands(db, [brand]));
}

const INSERT_POLICIES = `
insert into brand_policies (id, brand_id, inferred, scope, platform_fee_bp, valid_from, valid_to, created_by)
select given.id, given.brand_id, given.inferred, given.scope, given.platform_fee_bp, given.valid_from, given.valid_to, 'test'
from jsonb_populate_recordset(null::brand_policies, $1) as given`;

export interface PolicyInput {
  brandId: string;
  policyId?: string;
  inferred?: 'pay' | 'review' | 'off';
  scope?: 'product' | 'store';
  platformFeeBp?: number;
  validFrom?: Date;
  validTo?: Date;
}

export async function insertPolicies(db: Queryable, policies: readonly PolicyInput[]): Promise<void> {
  const rows = policies.map(({ brandId, policyId = newId('pol'), inferred = 'off', scope = 'product', ...policy }) => ({
    id: policyId,
    brand_id: brandId,
    inferred,
    scope,
    platform_fee_bp: policy.platformFeeBp ?? 0,
    valid_from: policy.validFrom ?? EPOCH,
    valid_to: policy.validTo,
  }));
  await insertRows(db, INSERT_POLICIES, rows);
}

const INSERT_TERMS = `
insert into terms (id, brand_id, scope_key, store_id, product_id, influencer_id, basis, rate_bp, window_days, hold_days, valid_from,
  created_by)
select given.id, given.brand_id, given.scope_key, given.store_id, given.product_id, given.influencer_id, given.basis, given.rate_bp,
  given.window_days, given.hold_days, given.valid_from, 'test'
from jsonb_populate_recordset(null::terms, $1) as given`;

/** Terms of a brand, or of one of its stores; 15 %, a window of 15 days and a hold of 15 days. */
export interface TermsInput {
  brandId: string;
  termsId?: string;
  storeId?: string;
  /** As the program spells the scope; by default that of the store, or of the brand where there is no store. */
  scopeKey?: string;
  productId?: string;
  influencerId?: string;
  basis?: 'order_amount' | 'platform_commission';
  rateBp?: number;
  windowDays?: number;
  holdDays?: number;
  validFrom?: Date;
}

export async function insertTerms(db: Queryable, ...terms: readonly TermsInput[]): Promise<void> {
  const rows = terms.map(({ brandId, termsId = newId('trm'), storeId, ...each }) => ({
    id: termsId,
    brand_id: brandId,
    scope_key: each.scopeKey ?? (storeId === undefined ? 'brand' : `store:${storeId}`),
    store_id: storeId,
    product_id: each.productId,
    influencer_id: each.influencerId,
    basis: each.basis ?? 'order_amount',
    rate_bp: each.rateBp ?? 1_500,
    window_days: each.windowDays ?? 15,
    hold_days: each.holdDays ?? 15,
    valid_from: each.validFrom ?? EPOCH,
  }));
  await insertRows(db, INSERT_TERMS, rows);
}

/** A brand that can be charged: with a policy, and terms that hold for all its products. */
export async function insertBrandWithTerms(
  db: Queryable,
  policy: Omit<PolicyInput, 'brandId' | 'policyId'> = {},
): Promise<string> {
  const brandId = await insertBrand(db);
  await insertPolicies(db, [{ brandId, ...policy }]);
  await insertTerms(db, { brandId });
  return brandId;
}

// --- stores and products ---

const INSERT_STORES = `
insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
select given.id, given.brand_id, given.platform, given.external_shop_id, given.name, given.order_source, given.webhook_secret_sealed
from jsonb_populate_recordset(null::stores, $1) as given`;

export interface StoreInput {
  brandId: string;
  storeId?: string;
  name?: string;
  platform?: 'taobao' | 'tmall' | 'youzan';
  orderSource?: 'youzan' | 'shop' | 'tbk';
  /** Without it no webhook of the store can be verified. */
  webhookSecretSealed?: Buffer;
}

export async function insertStores(db: Queryable, stores: readonly StoreInput[]): Promise<string[]> {
  const rows = stores.map(({ brandId, storeId = newId('str'), name = '好物店', ...store }) => ({
    id: storeId,
    brand_id: brandId,
    platform: store.platform ?? 'taobao',
    external_shop_id: storeId,
    name,
    order_source: store.orderSource ?? 'shop',
    webhook_secret_sealed: String.raw`\x${(store.webhookSecretSealed ?? Buffer.alloc(1)).toString('hex')}`,
  }));
  await insertRows(db, INSERT_STORES, rows);
  return rows.map(({ id }) => id);
}

export async function insertStore(db: Queryable, store: StoreInput): Promise<string> {
  return first(await insertStores(db, [store]));
}

const INSERT_PRODUCTS = `
insert into products (id, brand_id, store_id, title, url, price_fen)
select given.id, given.brand_id, given.store_id, given.title, given.url, given.price_fen
from jsonb_populate_recordset(null::products, $1) as given`;
const INSERT_ITEM_KEYS = `
insert into product_item_keys (store_id, item_key, product_id, brand_id)
select given.store_id, given.item_key, given.product_id, given.brand_id
from jsonb_populate_recordset(null::product_item_keys, $1) as given`;

export interface ProductInput {
  brandId: string;
  storeId: string;
  productId?: string;
  title?: string;
  url?: string;
  priceFen?: bigint;
  /** How orders name the product; `item:` and its id by default. */
  itemKey?: string;
}

export async function insertProducts(db: Queryable, products: readonly ProductInput[]): Promise<string[]> {
  const rows = products.map(({ brandId, storeId, productId = newId('prd'), ...product }) => ({
    id: productId,
    brand_id: brandId,
    store_id: storeId,
    title: product.title ?? '杯子',
    url: product.url ?? 'https://item.taobao.com/item.htm?id=600000000001#detail',
    price_fen: product.priceFen ?? 19_900n,
    item_key: product.itemKey ?? `item:${productId}`,
  }));
  await insertRows(db, INSERT_PRODUCTS, rows);
  await insertRows(
    db,
    INSERT_ITEM_KEYS,
    rows.map(({ id, ...row }) => ({ ...row, product_id: id })),
  );
  return rows.map(({ id }) => id);
}

export async function insertProduct(db: Queryable, product: ProductInput): Promise<string> {
  return first(await insertProducts(db, [product]));
}

// --- influencers ---

const INSERT_PAYEES = `
insert into payees (id, kind, name)
select given.id, given.kind, given.name from jsonb_populate_recordset(null::payees, $1) as given`;
const INSERT_INFLUENCERS = `
insert into influencers (id, name, code, payee_id)
select given.id, given.name, given.code, given.payee_id from jsonb_populate_recordset(null::influencers, $1) as given`;
const INSERT_INFLUENCER_AGENCIES = `
insert into influencer_agencies (id, influencer_id, agency_payee_id, share_bp, valid_from, created_by)
select given.id, given.influencer_id, given.agency_payee_id, given.share_bp, given.valid_from, 'test'
from jsonb_populate_recordset(null::influencer_agencies, $1) as given`;

export interface InfluencerInput {
  influencerId?: string;
  payeeId?: string;
  name?: string;
  code?: string;
}

/** Influencers, each with a payee of its own. */
export async function insertInfluencers(db: Queryable, influencers: readonly InfluencerInput[]): Promise<string[]> {
  const rows = influencers.map(({ influencerId = newId('inf'), payeeId = newId('pye'), name = '小美', code }) => ({
    id: influencerId,
    name,
    // Unique and of no meaning: the part of the id behind the prefix.
    code: code ?? influencerId.slice(influencerId.indexOf('_') + 1),
    payee_id: payeeId,
  }));
  await insertRows(
    db,
    INSERT_PAYEES,
    rows.map(({ payee_id, name }) => ({ id: payee_id, kind: 'influencer', name })),
  );
  await insertRows(db, INSERT_INFLUENCERS, rows);
  return rows.map(({ id }) => id);
}

export async function insertInfluencer(db: Queryable, influencer: InfluencerInput = {}): Promise<string> {
  return first(await insertInfluencers(db, [influencer]));
}

/** An agency that takes a share, 20 % by default, of what the influencer earns. @returns the id of its payee */
export async function insertAgency(
  db: Queryable,
  {
    influencerId,
    payeeId = newId('pye'),
    shareBp = 2_000,
  }: { influencerId: string; payeeId?: string; shareBp?: number },
): Promise<string> {
  await insertRows(db, INSERT_PAYEES, [{ id: payeeId, kind: 'agency', name: 'MCN' }]);
  const share = { influencer_id: influencerId, agency_payee_id: payeeId, share_bp: shareBp, valid_from: EPOCH };
  await insertRows(db, INSERT_INFLUENCER_AGENCIES, [{ id: newId('trm'), ...share }]);
  return payeeId;
}

export function first<T>([value]: readonly T[]): T {
  if (value === undefined) throw new Error('no row was inserted');
  return value;
}
