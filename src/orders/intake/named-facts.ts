/**
 * What the names in order lines stand for: products, rate cards, links, clicks, leases, shares. The names are known before the orders are
 * locked, so most of this is read in the round trip that records the messages; `completeNames` reads what only the fold brings up.
 */
import { listRateCards, type RateCard, type RateCardScope } from '../../commissions/terms/rate-cards.ts';
import { loadSplitsOfLinks, type Splits } from '../../commissions/terms/split-queries.ts';
import type { LineEvidence } from '../../core/orders/order-event.ts';
import type { Tx } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import {
  completeLinks,
  type EvidenceAnswers,
  lookUpEvidence,
  type NamedEvidence,
  readClickIds,
  type ReadingDeps,
} from '../attribution/named-evidence.ts';
import type { FoldedOrderState, SoldLine } from './fold-orders.ts';
import { listProductsByItemKeys } from '../attribution/evidence-queries.ts';

/** A line as far as its names go. */
export interface NamingLine {
  brandId: string;
  storeId: string;
  itemKeys: readonly string[];
  evidence: LineEvidence;
  orderCreatedAt: Date;
}

/** What the names of some lines stand for, as one round trip answers it. */
export interface NameAnswers {
  /** By `<store id> <item key>`. */
  products: ReadonlyMap<string, string>;
  evidence: EvidenceAnswers;
  /** By brand: the terms of the lines' stores and registered items. */
  rateCards: ReadonlyMap<string, RateCard>;
  /** Of the influencers whose links click ids name: most likely to be paid. */
  splits: Splits;
}

/** Everything that the decision about some lines rests on, beside what is stored of them. */
export interface NamedFacts {
  lines: readonly SoldLine[];
  rateCards: ReadonlyMap<string, RateCard>;
  evidence: NamedEvidence;
  splits: Splits;
}

/** Reads what the names of the lines stand for, in one round trip. */
export async function lookUpNames(tx: Tx, lines: readonly NamingLine[], deps: ReadingDeps): Promise<NameAnswers> {
  const readings = readClickIds(lines, deps);
  return pipelined(tx, () => ({
    products: listProductsByItemKeys(tx, itemKeysOf(lines)),
    evidence: lookUpEvidence(tx, lines, readings),
    rateCards: listRateCards(tx, scopesOf(lines)),
    splits: loadSplitsOfLinks(tx, creditedLinks(lines, readings)),
  }));
}

/**
 * The facts that decide folded orders. Without a further round trip where the lookup covered every name; else one that looks up all of them
 * again, and one for links and rate cards that can only be named once those answers are there.
 *
 * @param atHand  the lines that `answers` is about
 */
export async function completeNames(
  tx: Tx,
  orders: readonly FoldedOrderState[],
  deps: ReadingDeps,
  known?: { atHand: readonly NamingLine[]; answers: NameAnswers },
): Promise<NamedFacts> {
  const sold = orders.flatMap(({ lines }) => lines);
  const isCovered = known !== undefined && orders.every((order) => isCoveredBy(order, known.atHand));
  const answers = isCovered ? known.answers : await lookUpNames(tx, sold.map(namingLineOf), deps);
  for (const line of sold) line.productId = productOf(line, answers.products);
  const decisions = sold.flatMap(({ stored }) => stored?.decision ?? []);
  // A line whose item is not registered is priced by the product of the link that is credited, which is not known yet.
  const unregistered = new Set(sold.flatMap(({ brandId, productId }) => (productId === undefined ? [brandId] : [])));
  const { whole, evidence } = await pipelined(tx, () => ({
    whole: listRateCards(
      tx,
      [...unregistered].map((brandId) => ({ brandId })),
    ),
    evidence: completeLinks(tx, sold, answers.evidence, decisions),
  }));
  return { lines: sold, rateCards: new Map([...answers.rateCards, ...whole]), evidence, splits: answers.splits };
}

/** An order made of the messages at hand alone has no other names; of a known one, every line must have been looked up as it is. */
function isCoveredBy({ lines, hasStoredFacts }: FoldedOrderState, atHand: readonly NamingLine[]): boolean {
  if (!hasStoredFacts) return true;
  const names = new Set(atHand.map((line) => namesText(line)));
  return lines.every((line) => names.has(namesText(namingLineOf(line))));
}

function namesText({ storeId, itemKeys, evidence }: NamingLine): string {
  return JSON.stringify([storeId, itemKeys, Object.entries(evidence).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function namingLineOf({ brandId, storeId, folded, evidence, orderCreatedAt }: SoldLine): NamingLine {
  return { brandId, storeId, itemKeys: folded.itemKeys, evidence, orderCreatedAt };
}

/** The keys are listed most specific first; the first under which a product is registered names it. */
function productOf({ storeId, folded }: SoldLine, products: ReadonlyMap<string, string>): string | undefined {
  for (const itemKey of folded.itemKeys) {
    const productId = products.get(`${storeId} ${itemKey}`);
    if (productId !== undefined) return productId;
  }
  return undefined;
}

function itemKeysOf(lines: readonly NamingLine[]): { brandId: string; storeId: string; itemKey: string }[] {
  const keys = lines.flatMap(({ brandId, storeId, itemKeys }) =>
    itemKeys.map((itemKey) => ({ brandId, storeId, itemKey })),
  );
  return [...new Map(keys.map((key) => [`${key.storeId} ${key.itemKey}`, key])).values()];
}

function creditedLinks(
  lines: readonly NamingLine[],
  readings: EvidenceAnswers['readings'],
): { linkNumber: number; at: Date }[] {
  return lines.flatMap(({ evidence, orderCreatedAt }) => {
    const reading = readings.get(evidence.clickId ?? '');
    return reading?.ok === true ? [{ linkNumber: reading.linkNumber, at: orderCreatedAt }] : [];
  });
}

/** The terms that may price the lines, should every item be registered. */
function scopesOf(lines: readonly NamingLine[]): RateCardScope[] {
  return [...Map.groupBy(lines, ({ brandId }) => brandId)].map(([brandId, ofBrand]) => {
    return { brandId, storeIds: [...new Set(ofBrand.map(({ storeId }) => storeId))], items: itemKeysOf(ofBrand) };
  });
}
