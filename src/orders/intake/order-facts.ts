/** Everything that decides what becomes of orders, read before anything of them is written. */
import { readStandingPositions, type StandingPositions } from '../../commissions/pricing/book-lines.ts';
import {
  loadSplits,
  loadSplitsOfLinks,
  listRateCards,
  type Splits,
  type RateCard,
} from '../../commissions/terms/terms.ts';
import type { Tx } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import { listStandingAttributions, type StandingAttribution } from '../attribution/attribution-queries.ts';
import type { OrderAsFolded } from './fold-orders.ts';
import {
  askEvidence,
  type AskedEvidence,
  completeLinks,
  type NamedEvidence,
  readClickIds,
  type ReadingDeps,
} from '../attribution/named-evidence.ts';
import { findProductsByItemKeys, readTransactionTime } from './recompute-queries.ts';

export interface OrderFacts {
  lines: readonly SoldLine[];
  /** By brand. */
  books: ReadonlyMap<string, RateCard>;
  evidence: NamedEvidence;
  /** Of those whom the lines will most likely pay. */
  splits: Splits;
  /** What stands of lines stored before, by line id. */
  standing: ReadonlyMap<string, StandingAttribution>;
  standingPositions: StandingPositions;
  /** The time of the transaction; read only where a line was received. */
  now: Date | undefined;
}

/** A line before its product is known, with what the ladder and the books must know of its order. */
type NamedLine = ReturnType<typeof questionsOf>[number];
export type SoldLine = NamedLine & { productId?: string };

const unasked = Promise.resolve(undefined);

/** Reads in two round trips, whatever is stored of the orders; the caller holds their locks. */
export async function readOrderFacts(tx: Tx, orders: readonly OrderAsFolded[], deps: ReadingDeps): Promise<OrderFacts> {
  const named = orders.flatMap(questionsOf);
  const storedLineIds = named.flatMap(({ isStored, lineId }) => (isStored ? [lineId] : []));
  const [products, asked, standing, standingPositions, now] = await together(tx, () => [
    findProductsByItemKeys(tx, itemKeysOf(named)),
    askEvidence(tx, named, { ...deps, storedLineIds }),
    listStandingAttributions(tx, storedLineIds),
    readStandingPositions(tx, storedLineIds),
    isReceived(named) ? readTransactionTime(tx) : unasked,
  ]);
  const lines = soldLines(named, products);
  const [books, evidence, splits] = await together(tx, () => [
    loadBooks(tx, lines),
    completeLinks(tx, lines, asked),
    loadSplits(tx, likelyShares(lines, asked)),
  ]);
  return { lines, books, evidence, splits, standing, standingPositions, now };
}

/**
 * The same in one round trip for orders that nothing is stored of: terms are asked for by the names of the items and shares by the numbers
 * of the links, before either is known. A second one only where an item is not registered, or where others than click ids name links.
 */
export async function readFactsOfNewOrders(
  tx: Tx,
  orders: readonly OrderAsFolded[],
  deps: ReadingDeps,
): Promise<OrderFacts> {
  const named = orders.flatMap(questionsOf);
  const readings = readClickIds(named, deps);
  const [products, asked, narrow, splits, now] = await together(tx, () => [
    findProductsByItemKeys(tx, itemKeysOf(named)),
    askEvidence(tx, named, { ...deps, readings, storedLineIds: [] }),
    listRateCards(tx, scopesByItems(named)),
    loadSplitsOfLinks(tx, likelyLinks(named, readings)),
    isReceived(named) ? readTransactionTime(tx) : unasked,
  ]);
  const lines = soldLines(named, products);
  const unnamed = new Set(lines.flatMap(({ brandId, productId }) => (productId === undefined ? [brandId] : [])));
  const [whole, evidence] = await together(tx, () => [
    listRateCards(
      tx,
      [...unnamed].map((brandId) => ({ brandId })),
    ),
    completeLinks(tx, lines, asked),
  ]);
  const books = new Map([...narrow, ...whole]);
  return { lines, books, evidence, splits, standing: new Map(), standingPositions: NO_BOOKS, now };
}

