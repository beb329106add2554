/**
 * The fold of an order's events into the order. Messages arrive twice, late and in any order, so the order is a function of the set of
 * events: any permutation and any duplication of the same events gives the same order.
 */
import assert from 'node:assert/strict';
import type { OrderStatus } from '../vocabulary.ts';
import type { LineEvidence, OrderEvent, OrderLineFact } from './order-event.ts';
import type { LineRefund, StoredEvent } from './refunds.ts';
import { compareIds, foldRefunds, linesWithOpenRefund, ofType } from './refunds.ts';

export type { StoredEvent } from './refunds.ts';

export interface FoldedOrder {
  externalOrderId: string;
  status: OrderStatus;
  /** When the buyer placed the order, by the best fact there is. */
  createdAt: Date;
  paidAt: Date | undefined;
  /** When the last surviving line was received; undefined unless the status is `received`. */
  receivedAt: Date | undefined;
  /** When the order was closed; undefined unless the status is `closed`. */
  closedAt: Date | undefined;
  /** Every line that any event of the order mentions, ascending by id. */
  lines: FoldedLine[];
}

export interface FoldedLine {
  externalLineId: string;
  itemKeys: string[];
  quantity: number;
  /** The amount paid before refunds, fen; 0n until a payment is known. */
  paidFen: bigint;
  /** The amount refunded, fen, 0n to paidFen. A closed line counts as refunded in full. */
  refundedFen: bigint;
  /** The amount that refunds claim beyond paidFen, fen: a warning for people; it moves no money. */
  refundExcessFen: bigint;
  /** A close took the line out of the order. */
  closed: boolean;
  receivedAt: Date | undefined;
  /** A refund was requested and is not decided: the line must not be released. */
  refundOpen: boolean;
  evidence: LineEvidence;
}

type LineAsSold = Pick<FoldedLine, 'externalLineId' | 'itemKeys' | 'quantity' | 'paidFen' | 'evidence'>;

/**
 * Folds every known event of one order into the order.
 *
 * Of each type the event with the greatest (version, occurredAt, fingerprint) wins; versions are never compared across types. Lines and
 * amounts come from the winning payment; evidence comes from it and, field by field, from the winning creation. Facts that arrive before the
 * payment are kept: refunds apply, and a receipt changes the status, as soon as the payment is known.
 *
 * @param stored  any subset of the order's events, in any order, with any duplicates
 * @returns undefined when there is no event
 * @throws AssertionError on events of two orders or a negative amount: bugs of the caller, never the sender's input
 */
export function foldOrder(stored: readonly StoredEvent[]): FoldedOrder | undefined {
  const facts = greatestFirst(stored);
  const [first] = facts;
  if (first === undefined) return undefined;
  const { externalOrderId } = first.event;
  assert(
    facts.every((fact) => fact.event.externalOrderId === externalOrderId),
    'one fold is one order',
  );

  const [paid] = ofType(facts, 'paid');
  const [closed] = ofType(facts, 'closed');
  const lines = foldLines(facts);
  const surviving = survivingLines(lines);
  const status = statusOf({ paid: paid !== undefined, closed: closed !== undefined, surviving });
  return {
    externalOrderId,
    status,
    createdAt: createdAtOf(facts),
    paidAt: paidAtOf(paid),
    receivedAt: status === 'received' ? latest(surviving.map((line) => line.receivedAt)) : undefined,
    closedAt: status === 'closed' ? closed?.occurredAt : undefined,
    lines,
  };
}

/**
 * Completes the evidence of one folded line from the events of other sources, field by field. Such events make no money facts.
 *
 * A field of the line's own source always stays. Versions of different sources cannot be compared, so among the others the greatest
 * fingerprint wins; the order of arrival has no influence.
 *
 * @param own  the folded line
 * @param supplementary  every event of the same order from sources that are not the store's order source
 */
export function withSupplementaryEvidence(
  own: Pick<FoldedLine, 'externalLineId' | 'evidence'>,
  supplementary: readonly StoredEvent[],
): LineEvidence {
  if (supplementary.length === 0) return own.evidence;
  const offers = supplementary
    .toSorted((left, right) => compareIds(left.fingerprint, right.fingerprint))
    .flatMap(({ event }) => event.lines ?? [])
    .filter((line) => line.externalLineId === own.externalLineId)
    .map((line) => line.evidence);
  return Object.assign({}, ...offers, own.evidence) as LineEvidence;
}

/** The events as a set, each once, the greatest (version, occurredAt, fingerprint) first. */
function greatestFirst(stored: readonly StoredEvent[]): StoredEvent[] {
  const byFingerprint = new Map(stored.map((fact) => [fact.fingerprint, fact]));
  return [...byFingerprint.values()].toSorted((left, right) => {
    if (left.event.version !== right.event.version) return left.event.version > right.event.version ? -1 : 1;
    const laterByMs = right.event.occurredAt.getTime() - left.event.occurredAt.getTime();
    return laterByMs === 0 ? compareIds(right.fingerprint, left.fingerprint) : laterByMs;
  });
}

