/** The market that orders are recorded in: the same for daihuo and for pgbench, in one database. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import type { Db } from '../../src/infra/db.ts';
import { deriveKeys, seal } from '../../src/infra/secrets.ts';
import { newShopSecret } from '../../src/platforms/shop/verify.ts';
import {
  insertBrands,
  insertInfluencers,
  insertPolicies,
  insertProducts,
  insertStores,
  insertTerms,
} from '../../test/support/market.ts';
import { insertClicks, insertLinks, type Link } from '../../test/support/promotion.ts';

export const SECRET = 'a secret of the order benchmark, and of nothing else';
export const STORES = 10;
export const PRODUCTS = 1_000;
const INFLUENCERS = 100;
/** Minutes over which the clicks are spread, all of them before every order. */
const CLICK_MINUTES = 10_000;
const CLICKS_PER_BATCH = 20_000;

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

/**
 * Fills an empty migrated database, also with the function that pgbench calls and some orders that it recorded. Ids are numbers, so that a
 * script of pgbench can name any row without looking it up.
 *
 * @param options.clicks  at least 20,000
 * @param options.since  the first click, a whole second; the last is a week later at the most
 */
export async function seedMarket(db: Db, options: { clicks: number; since: Date }): Promise<BenchMarket> {
  const keys = deriveKeys(Buffer.from(SECRET));
  const stores = numbers(STORES).map((number) => {
    return { brandId: `brd_${number}`, storeId: `str_${number}`, secret: newShopSecret(randomBytes(24)) };
  });
  await insertBrands(db, stores);
  await insertPolicies(db, stores);
  await insertStores(
    db,
    stores.map(({ secret, ...store }) => ({
      ...store,
      webhookSecretSealed: seal(keys.sealingKeys, Buffer.from(secret)),
    })),
  );
  await insertTerms(db, ...stores);
  await insertInfluencers(
    db,
    numbers(INFLUENCERS).map((number) => ({ influencerId: `inf_${number}`, payeeId: `pye_${number}` })),
  );
  const storeOf = (product: number): { brandId: string; storeId: string } => {
    return { brandId: `brd_${product % STORES}`, storeId: `str_${product % STORES}` };
  };
  await insertProducts(
    db,
    numbers(PRODUCTS).map((number) => ({
      ...storeOf(number),
      productId: `prd_${number}`,
      url: `https://item.taobao.com/item.htm?id=${number}`,
      itemKey: `item:${number}`,
    })),
  );
  const links = await insertLinks(
    db,
    numbers(PRODUCTS).map((number) => ({
      ...storeOf(number),
      productId: `prd_${number}`,
      influencerId: `inf_${number % INFLUENCERS}`,
      linkId: `lnk_${number}`,
      code: `c${String(number).padStart(6, '0')}`,
    })),
  );
  const clicks = await seedClicks(db, { ...options, links });
  await seedOrders(db, options);
  return { stores: stores.map(({ storeId, secret }) => ({ storeId, secret })), clicks };
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

/** Clicks with authentic ids, and as many with the ids that scripts of pgbench compute: `B` and the padded number of the click. */
async function seedClicks(
  db: Db,
  { clicks, since, links }: { clicks: number; since: Date; links: readonly Link[] },
): Promise<BenchClick[]> {
  const [key] = deriveKeys(Buffer.from(SECRET)).clickIdKeys;
  if (key === undefined) throw new Error('a secret gives a key');
  const mint = createClickIdMint(key);
  await db.query("select ensure_click_partitions($1::timestamptz - interval '1 month', 3)", [since]);
  const made: BenchClick[] = [];
  for (let from = 0; from < clicks; from += CLICKS_PER_BATCH) {
    const batch = numbers(Math.min(CLICKS_PER_BATCH, clicks - from)).flatMap((index) => {
      const number = from + index;
      const product = number % PRODUCTS;
      const link = links[product];
      if (link === undefined) return [];
      // A script of pgbench computes clicked_at of click k the same way.
      const clickedAt = new Date(since.getTime() + (number % (CLICK_MINUTES * 60)) * 1_000);
      const clickId = mint({
        linkNumber: link.linkNumber,
        clickedAtMs: clickedAt.getTime(),
        random: randomBytes(8),
      });
      return { number, product, link, clickedAt, clickId };
    });
    await insertClicks(db, batch);
    await insertClicks(
      db,
      batch.map((click) => ({ ...click, clickId: `B${String(click.number).padStart(37, '0')}` })),
    );
    made.push(...batch.map(({ product, clickId }) => ({ product, clickId })));
  }
  return made;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}
