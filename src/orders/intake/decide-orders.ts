/** Steps "decide", "price" and "book" for folded orders, and the one write of what they come to. */
import assert from 'node:assert/strict';
import { type BookableLine, draftEntries, writeBooking } from '../../commissions/pricing/book-lines.ts';
import { changedStates, priceLines } from '../../commissions/pricing/price-lines.ts';
import { type PricedLine } from '../../commissions/pricing/queries.ts';
import { listBooked } from '../../ledger/positions/queries.ts';
import type { RateCard } from '../../commissions/terms/rate-cards.ts';
import { attribute } from '../../core/attribution/attribute.ts';
import { reconcile } from '../../core/attribution/reconcile.ts';
import type { Tx } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import type { EntryDraft } from '../../ledger/post/post-entries.ts';
import { loadAttributionFacts } from '../attribution/evidence.ts';
import type { SettledLine } from '../attribution/evidence-queries.ts';
import type { ReadingDeps } from '../attribution/named-evidence.ts';
import type { FoldedOrderState, SoldLine } from './fold-orders.ts';
import { completeNames, type NameAnswers, type NamedFacts, type NamingLine } from './named-facts.ts';
import type { StoredAttribution } from './state-queries.ts';
import {
  type AttributionToWrite,
  type NewOrderEvent,
  type OrderRow,
  updateOrders,
  writeLines,
} from './write-queries.ts';

export interface DecisionDeps extends ReadingDeps {
  inferenceDelaySeconds: number;
}

/** What is to be written to bring orders to what their facts say. */
export interface OrderDecision {
  orders: readonly (OrderRow & { id: string })[];
  lines: readonly SoldLine[];
  attributions: readonly AttributionToWrite[];
  /** Those whose terms or state change. */
  priced: readonly PricedLine[];
  entries: readonly EntryDraft[];
}

/**
 * Decides folded orders, and writes nothing: attributes each line, prices those that earn, and drafts what the ledger lacks.
 *
 * @param orders  whose locks the caller holds
 * @param known  what was looked up for names in messages at hand, before the orders were folded
 */
export async function decideOrders(
  tx: Tx,
  orders: readonly FoldedOrderState[],
  deps: DecisionDeps,
  known?: { atHand: readonly NamingLine[]; answers: NameAnswers },
): Promise<OrderDecision> {
  const standing = orders.flatMap(({ lines }) => lines).flatMap(({ stored }) => stored ?? []);
  const { facts, booked } = await pipelined(tx, () => ({
    facts: completeNames(tx, orders, deps, known),
    booked: listBooked(
      tx,
      standing.map(({ lineId }) => lineId),
    ),
  }));
  const attributions = await attributeLines(tx, facts, deps);
  const bookable = facts.lines.map((line, place) => bookableLine(line, attributions[place]?.attribution));
  const priced = new Map(standing.flatMap((line) => (line.priced === undefined ? [] : [[line.lineId, line.priced]])));
  const { rateCards, splits } = facts;
  const states = await priceLines(tx, bookable, { priced, rateCards, splits });
  return {
    orders: orders.flatMap(({ order, folded }) => (isRowOf(order, folded) ? [] : [{ id: order.id, ...folded }])),
    lines: facts.lines,
    attributions,
    priced: changedStates(states, { priced }),
    entries: draftEntries({ lines: bookable, priced: states, booked, kind: 'booking' }),
  };
}

/** Writes a decision, and the events that it was made with, in one round trip. */
export async function writeOrders(tx: Tx, events: readonly NewOrderEvent[], decision: OrderDecision): Promise<void> {
  const { orders, lines, attributions, priced, entries } = decision;
  const rows = lines.map(({ folded, ...line }) => ({ productId: undefined, ...line, ...folded }));
  await pipelined(tx, () => ({
    orders: updateOrders(tx, orders),
    lines: writeLines(tx, { events, lines: rows, attributions }),
    booking: writeBooking(tx, { states: priced, entries }),
  }));
}

/** What is to be stored of each line's attribution, in the order of the lines. */
async function attributeLines(tx: Tx, facts: NamedFacts, deps: DecisionDeps): Promise<AttributionToWrite[]> {
  const lines = facts.lines.map((line) => Object.assign(line, { terms: rateCardOf(facts, line.brandId) }));
  const settled = new Map(facts.lines.map(({ lineId, stored }) => [lineId, settledLineOf(stored)]));
  const factsOf = await loadAttributionFacts(tx, lines, deps, { named: facts.evidence, settled });
  return lines.map(({ lineId, brandId, stored }): AttributionToWrite => {
    const lineFacts = factsOf.get(lineId);
    assert(lineFacts !== undefined, 'every line has its facts');
    const result = reconcile({
      current: stored?.attribution,
      locked: stored?.priced !== undefined && stored.priced.releasedAt !== null,
      fresh: attribute(lineFacts),
    });
    return { lineId, brandId, dispute: undefined, ...result };
  });
}

function settledLineOf(stored: SoldLine['stored']): SettledLine {
  return {
    ...(stored?.decision !== undefined && { decision: stored.decision }),
    ...(stored?.priced !== undefined && { priced: stored.priced }),
  };
}

function rateCardOf({ rateCards }: NamedFacts, brandId: string): RateCard {
  const rateCard = rateCards.get(brandId);
  assert(rateCard !== undefined, 'the terms of every brand concerned were read');
  return rateCard;
}

function bookableLine({ folded, ...line }: SoldLine, attribution: StoredAttribution | undefined): BookableLine {
  return {
    ...line,
    quantity: BigInt(folded.quantity),
    paidFen: folded.paidFen,
    refundedFen: folded.refundedFen,
    receivedAt: folded.receivedAt,
    refundOpen: folded.refundOpen,
    attribution: creditOf(attribution),
  };
}

function creditOf(attribution: StoredAttribution | undefined): BookableLine['attribution'] {
  if (attribution?.state !== 'matched') return undefined;
  const { method, linkId, influencerId, tag } = attribution;
  assert(method !== undefined && linkId !== undefined && influencerId !== undefined, 'a match names its link');
  return { method, linkId, influencerId, tag };
}

/** Whether the row of the order says already what its facts say. */
function isRowOf(row: FoldedOrderState['order'], folded: OrderRow): boolean {
  return (
    row.status === folded.status &&
    row.createdAt?.getTime() === folded.createdAt.getTime() &&
    row.paidAt?.getTime() === folded.paidAt?.getTime() &&
    row.receivedAt?.getTime() === folded.receivedAt?.getTime() &&
    row.closedAt?.getTime() === folded.closedAt?.getTime()
  );
}
