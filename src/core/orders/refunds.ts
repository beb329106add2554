/**
 * The refunds of an order's lines, and the lines with a refund that is not decided yet.
 *
 * Refund messages arrive late, twice, out of order and in several shapes (one line, several lines, the whole order), so every result is a
 * function of the whole set of events and never of their order of arrival.
 */
import assert from 'node:assert/strict';
import type { OrderEventType } from '../vocabulary.ts';
import type { OrderEvent } from './order-event.ts';

/** A stored event of an order. The fingerprint is the SHA-256 (hex) of the normalised event: its identity, and the last tie-break. */
export interface StoredEvent {
  fingerprint: string;
  event: OrderEvent;
}

/** A line with the amount paid for it, fen. */
export interface RefundableLine {
  externalLineId: string;
  paidFen: bigint;
}

/** The refunds of one line, fen: refundedFen is at most the amount paid; refundExcessFen is the amount claimed beyond it, kept for people. */
export interface LineRefund {
  refundedFen: bigint;
  refundExcessFen: bigint;
}

interface ApplyingPortion {
  /** The known lines that the amount is taken from, ascending; empty until the payment with these lines arrives. */
  lineIds: string[];
  spread: boolean;
  amountFen: bigint;
}

/** Compares ids by their UTF-16 code units, so the result is the same on every machine and for every locale. */
export function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The events of one type among facts, in the order of the facts. */
export function ofType(facts: readonly StoredEvent[], type: OrderEventType): OrderEvent[] {
  return facts.filter((fact) => fact.event.type === type).map((fact) => fact.event);
}

/**
 * The refunds of each line. Amounts for one line are applied first, then each spread amount in the order of the refund ids.
 *
 * @param facts  every event of the order, each once, the greatest (version, occurredAt, fingerprint) first
 * @param lines  every line of the order with the amount paid for it, fen
 * @returns one entry for each line. A refund of an unknown line has no effect until a payment contains that line.
 * @throws AssertionError on a negative refund: a bug of the reader, never the sender's input
 */
export function foldRefunds(facts: readonly StoredEvent[], lines: readonly RefundableLine[]): Map<string, LineRefund> {
  const taken = new Map<string, LineRefund>();
  const paid = new Map<string, bigint>();
  for (const line of lines) {
    taken.set(line.externalLineId, { refundedFen: 0n, refundExcessFen: 0n });
    paid.set(line.externalLineId, line.paidFen);
  }
  const remainingOf = (lineId: string): bigint => (paid.get(lineId) ?? 0n) - (taken.get(lineId)?.refundedFen ?? 0n);

  const portions = applyingPortions(facts, [...paid.keys()].toSorted(compareIds));
  const specificFirst = [...portions.filter((p) => !p.spread), ...portions.filter((p) => p.spread)];
  for (const portion of specificFirst) {
    const remaining = portion.lineIds.map((lineId) => ({ lineId, remainingFen: remainingOf(lineId) }));
    const { shares, excessFen } = spreadRefund({ amountFen: portion.amountFen, lines: remaining });
    for (const [lineId, shareFen] of shares) addTo(taken, lineId, { refundedFen: shareFen, refundExcessFen: 0n });
    const [first] = portion.lineIds;
    if (first !== undefined) addTo(taken, first, { refundedFen: 0n, refundExcessFen: excessFen });
  }
  return taken;
}

/**
 * Spreads one amount over the remaining amounts of some lines, in proportion, by largest remainder; equal remainders go by line id.
 *
 * @returns a share for each line (0 ≤ share ≤ its remainingFen), fen, and the excess; shares + excess = amountFen
 * @throws AssertionError on a negative amount
 */
