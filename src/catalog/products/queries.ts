import assert from 'node:assert/strict';
import type { DestinationFailure } from '../../core/catalog/destination-health.ts';
import type { Queryable, Tx } from '../../infra/db.ts';
import type { Platform } from '../../platforms/platform.ts';

export type ProductStatus = 'active' | 'paused' | 'off_sale';

export interface ProductRow {
  id: string;
  brandId: string;
  storeId: string;
  platform: Platform;
  title: string;
  url: string;
  priceFen: bigint;
  externalItemId: string | null;
  affiliateItemId: string | null;
  imageUrl: string | null;
  taoCode: string | null;
  /** When the price was last given. */
  priceTakenAt: Date;
  alternateProductId: string | null;
  status: ProductStatus;
  createdAt: Date;
  /** Every name by which an order line may call it. */
  itemKeys: string[];
  /** The product's own terms in force now: exactly one of rate and flat, or both null where there are none. */
  rateBp: number | null;
  flatFen: bigint | null;
  windowDays: number | null;
  holdDays: number | null;
  /** Both null unless the destination was found broken. */
  brokenSince: Date | null;
  failure: DestinationFailure | null;
}

export interface NewProduct {
  id: string;
  brandId: string;
  storeId: string;
  title: string;
  url: string;
  priceFen: bigint;
  externalItemId: string | null;
  affiliateItemId: string | null;
  imageUrl: string | null;
  taoCode: string | null;
  alternateProductId: string | null;
  status: ProductStatus;
}

// The store and the brand must exist (foreign keys).
const INSERT_PRODUCT = `
insert into products (id, brand_id, store_id, title, url, price_fen, external_item_id, affiliate_item_id, image_url, status, tao_code,
  alternate_product_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`;

export async function insertProduct(tx: Tx, product: NewProduct): Promise<void> {
  const { id, brandId, storeId, title, url, priceFen, externalItemId, affiliateItemId, imageUrl, status } = product;
  const facts = [title, url, priceFen, externalItemId, affiliateItemId, imageUrl, status, product.taoCode];
  const values = [id, brandId, storeId, ...facts, product.alternateProductId];
  await tx.query({ name: 'insert_product', text: INSERT_PRODUCT, values });
}

// Keys that the product has already stay. Inserts in key order, so that two products that add each other's keys cannot deadlock.
// product_item_keys_pkey (brand, store, key) is the referee; LIST_OWNERS_OF_KEYS reads the owners afterwards.
const INSERT_ITEM_KEYS = `
insert into product_item_keys (store_id, item_key, product_id, brand_id)
select $1, k.item_key, $2, $3 from unnest($4::text[]) as k (item_key) order by k.item_key
on conflict on constraint product_item_keys_pkey do nothing`;

// In key order. Served by product_item_keys_pkey.
const LIST_OWNERS_OF_KEYS = `
select pik.item_key as "itemKey", pik.product_id as "productId"
from product_item_keys pik
where pik.brand_id = $1 and pik.store_id = $2 and pik.item_key = any ($3::text[])
order by pik.item_key`;

export interface ItemKeyClash {
  itemKey: string;
  productId: string;
}

/** Adds names of a product. @returns the first name that another product of the store has; undefined when all belong to this product now */
export async function insertItemKeys(
  tx: Tx,
  product: { storeId: string; id: string; brandId: string; itemKeys: readonly string[] },
): Promise<ItemKeyClash | undefined> {
  const { storeId, id, brandId, itemKeys } = product;
  if (itemKeys.length === 0) return undefined;
  await tx.query({ name: 'insert_item_keys', text: INSERT_ITEM_KEYS, values: [storeId, id, brandId, itemKeys] });
  const { rows } = await tx.query<ItemKeyClash>({
    name: 'list_owners_of_keys',
    text: LIST_OWNERS_OF_KEYS,
    values: [brandId, storeId, itemKeys],
  });
  return rows.find((row) => row.productId !== id);
}

// $2 is the brand that the caller is confined to, null for none. Served by products_id_idx.
const LOCK_PRODUCT = `
select p.id from products p where p.id = $1 and ($2::text is null or p.brand_id = $2) for update`;

/** Locks a product's row until the end of the transaction; false when there is none, or it is not the caller's. */
export async function lockProduct(tx: Tx, product: { productId: string; scope: string | undefined }): Promise<boolean> {
  const values = [product.productId, product.scope ?? null];
  const { rows } = await tx.query({ name: 'lock_product', text: LOCK_PRODUCT, values });
  return rows.length === 1;
}

// Callers read it after they got the lock, so that versions of terms follow each other as the changes did. Whole milliseconds, as in a Date.
const READ_CLOCK = `
select date_trunc('milliseconds', clock_timestamp()) as "now"`;

/** Postgres' clock now, not at the start of the transaction. */
export async function readClock(tx: Tx): Promise<Date> {
  const { rows } = await tx.query<{ now: Date }>({ name: 'read_clock', text: READ_CLOCK });
  const [row] = rows;
  assert(row !== undefined, 'a select without a table has one row');
  return row.now;
}

