import { newId } from '../../src/http/new-id.ts';
import type { Db } from '../../src/infra/db.ts';
import { customAlphabet } from 'nanoid';

const code = customAlphabet('23456789abcdefghjkmnpqrstvwxyz', 5);

export interface SeededLink {
  code: string;
  linkId: string;
  linkNumber: number;
  brandId: string;
  storeId: string;
  productId: string;
  influencerId: string;
  payeeId: string;
}

export interface SeedOptions {
  platform?: 'taobao' | 'tmall' | 'youzan';
  url?: string;
  brandId?: string;
  influencerId?: string;
  /** `direct` unless a test sets another; null: as the table says. */
  landingMode?: 'direct' | 'page' | null;
}

/** A link with everything it stands on. What is given is used, the rest is made. */
export async function seedLink(db: Db, options: SeedOptions = {}): Promise<SeededLink> {
  const platform = options.platform ?? 'taobao';
  const url = options.url ?? 'https://item.taobao.com/item.htm?id=600000000001#detail';
  const brandId = options.brandId ?? newId('brd');
  const influencerId = options.influencerId ?? newId('inf');
  const payeeId = newId('pye');
  const [storeId, productId, linkId] = [newId('str'), newId('prd'), newId('lnk')];
  // A letter and a digit make it a generated code.
  const linkCode = `a2${code()}`;
  if (options.brandId === undefined) await db.query(`insert into brands (id, name) values ($1, '好物')`, [brandId]);
  if (options.influencerId === undefined) {
    await db.query(`insert into payees (id, kind, name) values ($1, 'influencer', '小美')`, [payeeId]);
    const values = [influencerId, `i2${code()}`, payeeId];
    await db.query(`insert into influencers (id, name, code, payee_id) values ($1, '小美', $2, $3)`, values);
  }
  await db.query(
    `insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
     values ($1, $2, $3, $1, '好物店', 'shop', '\\x00')`,
    [storeId, brandId, platform],
  );
  await db.query(
    `insert into products (id, brand_id, store_id, title, url, price_fen) values ($1, $2, $3, '杯子', $4, 19900)`,
    [productId, brandId, storeId, url],
  );
  const { rows } = await db.query<{ number: bigint }>(
    `insert into links (id, brand_id, product_id, influencer_id, way) values ($1, $2, $3, $4, $5) returning number`,
    [linkId, brandId, productId, influencerId, options.landingMode === undefined ? 'direct' : options.landingMode],
  );
  await addCode(db, { linkId, brandId }, linkCode, 'code');
  const linkNumber = Number(rows[0]?.number);
  return { code: linkCode, linkId, linkNumber, brandId, storeId, productId, influencerId, payeeId };
}

export async function addCode(
  db: Db,
  link: Pick<SeededLink, 'linkId' | 'brandId'>,
  text: string,
  kind: 'code' | 'alias' = 'alias',
): Promise<void> {
  await db.query(`insert into link_codes (code, link_id, brand_id, kind) values ($1, $2, $3, $4)`, [
    text,
    link.linkId,
    link.brandId,
    kind,
  ]);
}

/** Leases a Youzan salesman to the influencer of a link. */
export async function leaseSls(
  db: Db,
  link: SeededLink,
  lease: { sls: string; productId?: string; validFrom?: Date; validTo?: Date },
): Promise<void> {
  const owner = [link.storeId, lease.sls, link.influencerId, link.brandId];
  await db.query(
    `insert into tracking_slot_owners (store_id, kind, external_id, influencer_id, brand_id) values ($1, 'sls', $2, $3, $4)
     on conflict do nothing`,
    owner,
  );
  await db.query(
    `insert into tracking_slots (store_id, external_id, influencer_id, brand_id, kind, id, product_id, valid_from, valid_to)
     values ($1, $2, $3, $4, 'sls', $5, $6, coalesce($7, now()), $8)`,
    [...owner, newId('slt'), lease.productId ?? null, lease.validFrom ?? null, lease.validTo ?? null],
  );
}
