import assert from 'node:assert/strict';
import { bookLines, type BookableLine } from '../commissions/book-lines.ts';
import { loadTermsBook, type TermsBook } from '../commissions/terms.ts';
import { attribute, reconcile } from '../core/attribution.ts';
import type { ClickIdReading } from '../core/click-id.ts';
import type { FoldedLine, FoldedOrder } from '../core/order.ts';
import { newId } from '../http/new-id.ts';
import type { Tx } from '../infra/db.ts';
import { loadAttributionFacts } from './evidence.ts';
import { foldStoredOrder } from './fold-stored-order.ts';
import {
  type AttributionToWrite,
  findProductsByItemKeys,
  listEventsOfOrders,
  listStandingAttributions,
  type LockedOrder,
  lockOrdersById,
  type StoredAttribution,
  updateOrders,
  upsertAttributions,
  upsertOrderLines,
  type WrittenLine,
} from './recompute-queries.ts';

export interface RecomputeDeps {
  readClickId: (text: string) => ClickIdReading;
  inferenceDelaySeconds: number;
}

interface Recomputed {
  order: LockedOrder;
  folded: FoldedOrder;
  lines: { folded: FoldedLine; productId: string | undefined }[];
}

/**
 * Brings orders, their lines, attributions and journal to what their facts say now. The only way any of them ever changes.
 *
 * Locks the orders in the order of their ids' external keys, reads every fact, decides in `core/`, writes the differences. Running it
 * again without new facts writes nothing to the journal. Called by the message intake, by decisions, and by the sweep.
 *
 * @param orderIds  orders to bring up to date, at most a few hundred
 */
export async function recomputeOrders(tx: Tx, orderIds: readonly string[], deps: RecomputeDeps): Promise<void> {
  if (orderIds.length === 0) return;
  const locked = await lockOrdersById(tx, orderIds);
  const orders = await foldOrders(tx, locked);
  await updateOrders(
    tx,
    orders.map(({ order, folded }) => ({ id: order.id, ...folded })),
  );
  const written = await writeLines(tx, orders);
  const books = await loadBooks(tx, orders);
  const attributions = await attributeLines(tx, { orders, written, books, deps });
  await bookLines(tx, bookable(orders, written, attributions), books);
}

async function foldOrders(tx: Tx, locked: LockedOrder[]): Promise<Recomputed[]> {
  const rows = await listEventsOfOrders(
    tx,
    locked.map((order) => order.id),
  );
  const eventsOf = Map.groupBy(rows, (row) => row.orderId);
  const folded = locked.flatMap((order) => {
    const result = foldStoredOrder(eventsOf.get(order.id) ?? []);
    return result === undefined ? [] : [{ order, folded: result }];
  });
  const products = await findProductsByItemKeys(
    tx,
    folded.flatMap(({ order, folded: { lines } }) =>
      lines.flatMap((line) => line.itemKeys.map((itemKey) => ({ storeId: order.storeId, itemKey }))),
    ),
  );
  return folded.map(({ order, folded: result }) => ({
    order,
    folded: result,
    lines: result.lines.map((line) => ({
      folded: line,
      // The keys are listed most specific first; the first that a product is registered under names it.
      productId: line.itemKeys.map((key) => products.get(`${order.storeId} ${key}`)).find((id) => id !== undefined),
    })),
  }));
}

async function writeLines(tx: Tx, orders: Recomputed[]): Promise<Map<string, WrittenLine>> {
  const rows = await upsertOrderLines(
    tx,
    orders.flatMap(({ order, lines }) =>
      lines.map(({ folded, productId }) => ({
        newId: newId('lin'),
        brandId: order.brandId,
        orderId: order.id,
        productId,
        ...folded,
      })),
    ),
  );
  return new Map(rows.map((row) => [`${row.orderId} ${row.externalLineId}`, row]));
}

/**
 * The terms that may price these lines. A line whose item is not registered is priced by the product of whatever link is credited, which is
 * not known yet: only then all of the brand's terms are read.
 */
