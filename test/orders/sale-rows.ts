/** Rows of a small market, written straight into the tables: what the order features read of other features. */
import { randomBytes } from 'node:crypto';
import { createClickIdMint, createClickIdReader } from '../../src/core/clicks/click-id.ts';
import type { Verdict } from '../../src/core/vocabulary.ts';
import { newId } from '../../src/http/new-id.ts';
import type { Db } from '../../src/infra/db.ts';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

const clickIdKey = { number: 7, key: randomBytes(16) };
const mint = createClickIdMint(clickIdKey);
export const readClickId = createClickIdReader([clickIdKey]);

export interface Link {
  linkId: string;
  number: number;
  code: string;
  brandId: string;
  storeId: string;
  productId: string;
  influencerId: string;
}

export async function insertBrand(db: Db, policy: { inferred: string; scope: string }): Promise<string> {
  const brandId = newId('brd');
  await db.query('insert into brands (id, name) values ($1, $1)', [brandId]);
  await db.query(
    `insert into brand_policies (id, brand_id, inferred, scope, platform_fee_bp, valid_from, created_by)
     values ($1, $2, $3, $4, 0, '2020-01-01Z', 'test')`,
    [newId('pol'), brandId, policy.inferred, policy.scope],
  );
  await db.query(
    `insert into terms (id, brand_id, scope_key, basis, rate_bp, window_days, hold_days, valid_from, created_by)
     values ($1, $2, 'brand', 'order_amount', 1500, 15, 15, '2020-01-01Z', 'test')`,
    [newId('trm'), brandId],
  );
  return brandId;
}

export async function insertStore(
  db: Db,
  brandId: string,
  orderSource: 'youzan' | 'shop' | 'tbk' = 'shop',
): Promise<string> {
  const storeId = newId('str');
  await db.query(
    `insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
     values ($1, $2, 'taobao', $1, $1, $3, '')`,
    [storeId, brandId, orderSource],
  );
  return storeId;
}

export async function insertProduct(
  db: Db,
  { brandId, storeId }: { brandId: string; storeId: string },
): Promise<string> {
  const productId = newId('prd');
  await db.query(
    `insert into products (id, brand_id, store_id, title, url, price_fen)
     values ($1, $2, $3, $1, 'https://item.taobao.com/item.htm?id=1', 19900)`,
    [productId, brandId, storeId],
  );
  await db.query('insert into product_item_keys (store_id, item_key, product_id, brand_id) values ($1, $2, $3, $4)', [
    storeId,
    `item:${productId}`,
    productId,
    brandId,
  ]);
  return productId;
}

export async function insertInfluencer(db: Db): Promise<string> {
  const influencerId = newId('inf');
  const payeeId = newId('pye');
  await db.query(`insert into payees (id, kind, name) values ($1, 'influencer', $1)`, [payeeId]);
  await db.query('insert into influencers (id, name, code, payee_id) values ($1, $1, $1, $2)', [influencerId, payeeId]);
  return influencerId;
}

export async function insertLink(
  db: Db,
  pair: { brandId: string; storeId: string; productId: string; influencerId: string },
): Promise<Link> {
  const linkId = newId('lnk');
  const code = `c${linkId.slice(4, 10)}`;
  const { rows } = await db.query<{ number: bigint }>(
    'insert into links (id, brand_id, product_id, influencer_id) values ($1, $2, $3, $4) returning links.number',
    [linkId, pair.brandId, pair.productId, pair.influencerId],
  );
  await db.query(`insert into link_codes (code, link_id, brand_id, kind) values ($1, $2, $3, 'code')`, [
    code,
    linkId,
    pair.brandId,
  ]);
  return { ...pair, linkId, code, number: Number(rows[0]?.number) };
}

