import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBrand } from '../../src/catalog/brands/change-brand.ts';
import { changeInfluencer } from '../../src/catalog/influencers/save-influencer.ts';
import { changeProduct, registerProduct } from '../../src/catalog/products/save-product.ts';
import { productBody } from '../../src/catalog/products/product-fields.ts';
import { changeStore, rotateWebhookSecret } from '../../src/catalog/stores/change-store.ts';
import { registerStore } from '../../src/catalog/stores/register-store.ts';
import { createCatalogServer, makeOffer, productInput, sealingKeys } from './catalog-server.ts';
import type { CatalogServer } from './catalog-server.ts';

/** Use cases answer imports, pollers and jobs with an outcome and never with a problem of HTTP; a refused call has written nothing. */
let server: CatalogServer;
let offer: Awaited<ReturnType<typeof makeOffer>>;

beforeAll(async () => {
  server = await createCatalogServer();
  offer = await makeOffer(server);
});
afterAll(async () => {
  await server.close();
});

const job = { actor: 'products import', brandScope: undefined };

async function countRows(): Promise<unknown> {
  const { rows } = await server.db.query(
    `select (select count(*) from products) as products, (select count(*) from product_item_keys) as keys, (select count(*) from terms) as terms,
      (select count(*) from stores) as stores, (select count(*) from brands) as brands, (select count(*) from audit_log) as audit`,
  );
  return rows[0];
}

it('a refusal names its reason and changes nothing', async () => {
  const { db } = server;
  const deps = { db, sealingKeys };
  const taken = productInput(offer.storeId, { externalItemId: 'one-item' });
  expect(await registerProduct(db, job, productBody.parse(taken))).toMatchObject({ ok: true });
  const before = await countRows();
  const unknownStore = { ...taken, storeId: 'str_none' };
  const elsewhere = { ...taken, url: 'https://item.jd.com/1.html' };
  const rating = { score: '6', scale: '5' };
  const store = {
    brandId: 'brd_none',
    platform: 'taobao',
    externalShopId: 'a-shop',
    name: 'x',
    rating: { score: '5', scale: '5' },
    openedOn: '2020-01-01',
  } as const;
  const refusals = [
    await registerProduct(db, job, productBody.parse(taken)),
    await registerProduct(db, job, productBody.parse(unknownStore)),
    await registerProduct(db, job, productBody.parse(elsewhere)),
    await registerProduct(db, { ...job, brandScope: 'brd_other' }, productBody.parse(taken)),
    await changeProduct(db, job, 'prd_none', {}),
    await registerStore(deps, { ...job, source: 'platform' }, store),
    await registerStore(deps, { ...job, source: 'platform' }, { ...store, rating }),
    await changeStore(deps, { ...job, source: 'declared' }, 'str_none', {}),
    await rotateWebhookSecret(deps, { ...job, brandScope: 'brd_other' }, offer.storeId),
    await createBrand(db, job, { name: 'x', pageUrl: 'https://example.com/' }),
    await changeInfluencer(db, job, 'inf_none', {}),
  ];
  expect(refusals.map((outcome) => (outcome.ok ? 'done' : outcome.reason))).toEqual([
    'item_taken',
    'unknown_store',
    'destination_refused',
    'unknown_store',
    'unknown_product',
    'unknown_brand',
    'invalid_field',
    'unknown_store',
    'unknown_store',
    'page_refused',
    'unknown_influencer',
  ]);
  expect(await countRows()).toEqual(before);
});

it('a job of the platform itself outranks what the brand declared, and is audited by its name', async () => {
  const deps = { db: server.db, sealingKeys };
  const rating = { score: '4.6', scale: '5' };
  const poller = { actor: 'store poller', brandScope: undefined, source: 'platform' } as const;
  const outcome = await changeStore(deps, poller, offer.storeId, { rating });
  expect(outcome).toMatchObject({ ok: true, store: { score: '4.6', ratingSource: 'platform' } });
  const asBrand = { actor: 'brand:key_x', brandScope: offer.brand.id, source: 'declared' } as const;
  const refused = await changeStore(deps, asBrand, offer.storeId, { rating: { score: '5', scale: '5' } });
  expect(refused).toEqual({ ok: false, reason: 'outranked', field: 'rating', source: 'platform' });
  const { rows } = await server.db.query("select a.actor from audit_log a where a.action = 'store.rating_recorded'");
  expect(rows).toEqual([{ actor: 'store poller' }]);
});
