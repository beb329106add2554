/** Catalogues for benchmarks, inserted as sets of rows: 100,000 links take seconds instead of minutes over the API. */
import { customAlphabet } from 'nanoid';
import { newId } from '../../src/http/new-id.ts';
import { type Db, inTransaction } from '../../src/infra/db.ts';
import {
  insertBrand,
  insertBrands,
  insertInfluencers,
  insertProducts,
  insertStore,
  insertStores,
} from '../../test/support/market.ts';
import { insertLinks, type Link } from '../../test/support/promotion.ts';

const codeTail = customAlphabet('23456789abcdefghjkmnpqrstvwxyz', 5);
const PRODUCTS_PER_INFLUENCER = 1_000;
const FIRST_ITEM = 600_000_000_000;

function distinctCodes(count: number): string[] {
  const codes = new Set<string>();
  // A letter and a digit in front make every text a generated code.
  while (codes.size < count) codes.add(`a2${codeTail()}`);
  return [...codes];
}

/** Each product has an item number of its own, as Taobao gives them. */
function itemUrl(number: number): string {
  return `https://item.taobao.com/item.htm?id=${FIRST_ITEM + number}`;
}

/**
 * One brand with active links: up to 1,000 products, each promoted by as many influencers as it takes. Visitors of every app are
 * redirected without a page, because the redirect is measured.
 *
 * @returns the codes in the order of the links
 */
export async function seedBrand(db: Db, count: number): Promise<{ codes: string[] }> {
  const codes = distinctCodes(count);
  await inTransaction(db, async (tx) => {
    const brandId = await insertBrand(tx);
    const storeId = await insertStore(tx, { brandId });
    const productCount = Math.min(count, PRODUCTS_PER_INFLUENCER);
    const productIds = await insertProducts(
      tx,
      Array.from({ length: productCount }, (_, number) => ({ brandId, storeId, url: itemUrl(number + 1) })),
    );
    const influencerCount = Math.ceil(count / PRODUCTS_PER_INFLUENCER);
    const influencerIds = await insertInfluencers(
      tx,
      Array.from({ length: influencerCount }, () => ({ influencerId: newId('inf') })),
    );
    await insertLinks(
      tx,
      codes.map((code, index) => ({
        brandId,
        storeId,
        productId: productIds[index % productCount] ?? '',
        influencerId: influencerIds[Math.floor(index / PRODUCTS_PER_INFLUENCER)] ?? '',
        code,
        landingMode: 'direct' as const,
      })),
    );
  });
  await db.query('analyze');
  return { codes };
}

const BRANDS = 10;
const PRODUCTS = 200;
const INFLUENCERS = 100;
const LINKS = 1_000;

/** A thousand links of ten brands, five influencers a product: the same ids under the same numbers in every empty database. */
export async function seedTenBrands(db: Db): Promise<Link[]> {
  const id = (prefix: string, number: number): string => `${prefix}_bench${String(number).padStart(16, '0')}`;
  const stores = Array.from({ length: BRANDS }, (_, number) => ({
    brandId: id('brd', number),
    storeId: id('str', number),
  }));
  const storeOf = (product: number): { brandId: string; storeId: string } => {
    return { brandId: id('brd', product % BRANDS), storeId: id('str', product % BRANDS) };
  };
  await insertBrands(db, stores);
  await insertInfluencers(
    db,
    Array.from({ length: INFLUENCERS }, (_, number) => ({
      influencerId: id('inf', number),
      payeeId: id('pye', number),
    })),
  );
  await insertStores(db, stores);
  await insertProducts(
    db,
    Array.from({ length: PRODUCTS }, (_, number) => ({
      ...storeOf(number),
      productId: id('prd', number),
      url: itemUrl(number),
    })),
  );
  const links = await insertLinks(
    db,
    Array.from({ length: LINKS }, (_, number) => ({
      ...storeOf(number % PRODUCTS),
      productId: id('prd', number % PRODUCTS),
      influencerId: id('inf', (Math.floor(number / PRODUCTS) * 7) % INFLUENCERS),
      linkId: id('lnk', number),
      code: `b${String(number).padStart(6, '0')}`,
    })),
  );
  await db.query('analyze');
  return links;
}
