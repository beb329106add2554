import assert from 'node:assert/strict';
import type { Acting } from '../../access/principal.ts';
import { changesBetween, recordAudit } from '../../audit/record-audit.ts';
import { addTermsVersion } from '../../commissions/terms/add-terms.ts';
import { newId } from '../../http/new-id.ts';
import type { Db, Tx } from '../../infra/db.ts';
import { inRefusableTransaction } from '../../infra/refusal.ts';
import type { Outcome } from '../../infra/refusal.ts';
import { checkDestination } from '../../platforms/platform.ts';
import type { Platform } from '../../platforms/platform.ts';
import { findStore } from '../stores/queries.ts';
import type { ProductChangeInput, ProductInput } from './product-fields.ts';
import { findProduct, insertItemKeys, insertProduct, lockProduct, readClock, updateProduct } from './queries.ts';
import type { ItemKeyClash, NewProduct, ProductRow } from './queries.ts';

export type ProductRefusal =
  | { reason: 'unknown_store' }
  | { reason: 'unknown_product' }
  | { reason: 'store_closed' }
  | { reason: 'destination_refused'; code: 'platform_not_supported' | 'destination_not_allowed'; detail: string }
  | { reason: 'invalid_field'; path: string; message: string }
  /** Terms of the product that begin at the same instant or later. */
  | { reason: 'terms_overlap' }
  /** Another product of the store has one of the names by which order lines find this one. */
  | ({ reason: 'item_taken' } & ItemKeyClash);
export type ProductOutcome = Outcome<{ product: ProductRow }, ProductRefusal>;
type Refused = { ok: false } & ProductRefusal;

/** Registers a product of a store with its destination, the names by which orders call it, and its first terms. */
export async function registerProduct(db: Db, acting: Acting, input: ProductInput): Promise<ProductOutcome> {
  const { title, priceFen, externalItemId = null, affiliateItemId = null, imageUrl = null, status = 'active' } = input;
  const { taoCode = null, alternateProductId = null } = input;
  return await inRefusableTransaction(db, async (tx): Promise<ProductOutcome> => {
    const store = await findStore(tx, { storeId: input.storeId, scope: acting.brandScope });
    if (store === undefined) return { ok: false, reason: 'unknown_store' };
    if (store.status !== 'active') return { ok: false, reason: 'store_closed' };
    const destination = readDestination({ platform: store.platform, url: input.url });
    if (!destination.ok) return destination;
    const ids = { externalItemId, affiliateItemId };
    const owner = { id: newId('prd'), brandId: store.brandId, storeId: store.id };
    const badAlternate = await findBadAlternate(tx, owner, alternateProductId);
    if (badAlternate !== undefined) return badAlternate;
    const facts = { title, url: destination.href, priceFen, ...ids, imageUrl, taoCode, status, alternateProductId };
    await insertProduct(tx, { ...owner, ...facts });
    const clash = await addItemKeys(tx, owner, itemKeysOf(destination.itemKeys, ids));
    if (clash !== undefined) return clash;
    const { commission: rate, windowDays, holdDays } = input;
    const overlap = await beginTerms(tx, acting, { product: owner, rate, windowDays, holdDays });
    if (overlap !== undefined) return overlap;
    const product = await getProduct(tx, owner.id);
    const entry = { actor: acting.actor, brandId: owner.brandId, objectId: owner.id };
    const detail = { storeId: owner.storeId, ...recordedFields(product) };
    await recordAudit(tx, { ...entry, action: 'product.registered', detail });
    return { ok: true, product };
  });
}

/**
 * Changes a product; values that are not given stay. A commission, window or hold that differs begins a new version of its terms now. Names of
 * the item are only added, because orders placed before the change still use the old ones.
 */