async function loadBooks(tx: Tx, orders: Recomputed[]): Promise<Map<string, TermsBook>> {
  const books = new Map<string, TermsBook>();
  for (const [brandId, ofBrand] of Map.groupBy(orders, ({ order }) => order.brandId)) {
    const productIds = ofBrand.flatMap(({ lines }) => lines.map((line) => line.productId));
    const known = [...new Set(productIds)].filter((productId) => productId !== undefined);
    const storeIds = [...new Set(ofBrand.map(({ order }) => order.storeId))];
    const isNarrow = !productIds.includes(undefined);
    books.set(brandId, await loadTermsBook(tx, { brandId, ...(isNarrow ? { storeIds, productIds: known } : {}) }));
  }
  return books;
}

async function attributeLines(
  tx: Tx,
  input: {
    orders: Recomputed[];
    written: ReadonlyMap<string, WrittenLine>;
    books: ReadonlyMap<string, TermsBook>;
    deps: RecomputeDeps;
  },
): Promise<Map<string, StoredAttribution>> {
  const questions = input.orders.flatMap(({ order, folded, lines }) =>
    lines.map((line) => ({
      lineId: lineOf(input.written, order.id, line.folded).id,
      brandId: order.brandId,
      storeId: order.storeId,
      orderSource: order.orderSource,
      orderCreatedAt: folded.createdAt,
      ...(line.productId === undefined ? {} : { productId: line.productId }),
      evidence: line.folded.evidence,
      terms: bookOf(input.books, order.brandId),
    })),
  );
  const facts = await loadAttributionFacts(tx, questions, input.deps);
  const standing = await listStandingAttributions(
    tx,
    questions.map((question) => question.lineId),
  );
  const decided = questions.map(({ lineId, brandId }): AttributionToWrite => {
    const lineFacts = facts.get(lineId);
    assert(lineFacts !== undefined, 'every line asked about has its facts');
    const current = standing.get(lineId);
    const settled = reconcile({
      current: current?.attribution,
      locked: current?.released ?? false,
      fresh: attribute(lineFacts),
    });
    return { lineId, brandId, dispute: undefined, ...settled };
  });
  await upsertAttributions(tx, decided);
  return new Map(decided.map(({ lineId, attribution }) => [lineId, attribution]));
}

function bookable(
  orders: Recomputed[],
  written: ReadonlyMap<string, WrittenLine>,
  attributions: ReadonlyMap<string, StoredAttribution>,
): BookableLine[] {
  return orders.flatMap(({ order, folded, lines }) =>
    lines.map(({ folded: line, productId }) => {
      const row = lineOf(written, order.id, line);
      return {
        lineId: row.id,
        brandId: order.brandId,
        orderId: order.id,
        storeId: order.storeId,
        platform: order.platform,
        productId,
        quantity: BigInt(line.quantity),
        paidFen: line.paidFen,
        refundedFen: line.refundedFen,
        orderCreatedAt: folded.createdAt,
        paidAt: folded.paidAt,
        receivedAt: line.receivedAt,
        receivedSeenAt: row.receivedSeenAt ?? undefined,
        refundOpen: line.refundOpen,
        attribution: creditOf(attributions.get(row.id)),
      };
    }),
  );
}

function creditOf(attribution: StoredAttribution | undefined): BookableLine['attribution'] {
  if (attribution?.state !== 'matched') return undefined;
  const { method, linkId, influencerId, tag } = attribution;
  assert(method !== undefined && linkId !== undefined && influencerId !== undefined, 'a match names whom it credits');
  return { method, linkId, influencerId, tag };
}

function lineOf(written: ReadonlyMap<string, WrittenLine>, orderId: string, line: FoldedLine): WrittenLine {
  const row = written.get(`${orderId} ${line.externalLineId}`);
  assert(row !== undefined, 'every folded line was written');
  return row;
}

function bookOf(books: ReadonlyMap<string, TermsBook>, brandId: string): TermsBook {
  const book = books.get(brandId);
  assert(book !== undefined, 'the terms of every brand concerned were read');
  return book;
}
