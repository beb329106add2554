/** The market that orders are recorded in: the same for daihuo and for pgbench, in one database. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import type { Db } from '../../src/infra/db.ts';
import { deriveKeys, seal } from '../../src/infra/secrets.ts';
import { newShopSecret } from '../../src/platforms/shop/verify.ts';

export const SECRET = 'a secret of the order benchmark, and of nothing else';
export const STORES = 10;
export const PRODUCTS = 1_000;
const INFLUENCERS = 100;
/** Minutes over which the clicks are spread, all of them before every order. */
const CLICK_MINUTES = 10_000;

export interface BenchClick {
  clickId: string;
  /** From 0; product n belongs to store n mod STORES and is promoted by link n. */
  product: number;
}

export interface BenchMarket {
  /** By number of the store. */
  stores: { storeId: string; secret: string }[];
  /** Clicks with authentic ids; as many again have made-up ids, for pgbench, which cannot compute authentic ones. */
  clicks: BenchClick[];
}

// Ids are numbers, so that a script of pgbench can name any of them without looking it up.
const INSERT_BRANDS = `
insert into brands (id, name) select 'brd_' || s, '品牌' from generate_series(0, $1::integer - 1) s`;
const INSERT_POLICIES = `
insert into brand_policies (id, brand_id, inferred, scope, platform_fee_bp, valid_from, created_by)
select 'pol_' || s, 'brd_' || s, 'off', 'product', 0, '2020-01-01Z', 'bench' from generate_series(0, $1::integer - 1) s`;
const INSERT_STORE = `
insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
values ('str_' || $1::integer, 'brd_' || $1, 'taobao', $1::text, '店铺', 'shop', $2)`;
const INSERT_TERMS = `
insert into terms (id, brand_id, scope_key, store_id, basis, rate_bp, window_days, hold_days, valid_from, created_by)
select 'trm_' || s, 'brd_' || s, 'store:str_' || s, 'str_' || s, 'order_amount', 1500, 15, 15, '2020-01-01Z', 'bench'
from generate_series(0, $1::integer - 1) s`;
const INSERT_PAYEES = `
insert into payees (id, kind, name) select 'pye_' || i, 'influencer', '达人' from generate_series(0, $1::integer - 1) i`;
const INSERT_INFLUENCERS = `
insert into influencers (id, name, code, payee_id)
select 'inf_' || i, '达人', 'inf' || i, 'pye_' || i from generate_series(0, $1::integer - 1) i`;
const INSERT_PRODUCTS = `
insert into products (id, brand_id, store_id, title, url, price_fen)
select 'prd_' || p, 'brd_' || p % $2::integer, 'str_' || p % $2, '商品', 'https://item.taobao.com/item.htm?id=' || p, 19900
from generate_series(0, $1::integer - 1) p`;
const INSERT_ITEM_KEYS = `
insert into product_item_keys (store_id, item_key, product_id, brand_id)
select 'str_' || p % $2::integer, 'item:' || p, 'prd_' || p, 'brd_' || p % $2 from generate_series(0, $1::integer - 1) p`;
const INSERT_LINKS = `
insert into links (id, brand_id, product_id, influencer_id)
select 'lnk_' || p, 'brd_' || p % $2::integer, 'prd_' || p, 'inf_' || p % $3::integer from generate_series(0, $1::integer - 1) p`;
const INSERT_LINK_CODES = `
insert into link_codes (code, link_id, brand_id, kind)
select 'c' || lpad(p::text, 6, '0'), 'lnk_' || p, 'brd_' || p % $2::integer, 'code' from generate_series(0, $1::integer - 1) p`;
const INSERT_CLICKS = `
insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, verdict, visitor)
select input.click_id, input.clicked_at, l.number, l.brand_id, l.id, l.product_id, l.influencer_id, 'counted', '\\x00112233445566778899aabbccddeeff'
from unnest($1::text[], $2::timestamptz[], $3::text[]) as input (click_id, clicked_at, link_id)
join links l on l.id = input.link_id`;
// clicked_at of click k, which a script of pgbench computes the same way.
const INSERT_MADE_UP_CLICKS = `
insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, verdict, visitor)
select 'B' || lpad(k::text, 37, '0'), $2::timestamptz + make_interval(secs => k % 600000), l.number, l.brand_id, l.id, l.product_id,
  l.influencer_id, 'counted', '\\x00112233445566778899aabbccddeeff'
from generate_series(0, $1::integer - 1) k
join links l on l.id = 'lnk_' || k % $3::integer`;