// $10: a price was given, also when it is the same, so its time moves. Served by products_id_idx.
const UPDATE_PRODUCT = `
update products
set title = $2, url = $3, price_fen = $4, external_item_id = $5, affiliate_item_id = $6, image_url = $7, status = $8, tao_code = $9,
  price_taken_at = case when $10 then now() else products.price_taken_at end, alternate_product_id = $11
where products.id = $1`;

export async function updateProduct(
  tx: Tx,
  product: Omit<NewProduct, 'brandId' | 'storeId'> & { isPriceTaken: boolean },
): Promise<void> {
  const { id, title, url, priceFen, externalItemId, affiliateItemId, imageUrl, status, taoCode, isPriceTaken } =
    product;
  const facts = [title, url, priceFen, externalItemId, affiliateItemId, imageUrl, status, taoCode];
  const values = [id, ...facts, isPriceTaken, product.alternateProductId];
  await tx.query({ name: 'update_product', text: UPDATE_PRODUCT, values });
}

// Versions of one scope never overlap, so at most one is in force. clock_timestamp, because a transaction also reads the version that it has just
// written. $2 is the brand that the caller is confined to. Served by products_id_idx, product_item_keys_product_idx and terms_product_idx.
const FIND_PRODUCT = `
select p.id, p.brand_id as "brandId", p.store_id as "storeId", s.platform, p.title, p.url, p.price_fen as "priceFen",
  p.external_item_id as "externalItemId", p.affiliate_item_id as "affiliateItemId", p.image_url as "imageUrl", p.status,
  p.tao_code as "taoCode", p.price_taken_at as "priceTakenAt", p.alternate_product_id as "alternateProductId", p.created_at as "createdAt",
  k.item_keys as "itemKeys", t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays", t.hold_days as "holdDays",
  dc.broken_since as "brokenSince", dc.failure
from products p
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
left join destination_checks dc on dc.brand_id = p.brand_id and dc.product_id = p.id
cross join lateral (
  select coalesce(array_agg(pik.item_key order by pik.item_key), '{}') as item_keys
  from product_item_keys pik where pik.brand_id = p.brand_id and pik.product_id = p.id
) k
left join terms t on t.product_id = p.id and t.influencer_id is null
  and t.valid_from <= clock_timestamp() and (t.valid_to is null or t.valid_to > clock_timestamp())
where p.id = $1 and ($2::text is null or p.brand_id = $2)`;

/** A product with its names and its own terms; undefined when there is none, or it is not the caller's. */
export async function findProduct(
  db: Queryable,
  { productId, scope }: { productId: string; scope: string | undefined },
): Promise<ProductRow | undefined> {
  const values = [productId, scope ?? null];
  const { rows } = await db.query<ProductRow>({ name: 'find_product', text: FIND_PRODUCT, values });
  return rows[0];
}

// In order of id, after $6. A text is searched literally, without pattern characters. Served by products_pkey or products_store_idx
// (products_id_idx for an admin's whole list), product_item_keys_product_idx and terms_product_idx.
const LIST_PRODUCTS = `
select p.id, p.brand_id as "brandId", p.store_id as "storeId", s.platform, p.title, p.url, p.price_fen as "priceFen",
  p.external_item_id as "externalItemId", p.affiliate_item_id as "affiliateItemId", p.image_url as "imageUrl", p.status,
  p.tao_code as "taoCode", p.price_taken_at as "priceTakenAt", p.alternate_product_id as "alternateProductId", p.created_at as "createdAt",
  k.item_keys as "itemKeys", t.rate_bp as "rateBp", t.flat_fen as "flatFen", t.window_days as "windowDays", t.hold_days as "holdDays",
  dc.broken_since as "brokenSince", dc.failure
from products p
join stores s on s.brand_id = p.brand_id and s.id = p.store_id
left join destination_checks dc on dc.brand_id = p.brand_id and dc.product_id = p.id
cross join lateral (
  select coalesce(array_agg(pik.item_key order by pik.item_key), '{}') as item_keys
  from product_item_keys pik where pik.brand_id = p.brand_id and pik.product_id = p.id
) k
left join terms t on t.product_id = p.id and t.influencer_id is null
  and t.valid_from <= clock_timestamp() and (t.valid_to is null or t.valid_to > clock_timestamp())
where ($1::text is null or p.brand_id = $1)
  and ($2::text is null or p.store_id = $2)
  and ($3::text is null or s.platform = $3)
  and ($4::text is null or p.status = $4)
  and ($5::text is null or position(lower($5) in lower(p.title)) > 0)
  and ($6::text is null or p.id > $6)
order by p.id
limit $7`;

export interface ProductFilter {
  storeId: string | undefined;
  platform: Platform | undefined;
  q: string | undefined;
}

export async function listProducts(
  db: Queryable,
  page: ProductFilter & {
    brandId: string | undefined;
    status: ProductStatus | undefined;
    afterId: string | undefined;
    limit: number;
  },
): Promise<ProductRow[]> {
  const { brandId, storeId, platform, status, q, afterId, limit } = page;
  const values = [
    brandId ?? null,
    storeId ?? null,
    platform ?? null,
    status ?? null,
    q ?? null,
    afterId ?? null,
    limit,
  ];
  const { rows } = await db.query<ProductRow>({ text: LIST_PRODUCTS, values });
  return rows;
}
