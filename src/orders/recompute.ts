import assert from 'node:assert/strict';
import { type BookableLine, planBooking, readBooks, writeBooking } from '../commissions/book-lines.ts';
import { loadSplits, loadTermsBooks, type TermsBook } from '../commissions/terms.ts';
import { attribute, reconcile } from '../core/attribution.ts';
import type { ClickIdReading } from '../core/click-id.ts';
import type { Tx } from '../infra/db.ts';
import { together } from '../infra/together.ts';
import {
  type AttributionToWrite,
  listStandingAttributions,
  type StandingAttribution,
  type StoredAttribution,
  upsertAttributions,
} from './attribution-queries.ts';
import { loadAttributionFacts } from './evidence.ts';
import { foldMadeOrders, foldOrders, type OrderAsFolded, type OrderToRecompute } from './fold-orders.ts';
import { askEvidence, type AskedEvidence, completeLinks, type NamedEvidence } from './named-evidence.ts';
import {
  findProductsByItemKeys,
  lockOrdersById,
  readTransactionTime,
  updateOrders,
  upsertOrderLines,
} from './recompute-queries.ts';

export interface RecomputeDeps {
  readClickId: (text: string) => ClickIdReading;
  inferenceDelaySeconds: number;
}

/**
 * Brings orders, their lines, attributions and journal to what their facts say now. The only way any of them ever changes.
 *
 * Locks the orders in the order of their ids' external keys, reads every fact, decides in `core/`, writes the differences. Running it
 * again without new facts writes nothing to the journal. Called by decisions and by the sweep; the message intake has the locks already.
 *
 * @param orderIds  orders to bring up to date, at most a few hundred
 */
export async function recomputeOrders(tx: Tx, orderIds: readonly string[], deps: RecomputeDeps): Promise<void> {
  if (orderIds.length === 0) return;
  await recomputeLocked(tx, await lockOrdersById(tx, orderIds), deps);
}

/**
 * `recomputeOrders` for orders whose locks the caller holds, or which it made in this transaction.
 *
 * Everything is read before anything is written, in as few round trips as the questions allow, however many orders there are: what is
 * stored of the orders (none for orders just made), what their facts name, what prices them, and then all writes.
 */
export async function recomputeLocked(tx: Tx, locked: readonly OrderToRecompute[], deps: RecomputeDeps): Promise<void> {
  const isAllMade = locked.every(({ made }) => made !== undefined);
  const orders = isAllMade ? foldMadeOrders(locked) : await foldOrders(tx, locked);
  if (orders.length === 0) return;
  const named = orders.flatMap(questionsOf);
  const storedLineIds = named.flatMap(({ isStored, lineId }) => (isStored ? [lineId] : []));
  const isReceived = named.some(({ folded }) => folded.receivedAt !== undefined);
  const [products, asked, standing, standingBooks, now] = await together(tx, () => [
    findProductsByItemKeys(tx, itemKeysOf(named)),
    askEvidence(tx, named, { ...deps, storedLineIds }),
    listStandingAttributions(tx, storedLineIds),
    readBooks(tx, storedLineIds),
    isReceived ? readTransactionTime(tx) : unasked,
  ]);
  const lines = named.map((line): SoldLine => {
    // The keys are listed most specific first; the first that a product is registered under names it.
    const keys = line.folded.itemKeys.map((key) => products.get(`${line.storeId} ${key}`));
    const productId = keys.find((id) => id !== undefined);
    return productId === undefined ? line : { ...line, productId };
  });
  const [books, evidence, splits] = await together(tx, () => [
    loadBooks(tx, lines),
    completeLinks(tx, lines, asked),
    loadSplits(tx, likelyShares(lines, asked)),
  ]);
  const attributions = await attributeLines(tx, { lines, books, evidence, standing, deps });
  const bookable = lines.map((line) => bookableLine(line, attributions.get(line.lineId)?.attribution, now));
  const booking = await planBooking(tx, bookable, { books, standing: standingBooks, splits });
  await together(tx, () => [
    updateOrders(
      tx,
      orders.flatMap(({ order: { id, made }, folded }) => (made === undefined ? [{ id, ...folded }] : [])),
    ),
    upsertOrderLines(
      tx,
      lines.map(({ folded, ...line }) => ({ productId: undefined, ...line, ...folded })),
    ),
    upsertAttributions(tx, [...attributions.values()]),
    writeBooking(tx, booking),
  ]);
}

