import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable } from '../../infra/db.ts';

/** What the intake needs of a store: whose it is, where its orders come from, and the secrets its messages are signed with (sealed). */
export interface OrderStore {
  storeId: string;
  brandId: string;
  platform: string;
  orderSource: 'youzan' | 'shop' | 'tbk';
  webhookSecretSealed: Buffer;
  youzanClientId: string | null;
  youzanClientSecretSealed: Buffer | null;
}

// A shop number names at most one active store; a closed one still gets its late messages. Served by stores_active_shop_key or a short scan.
const LIST_YOUZAN_STORES = `
select wanted.shop_id as "shopId", found."storeId", found."brandId", found.platform, found."orderSource", found."webhookSecretSealed",
  found."youzanClientId", found."youzanClientSecretSealed"
from unnest($1::text[]) as wanted (shop_id)
cross join lateral (
  select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
    s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
    s.youzan_client_secret_sealed as "youzanClientSecretSealed"
  from stores s
  where s.platform = 'youzan' and s.external_shop_id = wanted.shop_id and s.youzan_client_id is not null
  order by (s.status = 'active') desc, s.created_at desc, s.id
  limit 1
) as found`;

/** Shop number (kdt_id) → its Youzan store that has credentials; absent where there is none. */
export async function listYouzanStores(db: Queryable, shopIds: readonly string[]): Promise<Map<string, OrderStore>> {
  const { rows } = await db.query<OrderStore & { shopId: string }>({
    name: 'list_youzan_stores',
    text: LIST_YOUZAN_STORES,
    values: [shopIds],
  });
  return new Map(rows.map(({ shopId, ...store }) => [shopId, store]));
}

// A heartbeat names no shop: any store of the client can prove it. Served by stores_youzan_client_idx.
const FIND_STORE_OF_CLIENT = `
select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
  s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
  s.youzan_client_secret_sealed as "youzanClientSecretSealed"
from stores s
where s.youzan_client_id = $1
order by (s.status = 'active') desc, s.created_at desc, s.id
limit 1`;

/** Some store of a Youzan app (client id); undefined when no store uses it. */
export async function findStoreOfYouzanClient(db: Queryable, clientId: string): Promise<OrderStore | undefined> {
  const { rows } = await db.query<OrderStore>({
    name: 'find_store_of_youzan_client',
    text: FIND_STORE_OF_CLIENT,
    values: [clientId],
  });
  return rows[0];
}

// Served by stores_id_idx.
const LIST_ORDER_STORES = `
select s.id as "storeId", s.brand_id as "brandId", s.platform, s.order_source as "orderSource",
  s.webhook_secret_sealed as "webhookSecretSealed", s.youzan_client_id as "youzanClientId",
  s.youzan_client_secret_sealed as "youzanClientSecretSealed"
from stores s
where s.id = any ($1::text[])`;

/** Stores by their ids, closed ones included (their last orders may still move); absent where there is none. */
export async function listOrderStores(db: Queryable, storeIds: readonly string[]): Promise<Map<string, OrderStore>> {
  const { rows } = await db.query<OrderStore>({
    name: 'list_order_stores',
    text: LIST_ORDER_STORES,
    values: [storeIds],
  });
  return new Map(rows.map((store) => [store.storeId, store]));
}

/** A store by its id, as `listOrderStores`; undefined when there is none. */
export async function findOrderStore(db: Queryable, storeId: string): Promise<OrderStore | undefined> {
  return (await listOrderStores(db, [storeId])).get(storeId);
}

// Those whose row is not what it was. Served by stores_id_idx.
const LIST_CHANGED_STORES = `
select known.id
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) as known (id, brand_id, platform, order_source, webhook_secret_sealed)
where not exists (
  select from stores s
  where s.id = known.id and s.brand_id = known.brand_id and s.platform = known.platform and s.order_source = known.order_source
    and s.webhook_secret_sealed = known.webhook_secret_sealed)`;

/** Ids of those stores that are gone or not any more what is known of them: their orders' source, the secret of their own messages. */
export async function listChangedStores(db: Queryable, known: readonly OrderStore[]): Promise<Set<string>> {
  if (known.length === 0) return new Set();
  const { rows } = await db.query<{ id: string }>({
    name: 'list_changed_stores',
    text: LIST_CHANGED_STORES,
    values: arrayLiterals([
      known.map(({ storeId }) => storeId),
      known.map(({ brandId }) => brandId),
      known.map(({ platform }) => platform),
      known.map(({ orderSource }) => orderSource),
      known.map(({ webhookSecretSealed }) => webhookSecretSealed),
    ]),
  });
  return new Set(rows.map(({ id }) => id));
}
