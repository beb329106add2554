import assert from 'node:assert/strict';
import type { Platform } from '../../core/vocabulary.ts';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { addTermsVersion } from '../../commissions/terms/terms.ts';
import { newId } from '../../http/new-id.ts';
import { problems } from '../../http/problem.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { checkDestination } from '../../platforms/platform.ts';
import { findStore } from '../stores/queries.ts';
import type { ProductChangeInput, ProductInput } from './product-fields.ts';
import { findProduct, insertItemKeys, insertProduct, lockProduct, readClock, updateProduct } from './queries.ts';
import type { NewProduct, ProductRow } from './queries.ts';

/**
 * Registers a product of a store with its destination, the names orders call it by, and its first terms.
 *
 * @throws Problem not_found (no such store of the caller's); platform_not_supported, destination_not_allowed (the URL); conflict (the
 *   store is closed, or another of its products has the item)
 */
export async function registerProduct(db: Db, principal: Principal, input: ProductInput): Promise<ProductRow> {
  const { title, priceFen, externalItemId = null, affiliateItemId = null, imageUrl = null, status = 'active' } = input;
  const { taoCode = null } = input;
  return await inTransaction(db, async (tx) => {
    const store = await findStore(tx, { storeId: input.storeId, scope: brandScope(principal) });
    if (store === undefined) throw problems.notFound();
    if (store.status !== 'active') throw problems.conflict('The store is closed.');
    const { href, itemKeys } = destinationOf({ platform: store.platform, url: input.url });
    const ids = { externalItemId, affiliateItemId };
    const owner = { id: newId('prd'), brandId: store.brandId, storeId: store.id };
    const { alternateProductId = null } = input;
    await refuseBadAlternate(tx, owner, alternateProductId);
    await insertProduct(tx, {
      ...owner,
      title,
      url: href,
      priceFen,
      ...ids,
      imageUrl,
      taoCode,
      status,
      alternateProductId,
    });
    await addItemKeys(tx, owner, itemKeysOf(itemKeys, ids));
    await addTermsVersion(tx, {
      brandId: store.brandId,
      scope: { productId: owner.id },
      rate: input.commission,
      windowDays: input.windowDays,
      holdDays: input.holdDays,
      validFrom: await readClock(tx),
      createdBy: actorOf(principal),
    });
    return await getProduct(tx, owner.id);
  });
}

/**
 * Changes a product; values not given stay. Commission, window and hold that differ begin a new version of its terms now. Names of the
 * item are only added: orders placed before the change still call it by the old ones.
 *
 * @throws Problem as `registerProduct`
 */
export async function changeProduct(
  db: Db,
  principal: Principal,
  productId: string,
  input: ProductChangeInput,
): Promise<ProductRow> {
  return await inTransaction(db, async (tx) => {
    if (!(await lockProduct(tx, { productId, scope: brandScope(principal) }))) throw problems.notFound();
    const before = await getProduct(tx, productId);
    const destination =
      input.url === undefined ? undefined : destinationOf({ platform: before.platform, url: input.url });
    const after = { ...before, ...input, url: destination?.href ?? before.url };
    if (input.alternateProductId !== undefined) await refuseBadAlternate(tx, before, input.alternateProductId);
    await updateProduct(tx, { ...after, isPriceTaken: input.priceFen !== undefined });
    await addItemKeys(tx, before, itemKeysOf(destination?.itemKeys ?? [], after));
    await changeTerms(tx, principal, { before, input });
    return await getProduct(tx, productId);
  });
}

/** The same product elsewhere is a product of the same brand in another store. @throws Problem validation_failed */
async function refuseBadAlternate(
  tx: Tx,
  product: { brandId: string; storeId: string },
  alternateProductId: string | null,
): Promise<void> {
  if (alternateProductId === null) return;
  const alternate = await findProduct(tx, { productId: alternateProductId, scope: product.brandId });
  if (alternate !== undefined && alternate.storeId !== product.storeId) return;
  const message = 'must be a product of another store of the same brand';
  throw problems.validationFailed([{ path: 'alternateProductId', message }]);
}

/** @throws Problem platform_not_supported, destination_not_allowed */
function destinationOf(product: { platform: Platform; url: string }): { href: string; itemKeys: string[] } {
  const checked = checkDestination(product);
  if (checked.ok) return checked.destination;
  const { code, detail } = checked;
  throw code === 'platform_not_supported'
    ? problems.platformNotSupported(detail)
    : problems.destinationNotAllowed(detail);
}

function itemKeysOf(
  fromUrl: readonly string[],
  { externalItemId, affiliateItemId }: Pick<NewProduct, 'externalItemId' | 'affiliateItemId'>,
): string[] {
  const ids = [externalItemId, affiliateItemId].filter((id) => id !== null);
  return [...new Set([...fromUrl, ...ids.map((id) => `item:${id}`)])];
}

async function addItemKeys(
  tx: Tx,
  product: { id: string; brandId: string; storeId: string },
  itemKeys: readonly string[],
): Promise<void> {
  const clash = await insertItemKeys(tx, { ...product, itemKeys });
  if (clash !== undefined)
    throw problems.conflict(`The product ${clash.productId} of this store has ${clash.itemKey} already.`);
}

/** Begins a version of the product's own terms from what is in force and what was given, if that makes a difference. */
async function changeTerms(
  tx: Tx,
  principal: Principal,
  { before, input }: { before: ProductRow; input: ProductChangeInput },
): Promise<void> {
  const rate = input.commission ?? rateOf(before);
  const windowDays = input.windowDays ?? before.windowDays ?? undefined;
  const holdDays = input.holdDays ?? before.holdDays ?? undefined;
  if (
    windowDays === (before.windowDays ?? undefined) &&
    holdDays === (before.holdDays ?? undefined) &&
    isSameRate(before, rate)
  )
    return;
  if (rate === undefined) {
    const message = 'the product has no terms of its own now; give the commission as well';
    throw problems.validationFailed([{ path: 'commission', message }]);
  }
  await addTermsVersion(tx, {
    brandId: before.brandId,
    scope: { productId: before.id },
    rate,
    windowDays,
    holdDays,
    validFrom: await readClock(tx),
    createdBy: actorOf(principal),
  });
}

type Rate = { rateBp: number } | { flatFen: bigint };

function rateOf({ rateBp, flatFen }: ProductRow): Rate | undefined {
  if (rateBp !== null) return { rateBp };
  return flatFen === null ? undefined : { flatFen };
}

function isSameRate(before: ProductRow, rate: Rate | undefined): boolean {
  if (rate === undefined) return before.rateBp === null && before.flatFen === null;
  return 'rateBp' in rate ? rate.rateBp === before.rateBp : rate.flatFen === before.flatFen;
}

async function getProduct(tx: Tx, productId: string): Promise<ProductRow> {
  const product = await findProduct(tx, { productId, scope: undefined });
  assert(product !== undefined, 'the product was written or locked in this transaction');
  return product;
}