const unasked = Promise.resolve(undefined);

/** A line before its product is known, with what the ladder and the books must know of its order. */
type NamedLine = ReturnType<typeof questionsOf>[number];
type SoldLine = NamedLine & { productId?: string };

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

function itemKeysOf(lines: readonly NamedLine[]): { storeId: string; itemKey: string }[] {
  const keys = lines.flatMap(({ storeId, folded }) => folded.itemKeys.map((itemKey) => ({ storeId, itemKey })));
  return [...new Map(keys.map((key) => [`${key.storeId} ${key.itemKey}`, key])).values()];
}

/** Whom lines that are not booked yet will most likely pay: those whose links their click ids name. */
function likelyShares(lines: readonly SoldLine[], asked: AskedEvidence): { influencerId: string; at: Date }[] {
  const influencerOf = new Map(asked.links?.map((link) => [link.linkNumber, link.influencerId]));
  return lines.flatMap(({ evidence, orderCreatedAt }) => {
    const reading = asked.readings.get(evidence.clickId ?? '');
    const influencerId = reading?.ok === true ? influencerOf.get(reading.linkNumber) : undefined;
    return influencerId === undefined ? [] : [{ influencerId, at: orderCreatedAt }];
  });
}

/**
 * The terms that may price these lines. A line whose item is not registered is priced by the product of whatever link is credited, which is
 * not known yet: only then all of the brand's terms are read.
 */
async function loadBooks(tx: Tx, lines: readonly SoldLine[]): Promise<Map<string, TermsBook>> {
  const scopes = [...Map.groupBy(lines, ({ brandId }) => brandId)].map(([brandId, ofBrand]) => {
    const productIds = new Set(ofBrand.map(({ productId }) => productId));
    const storeIds = [...new Set(ofBrand.map(({ storeId }) => storeId))];
    const known = [...productIds].filter((productId) => productId !== undefined);
    return productIds.has(undefined) ? { brandId } : { brandId, storeIds, productIds: known };
  });
  return loadTermsBooks(tx, scopes);
}

/** Line id → what is to be stored of its attribution. */
async function attributeLines(
  tx: Tx,
  input: {
    lines: readonly SoldLine[];
    books: ReadonlyMap<string, TermsBook>;
    evidence: NamedEvidence;
    standing: ReadonlyMap<string, StandingAttribution>;
    deps: RecomputeDeps;
  },
): Promise<Map<string, AttributionToWrite>> {
  const questions = input.lines.map((line) => Object.assign(line, { terms: bookOf(input.books, line.brandId) }));
  const facts = await loadAttributionFacts(tx, questions, input.deps, input.evidence);
  const decided = questions.map(({ lineId, brandId }): AttributionToWrite => {
    const lineFacts = facts.get(lineId);
    assert(lineFacts !== undefined, 'every line asked about has its facts');
    const current = input.standing.get(lineId);
    const settled = reconcile({
      current: current?.attribution,
      locked: current?.released ?? false,
      fresh: attribute(lineFacts),
    });
    return { lineId, brandId, dispute: undefined, ...settled };
  });
  return new Map(decided.map((row) => [row.lineId, row]));
}

/** @param now  the time of the transaction; needed only for a line that was received */
function bookableLine(
  { folded, ...line }: SoldLine,
  attribution: StoredAttribution | undefined,
  now: Date | undefined,
): BookableLine {
  const { receivedAt } = folded;
  return {
    ...line,
    quantity: BigInt(folded.quantity),
    paidFen: folded.paidFen,
    refundedFen: folded.refundedFen,
    receivedAt,
    receivedSeenAt: receivedAt === undefined ? undefined : (line.receivedSeenAt ?? now),
    refundOpen: folded.refundOpen,
    attribution: creditOf(attribution),
  };
}

function creditOf(attribution: StoredAttribution | undefined): BookableLine['attribution'] {
  if (attribution?.state !== 'matched') return undefined;
  const { method, linkId, influencerId, tag } = attribution;
  assert(method !== undefined && linkId !== undefined && influencerId !== undefined, 'a match names whom it credits');
  return { method, linkId, influencerId, tag };
}

function bookOf(books: ReadonlyMap<string, TermsBook>, brandId: string): TermsBook {
  const book = books.get(brandId);
  assert(book !== undefined, 'the terms of every brand concerned were read');
  return book;
}