export async function changeProduct(
  db: Db,
  acting: Acting,
  productId: string,
  input: ProductChangeInput,
): Promise<ProductOutcome> {
  return await inRefusableTransaction(db, async (tx): Promise<ProductOutcome> => {
    if (!(await lockProduct(tx, { productId, scope: acting.brandScope })))
      return { ok: false, reason: 'unknown_product' };
    const before = await getProduct(tx, productId);
    const destination =
      input.url === undefined
        ? { ok: true as const, href: before.url, itemKeys: [] }
        : readDestination({ platform: before.platform, url: input.url });
    if (!destination.ok) return destination;
    const badAlternate =
      input.alternateProductId === undefined ? undefined : await findBadAlternate(tx, before, input.alternateProductId);
    if (badAlternate !== undefined) return badAlternate;
    const wanted = { ...before, ...input, url: destination.href };
    await updateProduct(tx, { ...wanted, isPriceTaken: input.priceFen !== undefined });
    const refusal =
      (await addItemKeys(tx, before, itemKeysOf(destination.itemKeys, wanted))) ??
      (await changeTerms(tx, acting, { before, input }));
    if (refusal !== undefined) return refusal;
    const product = await getProduct(tx, productId);
    const changes = changesBetween(recordedFields(before), recordedFields(product));
    const entry = { actor: acting.actor, brandId: before.brandId, objectId: productId };
    if (changes !== undefined) await recordAudit(tx, { ...entry, action: 'product.changed', detail: changes });
    return { ok: true, product };
  });
}

/** The fields that the audit log shows of a product. */
function recordedFields(product: ProductRow) {
  const { title, url, priceFen, externalItemId, affiliateItemId, imageUrl, taoCode, alternateProductId, status } =
    product;
  const facts = { title, url, priceFen, externalItemId, affiliateItemId, imageUrl, taoCode };
  const { rateBp, flatFen, windowDays, holdDays } = product;
  return { ...facts, alternateProductId, status, rateBp, flatFen, windowDays, holdDays };
}

/** The alternate of a product is one of the same brand in another store. */
async function findBadAlternate(
  tx: Tx,
  product: { brandId: string; storeId: string },
  alternateProductId: string | null,
): Promise<Refused | undefined> {
  if (alternateProductId === null) return undefined;
  const alternate = await findProduct(tx, { productId: alternateProductId, scope: product.brandId });
  if (alternate !== undefined && alternate.storeId !== product.storeId) return undefined;
  const message = 'must be a product of another store of the same brand';
  return { ok: false, reason: 'invalid_field', path: 'alternateProductId', message };
}

function readDestination(product: {
  platform: Platform;
  url: string;
}): { ok: true; href: string; itemKeys: string[] } | Refused {
  const checked = checkDestination(product);
  if (checked.ok) return { ok: true, href: checked.destination.href, itemKeys: checked.destination.itemKeys };
  return { ok: false, reason: 'destination_refused', code: checked.code, detail: checked.detail };
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
): Promise<Refused | undefined> {
  const clash = await insertItemKeys(tx, { ...product, itemKeys });
  return clash === undefined ? undefined : { ok: false, reason: 'item_taken', ...clash };
}

/** Begins a version of the product's own terms from those in force and the given values, where that makes a difference. */
async function changeTerms(
  tx: Tx,
  acting: Acting,
  { before, input }: { before: ProductRow; input: ProductChangeInput },
): Promise<Refused | undefined> {
  const rate = input.commission ?? rateOf(before);
  const windowDays = input.windowDays ?? before.windowDays ?? undefined;
  const holdDays = input.holdDays ?? before.holdDays ?? undefined;
  if (
    windowDays === (before.windowDays ?? undefined) &&
    holdDays === (before.holdDays ?? undefined) &&
    isSameRate(before, rate)
  )
    return undefined;
  if (rate === undefined) {
    const message = 'the product has no terms of its own now; give the commission as well';
    return { ok: false, reason: 'invalid_field', path: 'commission', message };
  }
  return beginTerms(tx, acting, { product: before, rate, windowDays, holdDays });
}

type Rate = { rateBp: number } | { flatFen: bigint };

async function beginTerms(
  tx: Tx,
  { actor }: Acting,
  terms: {
    product: { id: string; brandId: string };
    rate: Rate;
    windowDays: number | undefined;
    holdDays: number | undefined;
  },
): Promise<Refused | undefined> {
  const { product, rate, windowDays, holdDays } = terms;
  const added = await addTermsVersion(tx, {
    brandId: product.brandId,
    scope: { productId: product.id },
    rate,
    windowDays,
    holdDays,
    validFrom: await readClock(tx),
    createdBy: actor,
  });
  return added.ok ? undefined : { ok: false, reason: 'terms_overlap' };
}

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
