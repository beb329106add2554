/**
 * What refunds take from the lines of an order, and which lines wait for a refund to be decided.
 *
 * Refund messages come late, twice, out of order and in several shapes (one line, several lines, the whole order), so everything here is
 * a function of the whole set of facts, never of the order in which they came.
 */
import assert from 'node:assert/strict';
import type { OrderEventType } from '../vocabulary.ts';
import type { OrderEvent } from './order-event.ts';

/** A message of an order as it is kept. The fingerprint is the SHA-256 (hex) of the normalised event: the last tie-break, and its identity. */
export interface StoredEvent {
  fingerprint: string;
  event: OrderEvent;
}

/** What a refund can take from: a line and what the buyer paid for it, fen. */
export interface RefundableLine {
  externalLineId: string;
  paidFen: bigint;
}

/** What refunds took from one line: never more than was paid; what was claimed beyond that is the excess, kept and flagged. */
export interface LineRefund {
  refundedFen: bigint;
  refundExcessFen: bigint;
}

interface StandingPortion {
  /** Known lines it is taken from, ascending; none yet where the payment that brings them is still to come. */
  lineIds: string[];
  spread: boolean;
  amountFen: bigint;
}

/** Compares ids by their UTF-16 code units: the same on every machine, whatever its locale. */
export function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The events of one type among facts, in the order of the facts. */
export function ofType(facts: readonly StoredEvent[], type: OrderEventType): OrderEvent[] {
  return facts.filter((fact) => fact.event.type === type).map((fact) => fact.event);
}

/**
 * What refunds took from each line. Line-specific amounts come first, then each spread amount in the order of the refund ids.
 *
 * @param facts  every event of the order, each once, the greatest (version, occurredAt, fingerprint) first
 * @param lines  every line of the order with what was paid for it, fen
 * @returns one entry a line. A refund of a line not listed has no effect yet: it counts as soon as a payment brings the line.
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

  const portions = standingPortions(facts, [...paid.keys()].toSorted(compareIds));
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
 * Spreads one amount over what remains of some lines in proportion, by largest remainder; equal remainders go by line id.
 *
 * @returns a share for every line (0 ≤ share ≤ its remainingFen) and what did not fit; shares + excess = amountFen
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
  // There are fewer single fen left than lines with a fraction, so no line is ever given more than remains of it.
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
 * The lines that wait for a refund to be decided: asked for, with neither an end (a refund or an exchange made) nor a withdrawal at or
 * after the last request. Versions do not compare across types, so times do. An exchange takes no money back and holds nothing.
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
 * The portions that stand: for each refund the greatest event that names a line speaks for that line, and a lesser one no longer does.
 * A spread portion stands only whole, because its amount cannot be told apart once a greater event speaks for one of its lines.
 */
function standingPortions(facts: readonly StoredEvent[], knownLineIds: readonly string[]): StandingPortion[] {
  const known = new Set(knownLineIds);
  const refunds = ofType(facts, 'refunded').flatMap((event) => (event.refund?.kind === 'refund' ? [event.refund] : []));
  const spokenFor = new Map<string, Set<string>>();
  const standing: { refundId: string; portion: StandingPortion }[] = [];
  for (const { refundId, portions } of refunds) {
    const claimed = spokenFor.get(refundId) ?? new Set<string>();
    const claims: string[] = [];
    for (const { lineIds, refundedFen } of portions) {
      assert(refundedFen >= 0n, 'a refund is never negative');
      const named = [...new Set(lineIds)].toSorted(compareIds);
      const targets = named.length === 0 ? [...knownLineIds] : named.filter((lineId) => known.has(lineId));
      claims.push(...named, ...targets);
      const stands = ![...named, ...targets].some((lineId) => claimed.has(lineId));
      const portion = { lineIds: targets, spread: named.length !== 1, amountFen: refundedFen };
      if (stands) standing.push({ refundId, portion });
    }
    for (const lineId of claims) claimed.add(lineId);
    spokenFor.set(refundId, claimed);
  }
  // The sort is stable: within one refund the greatest event comes first, then the position of the portion in it.
  return standing.toSorted((left, right) => compareIds(left.refundId, right.refundId)).map(({ portion }) => portion);
}

function addTo(taken: Map<string, LineRefund>, lineId: string, change: LineRefund): void {
  const before = taken.get(lineId) ?? { refundedFen: 0n, refundExcessFen: 0n };
  taken.set(lineId, {
    refundedFen: before.refundedFen + change.refundedFen,
    refundExcessFen: before.refundExcessFen + change.refundExcessFen,
  });
}