const NO_BOOKS: StandingPositions = { frozen: new Map(), booked: new Map() };

function questionsOf({ order, folded: { createdAt, paidAt }, lines }: OrderAsFolded) {
  const { id: orderId, brandId, storeId, orderSource, platform } = order;
  return lines.map((line) => ({
    ...line,
    orderId,
    brandId,
    storeId,
    orderSource,
    platform,
    orderCreatedAt: createdAt,
    paidAt,
    evidence: line.folded.evidence,
  }));
}

function isReceived(lines: readonly NamedLine[]): boolean {
  return lines.some(({ folded }) => folded.receivedAt !== undefined);
}

function itemKeysOf(lines: readonly NamedLine[]): { brandId: string; storeId: string; itemKey: string }[] {
  const keys = lines.flatMap(({ brandId, storeId, folded }) =>
    folded.itemKeys.map((itemKey) => ({ brandId, storeId, itemKey })),
  );
  return [...new Map(keys.map((key) => [`${key.storeId} ${key.itemKey}`, key])).values()];
}

/** @param products  keyed by `<store id> <item key>` */
function soldLines(lines: readonly NamedLine[], products: ReadonlyMap<string, string>): SoldLine[] {
  return lines.map((line): SoldLine => {
    // The keys are listed most specific first; the first that a product is registered under names it.
    const keys = line.folded.itemKeys.map((key) => products.get(`${line.storeId} ${key}`));
    const productId = keys.find((id) => id !== undefined);
    return productId === undefined ? line : { ...line, productId };
  });
}

/** Whom lines that are not booked yet will most likely pay: those whose links their click ids name. */
function likelyShares(lines: readonly SoldLine[], asked: AskedEvidence): { influencerId: string; at: Date }[] {
  const influencerOf = new Map(asked.links?.map((link) => [link.linkNumber, link.influencerId]));
  return likelyLinks(lines, asked.readings).flatMap(({ linkNumber, at }) => {
    const influencerId = influencerOf.get(linkNumber);
    return influencerId === undefined ? [] : [{ influencerId, at }];
  });
}

function likelyLinks(
  lines: readonly NamedLine[],
  readings: AskedEvidence['readings'],
): { linkNumber: number; at: Date }[] {
  return lines.flatMap(({ evidence, orderCreatedAt }) => {
    const reading = readings.get(evidence.clickId ?? '');
    return reading?.ok === true ? [{ linkNumber: reading.linkNumber, at: orderCreatedAt }] : [];
  });
}

/**
 * The terms that may price these lines. A line whose item is not registered is priced by the product of whatever link is credited, which is
 * not known yet: only then all of the brand's terms are read.
 */
async function loadBooks(tx: Tx, lines: readonly SoldLine[]): Promise<Map<string, RateCard>> {
  const scopes = [...Map.groupBy(lines, ({ brandId }) => brandId)].map(([brandId, ofBrand]) => {
    const productIds = new Set(ofBrand.map(({ productId }) => productId));
    const known = [...productIds].filter((productId) => productId !== undefined);
    return productIds.has(undefined) ? { brandId } : { brandId, storeIds: storesOf(ofBrand), productIds: known };
  });
  return listRateCards(tx, scopes);
}

/** The scopes by which `loadBooks` would read, should every item be registered. */
function scopesByItems(lines: readonly NamedLine[]) {
  return [...Map.groupBy(lines, ({ brandId }) => brandId)].map(([brandId, ofBrand]) => {
    return { brandId, storeIds: storesOf(ofBrand), items: itemKeysOf(ofBrand) };
  });
}

function storesOf(lines: readonly NamedLine[]): string[] {
  return [...new Set(lines.map(({ storeId }) => storeId))];
}
