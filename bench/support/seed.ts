/** A catalogue to redirect through, put into Postgres as SQL sets: 100,000 links take seconds instead of minutes over REST. */
import { customAlphabet } from 'nanoid';
import { newId } from '../../src/http/new-id.ts';
import type { IdPrefix } from '../../src/http/new-id.ts';
import { inTransaction } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';

export interface SeededLinks {
  brandId: string;
  /** In the order of the links. */
  codes: string[];
}

/** A letter and a digit in front make every one of them a generated code. */
const tail = customAlphabet('23456789abcdefghjkmnpqrstvwxyz', 5);
const PRODUCTS_PER_INFLUENCER = 1_000;

const INSERT_BRAND = `insert into brands (id, name) values ($1, '好物')`;
const INSERT_PAYEES = `
  insert into payees (id, kind, name)
  select ids.id, 'influencer', '小美' from unnest($1::text[]) as ids (id)`;
const INSERT_INFLUENCERS = `
  insert into influencers (id, name, code, payee_id)
  select given.id, '小美', given.code, given.payee_id
  from unnest($1::text[], $2::text[], $3::text[]) as given (id, code, payee_id)`;
const INSERT_STORE = `
  insert into stores (id, brand_id, platform, external_shop_id, name, order_source, webhook_secret_sealed)
  values ($1, $2, 'taobao', $1, '好物店', 'shop', '\\x00')`;
// Each with an item number of its own, as Taobao gives them.
const INSERT_PRODUCTS = `
  insert into products (id, brand_id, store_id, title, url, price_fen)
  select given.id, $2, $3, '杯子', 'https://item.taobao.com/item.htm?id=' || (600000000000 + given.number), 19900
  from unnest($1::text[]) with ordinality as given (id, number)`;
// Every visitor is redirected, whatever the table of landing modes says, because the bench measures redirects.
const INSERT_LINKS = `
  insert into links (id, brand_id, product_id, influencer_id, way)
  select given.id, $4, given.product_id, given.influencer_id, 'direct'
  from unnest($1::text[], $2::text[], $3::text[]) as given (id, product_id, influencer_id)`;
const INSERT_CODES = `
  insert into link_codes (code, link_id, brand_id, kind)
  select given.code, given.link_id, $3, 'code' from unnest($1::text[], $2::text[]) as given (code, link_id)`;

function ids(prefix: IdPrefix, count: number): string[] {
  return Array.from({ length: count }, () => newId(prefix));
}

function distinctCodes(count: number, prefix: string): string[] {
  const codes = new Set<string>();
  while (codes.size < count) codes.add(prefix + tail());
  return [...codes];
}

/** One brand with active links, up to 1,000 products each promoted by as many influencers as it takes. */
export async function seedLinks(db: Db, count: number): Promise<SeededLinks> {
  const brandId = newId('brd');
  const storeId = newId('str');
  const products = ids('prd', Math.min(count, PRODUCTS_PER_INFLUENCER));
  const influencers = ids('inf', Math.ceil(count / PRODUCTS_PER_INFLUENCER));
  const payees = ids('pye', influencers.length);
  const links = ids('lnk', count);
  const codes = distinctCodes(count, 'a2');
  const productOf = links.map((_, index) => products[index % products.length]);
  const influencerOf = links.map((_, index) => influencers[Math.floor(index / PRODUCTS_PER_INFLUENCER)]);
  await inTransaction(db, async (tx) => {
    await tx.query(INSERT_BRAND, [brandId]);
    await tx.query(INSERT_PAYEES, [payees]);
    await tx.query(INSERT_INFLUENCERS, [influencers, distinctCodes(influencers.length, 'i2'), payees]);
    await tx.query(INSERT_STORE, [storeId, brandId]);
    await tx.query(INSERT_PRODUCTS, [products, brandId, storeId]);
    await tx.query(INSERT_LINKS, [links, productOf, influencerOf, brandId]);
    await tx.query(INSERT_CODES, [codes, links, brandId]);
  });
  await db.query('analyze');
  return { brandId, codes };
}
