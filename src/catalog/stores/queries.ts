import type { Queryable, Tx } from '../../infra/db.ts';
import type { Platform } from '../../platforms/platform.ts';

export type OrderSource = 'youzan' | 'shop' | 'tbk';
export type StoreStatus = 'active' | 'closed';
/** The source of a rating or an opening day: declared by the brand, given by the operator, or read from the marketplace. */
export type AssessmentSource = 'declared' | 'admin' | 'platform';

export interface StoreRow {
  id: string;
  brandId: string;
  platform: Platform;
  externalShopId: string;
  name: string;
  orderSource: OrderSource;
  status: StoreStatus;
  youzanClientId: string | null;
  createdAt: Date;
  /** Exact decimal texts; null where nothing is recorded. */
  score: string | null;
  scale: string | null;
  ratingSource: AssessmentSource | null;
  ratedAt: Date | null;
  openedOn: string | null;
  openedOnSource: AssessmentSource | null;
}

export interface NewStore {
  id: string;
  brandId: string;
  platform: Platform;
  externalShopId: string;
  name: string;
  orderSource: OrderSource;
  webhookSecretSealed: Buffer;
  youzanClientId: string | null;
  youzanClientSecretSealed: Buffer | null;
}

// Inserts nothing where an active store of any brand has this shop id. stores_active_shop_key is the referee and serves it.
const INSERT_STORE = `
insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed, youzan_client_id,
  youzan_client_secret_sealed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (platform, external_shop_id) where status = 'active' do nothing
returning stores.id`;

/** @returns false when an active store has this shop id: nothing was written */
export async function insertStore(tx: Tx, store: NewStore): Promise<boolean> {
  const { rows } = await tx.query({
    name: 'insert_store',
    text: INSERT_STORE,
    values: [
      store.id,
      store.brandId,
      store.platform,
      store.externalShopId,
      store.name,
      store.orderSource,
      store.webhookSecretSealed,
      store.youzanClientId,
      store.youzanClientSecretSealed,
    ],
  });
  return rows.length === 1;
}

// Rows are only added: the newest row of a kind counts, the others are the history.
const INSERT_RATING = `
insert into store_assessments (store_id, brand_id, kind, score, scale, source, recorded_by)
values ($1, $2, 'rating', $3::numeric, $4::numeric, $5, $6)`;

// As INSERT_RATING.
const INSERT_OPENED_ON = `
insert into store_assessments (store_id, brand_id, kind, opened_on, source, recorded_by)
values ($1, $2, 'opened_on', $3::date, $4, $5)`;

interface Assessment {
  storeId: string;
  brandId: string;
  source: AssessmentSource;
  recordedBy: string;
}

/** @param rating decimal texts, score ≤ scale, scale > 0 */
export async function insertRating(tx: Tx, rating: Assessment & { score: string; scale: string }): Promise<void> {
  const values = [rating.storeId, rating.brandId, rating.score, rating.scale, rating.source, rating.recordedBy];
  await tx.query({ name: 'insert_rating', text: INSERT_RATING, values });
}

export async function insertOpenedOn(tx: Tx, opening: Assessment & { openedOn: string }): Promise<void> {
  const values = [opening.storeId, opening.brandId, opening.openedOn, opening.source, opening.recordedBy];
  await tx.query({ name: 'insert_opened_on', text: INSERT_OPENED_ON, values });
}

// $2 is the brand that the caller is confined to, null for none. Served by stores_id_idx.
const LOCK_STORE = `
select s.id from stores s where s.id = $1 and ($2::text is null or s.brand_id = $2) for update`;

/** Locks a store's row until the end of the transaction, so that its values cannot change under a decision; false when there is none. */
export async function lockStore(tx: Tx, store: { storeId: string; scope: string | undefined }): Promise<boolean> {
  const { rows } = await tx.query({
    name: 'lock_store',
    text: LOCK_STORE,
    values: [store.storeId, store.scope ?? null],
  });
  return rows.length === 1;
}