/**
 * Fills an empty migrated database, also with the function that pgbench calls and some orders that it recorded.
 *
 * @param options.clicks  at least 20,000
 * @param options.since  the first click, a whole second; the last is a week later at the most
 */
export async function seedMarket(db: Db, options: { clicks: number; since: Date }): Promise<BenchMarket> {
  const keys = deriveKeys(Buffer.from(SECRET));
  await db.query(INSERT_BRANDS, [STORES]);
  await db.query(INSERT_POLICIES, [STORES]);
  const stores: BenchMarket['stores'] = [];
  for (let store = 0; store < STORES; store += 1) {
    const secret = newShopSecret(randomBytes(24));
    await db.query(INSERT_STORE, [store, seal(keys.sealingKeys, Buffer.from(secret))]);
    stores.push({ storeId: `str_${store}`, secret });
  }
  await db.query(INSERT_TERMS, [STORES]);
  await db.query(INSERT_PAYEES, [INFLUENCERS]);
  await db.query(INSERT_INFLUENCERS, [INFLUENCERS]);
  await db.query(INSERT_PRODUCTS, [PRODUCTS, STORES]);
  await db.query(INSERT_ITEM_KEYS, [PRODUCTS, STORES]);
  await db.query(INSERT_LINKS, [PRODUCTS, STORES, INFLUENCERS]);
  await db.query(INSERT_LINK_CODES, [PRODUCTS, STORES]);
  const clicks = await seedClicks(db, options);
  await seedOrders(db, options);
  return { stores, clicks };
}

const INSERT_ORDERS = `
select count(*) from (
  select bench_record_order('str_' || k % $3::integer % $4::integer, -k, k % $3, 'B' || lpad(k::text, 37, '0'),
    $5::timestamptz + make_interval(secs => k % 600000))
  from generate_series($1::integer, $2::integer) k
) recorded`;

/** Some orders, so that Postgres plans every statement for tables that hold something. */
async function seedOrders(db: Db, { since }: { since: Date }): Promise<void> {
  await db.query(await readFile(new URL('record-order.sql', import.meta.url), 'utf8'));
  for (let from = 1; from < 10_000; from += 1_000) {
    await db.query(INSERT_ORDERS, [from, from + 999, PRODUCTS, STORES, since]);
    if (from === 1) await db.query('analyze');
  }
  await db.query('vacuum analyze');
}

async function seedClicks(db: Db, { clicks, since }: { clicks: number; since: Date }): Promise<BenchClick[]> {
  const [key] = deriveKeys(Buffer.from(SECRET)).clickIdKeys;
  if (key === undefined) throw new Error('a secret gives a key');
  const mint = createClickIdMint(key);
  await db.query("select ensure_click_partitions($1::timestamptz - interval '1 month', 3)", [since]);
  const { rows } = await db.query<{ id: string; number: bigint }>('select l.id, l.number from links l');
  const numberOf = new Map(rows.map((row) => [row.id, Number(row.number)]));
  const made: BenchClick[] = [];
  for (let from = 0; from < clicks; from += 20_000) {
    const size = Math.min(20_000, clicks - from);
    const batch = Array.from({ length: size }, (_, index) => {
      const product = (from + index) % PRODUCTS;
      const clickedAtMs = since.getTime() + ((from + index) % (CLICK_MINUTES * 60)) * 1_000;
      const linkNumber = numberOf.get(`lnk_${product}`) ?? 0;
      const clickId = mint({ linkNumber, clickedAtMs, random: randomBytes(8) });
      return { product, clickId, clickedAt: new Date(clickedAtMs) };
    });
    await db.query(INSERT_CLICKS, [
      batch.map(({ clickId }) => clickId),
      batch.map(({ clickedAt }) => clickedAt),
      batch.map(({ product }) => `lnk_${product}`),
    ]);
    made.push(...batch.map(({ product, clickId }) => ({ product, clickId })));
  }
  await db.query(INSERT_MADE_UP_CLICKS, [clicks, since, PRODUCTS]);
  return made;
}