export function spreadRefund({
  amountFen,
  lines,
}: {
  amountFen: bigint;
  lines: readonly { lineId: string; remainingFen: bigint }[];
}): { shares: Map<string, bigint>; excessFen: bigint } {
  assert(amountFen >= 0n, 'a refund is never negative');
  const totalFen = lines.reduce((sum, line) => sum + line.remainingFen, 0n);
  const spreadFen = amountFen < totalFen ? amountFen : totalFen;
  const excessFen = amountFen - spreadFen;
  const shares = new Map<string, bigint>();
  if (totalFen === 0n) return { shares, excessFen };

  let leftFen = spreadFen;
  for (const line of lines) {
    const floorFen = (spreadFen * line.remainingFen) / totalFen;
    shares.set(line.lineId, floorFen);
    leftFen -= floorFen;
  }
  // Fewer fen are left than lines have a fraction, so no line gets more than its remaining amount.
  const fractionOf = (remainingFen: bigint): bigint => (spreadFen * remainingFen) % totalFen;
  const byRemainder = lines.toSorted((left, right) => {
    const [leftFraction, rightFraction] = [fractionOf(left.remainingFen), fractionOf(right.remainingFen)];
    if (leftFraction === rightFraction) return compareIds(left.lineId, right.lineId);
    return leftFraction > rightFraction ? -1 : 1;
  });
  for (const line of byRemainder) {
    if (leftFen === 0n) break;
    shares.set(line.lineId, (shares.get(line.lineId) ?? 0n) + 1n);
    leftFen -= 1n;
  }
  return { shares, excessFen };
}

/**
 * The lines with an open refund: requested, without an end (a refund or an exchange made) and without a withdrawal at or after the last
 * request. Versions are not comparable across types, so times decide. An exchange takes no money back and keeps no line open.
 *
 * @param lineIds  every known line of the order; a request that names no line means all of them
 */
export function linesWithOpenRefund(facts: readonly StoredEvent[], lineIds: readonly string[]): Set<string> {
  const ended = new Set(ofType(facts, 'refunded').map((event) => event.refund?.refundId));
  const withdrawals = ofType(facts, 'refund_closed');
  const open = new Set<string>();
  for (const request of ofType(facts, 'refund_requested')) {
    const { refund } = request;
    if (refund === undefined || refund.kind !== 'refund' || ended.has(refund.refundId)) continue;
    const withdrawn = withdrawals.some(
      (event) => event.refund?.refundId === refund.refundId && event.occurredAt >= request.occurredAt,
    );
    if (withdrawn) continue;
    const named = refund.portions.length === 0 ? [[]] : refund.portions.map((portion) => portion.lineIds);
    for (const ids of named) {
      for (const lineId of ids.length === 0 ? lineIds : ids) open.add(lineId);
    }
  }
  return open;
}

/**
 * The portions that apply. For each refund, the greatest event that names a line decides about that line; lesser events do not. A spread
 * portion applies only as a whole, because its amount has no known part for a line that a greater event decides.
 */
function applyingPortions(facts: readonly StoredEvent[], knownLineIds: readonly string[]): ApplyingPortion[] {
  const known = new Set(knownLineIds);
  const refunds = ofType(facts, 'refunded').flatMap((event) => (event.refund?.kind === 'refund' ? [event.refund] : []));
  const decidedOf = new Map<string, Set<string>>();
  const applying: { refundId: string; portion: ApplyingPortion }[] = [];
  for (const { refundId, portions } of refunds) {
    const decided = decidedOf.get(refundId) ?? new Set<string>();
    const concerned: string[] = [];
    for (const { lineIds, refundedFen } of portions) {
      assert(refundedFen >= 0n, 'a refund is never negative');
      const named = [...new Set(lineIds)].toSorted(compareIds);
      const targets = named.length === 0 ? [...knownLineIds] : named.filter((lineId) => known.has(lineId));
      concerned.push(...named, ...targets);
      const applies = ![...named, ...targets].some((lineId) => decided.has(lineId));
      const portion = { lineIds: targets, spread: named.length !== 1, amountFen: refundedFen };
      if (applies) applying.push({ refundId, portion });
    }
    for (const lineId of concerned) decided.add(lineId);
    decidedOf.set(refundId, decided);
  }
  // The sort is stable: within one refund the greatest event comes first, then the position of the portion in it.
  return applying.toSorted((left, right) => compareIds(left.refundId, right.refundId)).map(({ portion }) => portion);
}

function addTo(taken: Map<string, LineRefund>, lineId: string, change: LineRefund): void {
  const before = taken.get(lineId) ?? { refundedFen: 0n, refundExcessFen: 0n };
  taken.set(lineId, {
    refundedFen: before.refundedFen + change.refundedFen,
    refundExcessFen: before.refundExcessFen + change.refundExcessFen,
  });
}