export async function insertSlot(
  db: Db,
  slot: {
    kind: 'adzone' | 'sls' | 'relation';
    externalId: string;
    link: Link;
    withProduct?: boolean;
    validFrom: Date;
    validTo?: Date;
  },
): Promise<void> {
  const { kind, externalId, link, validFrom, validTo } = slot;
  await db.query(
    `insert into tracking_slot_owners (store_id, kind, external_id, influencer_id, brand_id) values ($1, $2, $3, $4, $5)
     on conflict on constraint tracking_slot_owners_pkey do nothing`,
    [link.storeId, kind, externalId, link.influencerId, link.brandId],
  );
  await db.query(
    `insert into tracking_slots (id, brand_id, store_id, kind, external_id, influencer_id, product_id, valid_from, valid_to)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      newId('slt'),
      link.brandId,
      link.storeId,
      kind,
      externalId,
      link.influencerId,
      kind === 'adzone' || slot.withProduct === true ? link.productId : null,
      validFrom,
      validTo ?? null,
    ],
  );
}

export async function insertCoupon(db: Db, coupon: { code: string; link: Link; validFrom: Date }): Promise<void> {
  const { code, link, validFrom } = coupon;
  await db.query('insert into coupon_owners (store_id, code, influencer_id, brand_id) values ($1, $2, $3, $4)', [
    link.storeId,
    code,
    link.influencerId,
    link.brandId,
  ]);
  await db.query(
    'insert into coupons (id, brand_id, store_id, code, influencer_id, valid_from) values ($1, $2, $3, $4, $5, $6)',
    [newId('cpn'), link.brandId, link.storeId, code, link.influencerId, validFrom],
  );
}

/** A click id as the redirect mints it; its row is another matter. */
export function mintClickId(link: Pick<Link, 'number'>, clickedAt: Date): string {
  return mint({ linkNumber: link.number, clickedAtMs: clickedAt.getTime(), random: randomBytes(8) });
}

/** A stored click; returns its id. */
export async function insertClick(
  db: Db,
  link: Link,
  clickedAt: Date,
  { verdict = 'counted', tag }: { verdict?: Verdict; tag?: string } = {},
): Promise<string> {
  const clickId = mintClickId(link, clickedAt);
  await db.query(
    `insert into clicks (click_id, clicked_at, link_number, brand_id, link_id, product_id, influencer_id, tag, verdict, visitor)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '\\x00')`,
    [
      clickId,
      clickedAt,
      link.number,
      link.brandId,
      link.linkId,
      link.productId,
      link.influencerId,
      tag ?? null,
      verdict,
    ],
  );
  return clickId;
}

/** A step on the middle page of a click of the link. */
export async function insertStep(
  db: Db,
  link: Link,
  { clickId, clickedAt, steppedAt }: { clickId: string; clickedAt: Date; steppedAt: Date },
): Promise<void> {
  await db.query(
    `insert into click_steps (click_id, step, clicked_at, stepped_at, link_number, brand_id, product_id, app, os)
     values ($1, 'copy', $2, $3, $4, $5, $6, 'douyin', 'android')`,
    [clickId, clickedAt, steppedAt, link.number, link.brandId, link.productId],
  );
}

/** Everything inserted so far has existed, and been active, for two months. */
export async function ageStatusHistory(db: Db): Promise<void> {
  await db.query(`update status_changes set changed_at = now() - interval '60 days' where status = 'active'`);
}

export async function setDrainedTo(db: Db, drainedTo: Date): Promise<void> {
  await db.query(
    `insert into click_watermarks (shard, drained_to) values (0, $1), (1, $2)
     on conflict on constraint click_watermarks_pkey do update set drained_to = excluded.drained_to`,
    [drainedTo, new Date(drainedTo.getTime() + DAY_MS)],
  );
}

/** A paid order of one line per product, as the intake leaves it; answers the line ids in the order of the products. */
export async function insertOrder(
  db: Db,
  order: { brandId: string; storeId: string; createdAt: Date; products: (string | null)[]; paidFen?: bigint },
): Promise<{ orderId: string; lineIds: string[] }> {
  const { brandId, storeId, createdAt, products, paidFen = 19_900n } = order;
  const orderId = newId('ord');
  await db.query(
    `insert into orders (id, brand_id, store_id, external_order_id, status, created_at, paid_at) values ($1, $2, $3, $1, 'paid', $4, $4)`,
    [orderId, brandId, storeId, createdAt],
  );
  const lineIds = products.map(() => newId('lin'));
  for (const [index, productId] of products.entries()) {
    await db.query(
      `insert into order_lines (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
         refund_excess_fen, closed, refund_open)
       values ($1, $2, $3, $4, $5, '{}', 1, $6, 0, 0, false, false)`,
      [lineIds[index], brandId, orderId, String(index + 1), productId, paidFen],
    );
  }
  return { orderId, lineIds };
}