function foldLines(facts: readonly StoredEvent[]): FoldedLine[] {
  const created = ofType(facts, 'created');
  const paid = ofType(facts, 'paid');
  const mentions = [...paid, ...created].flatMap((event) => event.lines ?? []);
  const lineIds = [...new Set(mentions.map((line) => line.externalLineId))].toSorted(compareIds);
  const sold = lineIds.map((lineId) => lineAsSold(lineId, { paid: paid[0], created: created[0], mentions }));

  // Refunds are capped by the amount paid, so they are not applied before a payment is known.
  const refunds = paid.length === 0 ? new Map<string, LineRefund>() : foldRefunds(facts, sold);
  const open = linesWithOpenRefund(facts, lineIds);
  const received = ofType(facts, 'received');
  const settled = ofType(facts, 'settled');
  const closes = ofType(facts, 'closed');
  return sold.map((line) => {
    const lineId = line.externalLineId;
    return afterwards(line, {
      received: findFor(received, lineId) ?? findFor(settled, lineId),
      close: findFor(closes, lineId),
      refund: refunds.get(lineId) ?? { refundedFen: 0n, refundExcessFen: 0n },
      refundOpen: open.has(lineId),
    });
  });
}

/** A line as sold, with its receipt, close and refunds. A plain close leaves received lines as they are; one with a full refund closes all. */
function afterwards(
  line: LineAsSold,
  facts: {
    received: OrderEvent | undefined;
    close: OrderEvent | undefined;
    refund: LineRefund;
    refundOpen: boolean;
  },
): FoldedLine {
  const closed = facts.close !== undefined && (facts.received === undefined || facts.close.fullRefund === true);
  return {
    ...line,
    refundedFen: closed ? line.paidFen : facts.refund.refundedFen,
    refundExcessFen: facts.refund.refundExcessFen,
    closed,
    receivedAt: facts.received?.occurredAt,
    refundOpen: facts.refundOpen,
  };
}

/**
 * A line by the winning payment, else by the winning creation, else by the greatest event that mentions it. A line that the winning payment
 * leaves out stays known with 0n paid. `mentions` has the lines of all payments, the greatest event first, then those of all creations.
 */
function lineAsSold(
  externalLineId: string,
  sources: { paid: OrderEvent | undefined; created: OrderEvent | undefined; mentions: readonly OrderLineFact[] },
): LineAsSold {
  const isIt = (line: OrderLineFact): boolean => line.externalLineId === externalLineId;
  const paid = sources.paid?.lines?.find(isIt);
  const created = sources.created?.lines?.find(isIt);
  const last = sources.mentions.find(isIt);
  assert(last !== undefined, 'a line is known because an event mentions it');
  assert((paid?.paidFen ?? 0n) >= 0n, 'a buyer never pays a negative amount');
  const described = [paid, created].find((line) => line !== undefined && line.itemKeys.length > 0) ?? last;
  return {
    externalLineId,
    itemKeys: described.itemKeys,
    quantity: last.quantity,
    paidFen: paid?.paidFen ?? 0n,
    evidence: paid === undefined && created === undefined ? last.evidence : { ...created?.evidence, ...paid?.evidence },
  };
}

/** The greatest event that concerns this line: one that names it, or one that names no line and so means all. */
function findFor(events: readonly OrderEvent[], lineId: string): OrderEvent | undefined {
  return events.find(
    ({ lineIds }) => lineIds === undefined || lineIds.length === 0 || lineIds.some((named) => named === lineId),
  );
}

/** The lines that decide the status. Gifts decide it only in an order without any paid line. */
function survivingLines(lines: readonly FoldedLine[]): FoldedLine[] {
  const paidFor = lines.filter((line) => line.paidFen > 0n);
  return (paidFor.length > 0 ? paidFor : lines).filter((line) => !line.closed);
}

function statusOf(order: { paid: boolean; closed: boolean; surviving: readonly FoldedLine[] }): OrderStatus {
  if (order.closed && order.surviving.length === 0) return 'closed';
  if (!order.paid) return 'created';
  const received = order.surviving.length > 0 && order.surviving.every((line) => line.receivedAt !== undefined);
  return received ? 'received' : 'paid';
}

/**
 * A stated creation time outranks the time of an event, because a creation message that is sent again after a change occurs later than the
 * order.
 */
function createdAtOf(facts: readonly StoredEvent[]): Date {
  const [created] = ofType(facts, 'created');
  const [paid] = ofType(facts, 'paid');
  const said = facts
    .flatMap(({ event }) => event.createdAt ?? [])
    .toSorted((left, right) => left.getTime() - right.getTime());
  return created?.createdAt ?? paid?.createdAt ?? said[0] ?? created?.occurredAt ?? paidAtOf(paid) ?? earliest(facts);
}

function paidAtOf(paid: OrderEvent | undefined): Date | undefined {
  return paid?.paidAt ?? paid?.occurredAt;
}

function latest(dates: readonly (Date | undefined)[]): Date | undefined {
  return dates.reduce((max, date) => (max === undefined || (date !== undefined && date > max) ? date : max), undefined);
}

function earliest(facts: readonly StoredEvent[]): Date {
  const times = facts.map((fact) => fact.event.occurredAt.getTime());
  return new Date(times.reduce((min, time) => Math.min(min, time), Number.POSITIVE_INFINITY));
}