// Null keeps the stored value. Served by stores_id_idx; stores_active_shop_key may refuse that a store is opened again.
const UPDATE_STORE = `
update stores
set name = coalesce($2, stores.name),
  status = coalesce($3, stores.status),
  youzan_client_id = coalesce($4, stores.youzan_client_id),
  youzan_client_secret_sealed = coalesce($5, stores.youzan_client_secret_sealed),
  webhook_secret_sealed = coalesce($6, stores.webhook_secret_sealed)
where stores.id = $1`;

export interface StoreChange {
  name?: string | undefined;
  status?: StoreStatus | undefined;
  youzanClientId?: string | undefined;
  youzanClientSecretSealed?: Buffer | undefined;
  webhookSecretSealed?: Buffer | undefined;
}

/** @throws DatabaseError of stores_active_shop_key when another active store took the shop id meanwhile */
export async function updateStore(tx: Tx, storeId: string, change: StoreChange): Promise<void> {
  const values = [
    storeId,
    change.name ?? null,
    change.status ?? null,
    change.youzanClientId ?? null,
    change.youzanClientSecretSealed ?? null,
    change.webhookSecretSealed ?? null,
  ];
  await tx.query({ name: 'update_store', text: UPDATE_STORE, values });
}

// The newest assessment of each kind counts. $2 is the brand that the caller is confined to, null for none. Served by stores_id_idx and
// store_assessments_newest_idx.
const FIND_STORE = `
select s.id, s.brand_id as "brandId", s.platform, s.external_shop_id as "externalShopId", s.name, s.order_source as "orderSource",
  s.status, s.youzan_client_id as "youzanClientId", s.created_at as "createdAt",
  trim_scale(r.score) as score, trim_scale(r.scale) as scale, r.source as "ratingSource", r.recorded_at as "ratedAt",
  o.opened_on as "openedOn", o.source as "openedOnSource"
from stores s
left join lateral (
  select a.score, a.scale, a.source, a.recorded_at from store_assessments a
  where a.store_id = s.id and a.kind = 'rating' order by a.recorded_at desc, a.id desc limit 1
) r on true
left join lateral (
  select a.opened_on, a.source from store_assessments a
  where a.store_id = s.id and a.kind = 'opened_on' order by a.recorded_at desc, a.id desc limit 1
) o on true
where s.id = $1 and ($2::text is null or s.brand_id = $2)`;

/** A store with its newest rating and opening day; undefined when there is none, or it is not the caller's. */
export async function findStore(
  db: Queryable,
  { storeId, scope }: { storeId: string; scope: string | undefined },
): Promise<StoreRow | undefined> {
  const { rows } = await db.query<StoreRow>({ name: 'find_store', text: FIND_STORE, values: [storeId, scope ?? null] });
  return rows[0];
}

// In order of id, after $2. Served by stores_pkey (one brand) or stores_id_idx, and store_assessments_newest_idx.
const LIST_STORES = `
select s.id, s.brand_id as "brandId", s.platform, s.external_shop_id as "externalShopId", s.name, s.order_source as "orderSource",
  s.status, s.youzan_client_id as "youzanClientId", s.created_at as "createdAt",
  trim_scale(r.score) as score, trim_scale(r.scale) as scale, r.source as "ratingSource", r.recorded_at as "ratedAt",
  o.opened_on as "openedOn", o.source as "openedOnSource"
from stores s
left join lateral (
  select a.score, a.scale, a.source, a.recorded_at from store_assessments a
  where a.store_id = s.id and a.kind = 'rating' order by a.recorded_at desc, a.id desc limit 1
) r on true
left join lateral (
  select a.opened_on, a.source from store_assessments a
  where a.store_id = s.id and a.kind = 'opened_on' order by a.recorded_at desc, a.id desc limit 1
) o on true
where ($1::text is null or s.brand_id = $1) and ($2::text is null or s.id > $2)
order by s.id
limit $3`;

export async function listStores(
  db: Queryable,
  page: { brandId: string | undefined; afterId: string | undefined; limit: number },
): Promise<StoreRow[]> {
  const values = [page.brandId ?? null, page.afterId ?? null, page.limit];
  const { rows } = await db.query<StoreRow>({ name: 'list_stores', text: LIST_STORES, values });
  return rows;
}
