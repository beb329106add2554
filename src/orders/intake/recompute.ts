import assert from 'node:assert/strict';
import { type BookableLine, type Booking, planBooking, writeBooking } from '../../commissions/pricing/book-lines.ts';
import type { RateCard } from '../../commissions/terms/terms.ts';
import { attribute, reconcile } from '../../core/attribution/attribute.ts';
import type { ClickIdReading } from '../../core/clicks/click-id.ts';
import type { Tx } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import {
  type AttributionToWrite,
  type StoredAttribution,
  upsertAttributions,
} from '../attribution/attribution-queries.ts';
import { loadAttributionFacts } from '../attribution/evidence.ts';
import { foldMadeOrders, foldOrders, type OrderAsFolded, type OrderToRecompute } from './fold-orders.ts';
import { type OrderFacts, readOrderFacts, type SoldLine } from './order-facts.ts';
import type { NewOrderEvent } from './intake-queries.ts';
import { insertNewLines } from './new-line-queries.ts';
import { type LineToWrite, lockOrdersById, updateOrders, upsertOrderLines } from './recompute-queries.ts';

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
  await writeDecision(tx, await decideLocked(tx, await lockOrdersById(tx, orderIds), deps));
}

/** What is to be written to bring orders to what their facts say. */
export interface OrderDecision {
  orders: readonly OrderAsFolded[];
  lines: readonly SoldLine[];
  attributions: ReadonlyMap<string, AttributionToWrite>;
  booking: Booking;
}

/**
 * First part of `recomputeOrders` for orders whose locks the caller holds, or which it made in this transaction: reads and decides, writes
 * nothing.
 *
 * Everything is read before anything is written, in as few round trips as the questions allow, however many orders there are: what is
 * stored of the orders (none for orders just made), what their facts name, what prices them.
 *
 * @returns undefined where there is nothing to write
 */
export async function decideLocked(
  tx: Tx,
  locked: readonly OrderToRecompute[],
  deps: RecomputeDeps,
): Promise<OrderDecision | undefined> {
  const isAllMade = locked.every(({ made }) => made !== undefined);
  const orders = isAllMade ? foldMadeOrders(locked) : await foldOrders(tx, locked);
  if (orders.length === 0) return undefined;
  return decideOrders(tx, orders, { facts: await readOrderFacts(tx, orders, deps), deps });
}

/** The same for orders whose facts the caller has read; it reads only what these do not settle. */
export async function decideOrders(
  tx: Tx,
  orders: readonly OrderAsFolded[],
  { facts, deps }: { facts: OrderFacts; deps: RecomputeDeps },
): Promise<OrderDecision> {
  const { lines, books, splits, standingPositions, now } = facts;
  const attributions = await attributeLines(tx, facts, deps);
  const bookable = lines.map((line) => bookableLine(line, attributions.get(line.lineId)?.attribution, now));
  const booking = await planBooking(tx, bookable, { books, standing: standingPositions, splits });
  return { orders, lines, attributions, booking };
}

/** Last part of `recomputeOrders`: one round trip, nothing to wait for in it. */
export async function writeDecision(tx: Tx, decision: OrderDecision | undefined): Promise<void> {
  if (decision === undefined) return;
  const { orders, lines, attributions, booking } = decision;
  await together(tx, () => [
    updateOrders(
      tx,
      orders.flatMap(({ order: { id, made }, folded }) => (made === undefined ? [{ id, ...folded }] : [])),
    ),
    upsertOrderLines(tx, lines.map(lineToWrite)),
    upsertAttributions(tx, [...attributions.values()]),
    writeBooking(tx, booking),
  ]);
}

/** The same for orders that were all made in this transaction, with their events. */
export async function writeNewOrders(
  tx: Tx,
  events: readonly NewOrderEvent[],
  { lines, attributions, booking }: OrderDecision,
): Promise<void> {
  const all = { events, lines: lines.map(lineToWrite), attributions: [...attributions.values()] };
  await together(tx, () => [insertNewLines(tx, all), writeBooking(tx, booking)]);
}

function lineToWrite({ folded, ...line }: SoldLine): LineToWrite {
  return { productId: undefined, ...line, ...folded };
}

/** Line id → what is to be stored of its attribution. */
async function attributeLines(
  tx: Tx,
  input: OrderFacts,
  deps: RecomputeDeps,
): Promise<Map<string, AttributionToWrite>> {
  const questions = input.lines.map((line) => Object.assign(line, { terms: bookOf(input.books, line.brandId) }));
  const facts = await loadAttributionFacts(tx, questions, deps, input.evidence);
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

function bookOf(books: ReadonlyMap<string, RateCard>, brandId: string): RateCard {
  const book = books.get(brandId);
  assert(book !== undefined, 'the terms of every brand concerned were read');
  return book;
}
