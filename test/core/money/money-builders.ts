/** Short ways to say the facts that the money tests are about. */
import { createHash } from 'node:crypto';
import type { Bucket, Dimensions, Posting, LineEntry } from '../../../src/core/money/accounts.ts';
import { bucketKey, sumLineEntries } from '../../../src/core/money/accounts.ts';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import type { FoldedLine, FoldedOrder, StoredEvent } from '../../../src/core/orders/order.ts';
import { foldOrder } from '../../../src/core/orders/order.ts';
import type { LineEvidence, OrderEvent, OrderLineFact } from '../../../src/core/orders/order-event.ts';
import type { AccountKind } from '../../../src/core/vocabulary.ts';

const DAY_ONE_MS = Date.UTC(2026, 10, 1);

/** An instant some minutes into the story. */
export function minute(minutes: number): Date {
  return new Date(DAY_ONE_MS + minutes * 60_000);
}

/** A stored event; its fingerprint is the SHA-256 of the event, as in production, unless the test needs a certain one. */
export function fact(
  event: Pick<OrderEvent, 'type'> & Partial<Omit<OrderEvent, 'version'>> & { version?: number },
  fingerprint?: string,
): StoredEvent {
  const whole: OrderEvent = {
    externalOrderId: 'E1',
    occurredAt: minute(0),
    ...event,
    version: BigInt(event.version ?? 1),
  };
  const text = JSON.stringify(whole, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return { event: whole, fingerprint: fingerprint ?? createHash('sha256').update(text).digest('hex') };
}

export function sold(
  externalLineId: string,
  paidFen: number,
  more: { quantity?: number; itemKeys?: string[]; evidence?: LineEvidence } = {},
): OrderLineFact {
  return { externalLineId, itemKeys: ['item:1'], quantity: 1, evidence: {}, ...more, paidFen: BigInt(paidFen) };
}

/** A refund event's payload: each portion is the line ids it names and an amount in fen. */
export function refund(
  refundId: string,
  ...portions: [lineIds: string[], refundedFen: number][]
): { refund: NonNullable<OrderEvent['refund']> } {
  return {
    refund: {
      refundId,
      kind: 'refund',
      portions: portions.map(([lineIds, refundedFen]) => ({ lineIds, refundedFen: BigInt(refundedFen) })),
    },
  };
}

export function fold(...events: StoredEvent[]): FoldedOrder {
  const order = foldOrder(events);
  if (order === undefined) throw new Error('no event given');
  return order;
}

export function lineOf(order: FoldedOrder, lineId: string): FoldedLine {
  const line = order.lines.find(({ externalLineId }) => externalLineId === lineId);
  if (line === undefined) throw new Error(`no line ${lineId}`);
  return line;
}

/** 15 % to one influencer, nobody else. */
export const plainTerms: CommissionTerms = {
  termsId: 'trm_1',
  basis: 'order_amount',
  rate: { kind: 'rate', rateBp: 1_500 },
  windowDays: 15,
  holdDays: 15,
  platformFeeBp: 0,
  influencerPayeeId: 'pye_lin',
  operatorPayeeId: 'pye_operator',
};

/** 20 % with a 10 % platform fee and an agency that takes 30 % of the rest. */
export const sharedTerms: CommissionTerms = {
  ...plainTerms,
  rate: { kind: 'rate', rateBp: 2_000 },
  platformFeeBp: 1_000,
  agency: { payeeId: 'pye_agency', shareBp: 3_000 },
};

export function dimensionsOf(lineId: string, more: Partial<Dimensions> = {}): Dimensions {
  return {
    brandId: 'brd_1',
    lineId,
    orderId: 'ord_1',
    storeId: 'str_1',
    productId: 'prd_1',
    platform: 'youzan',
    linkId: 'lnk_lin',
    tag: null,
    influencerId: 'inf_lin',
    agencyPayeeId: null,
    method: 'click_id',
    paidAt: minute(5),
    ...more,
  };
}

/** Entries as finance would jot them down: `brand_owes +2985`. */
export function jot(postings: readonly Posting[]): string[] {
  return postings.map(({ account, amountFen }) => `${account} ${amountFen > 0n ? '+' : ''}${amountFen}`);
}

/** What each payee's postings sum to, over all line entries of a journal. */
export function sumByPayee(lineEntries: readonly LineEntry[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { payeeId, amountFen } of lineEntries.flatMap(({ postings }) => postings)) {
    sums.set(payeeId, (sums.get(payeeId) ?? 0n) + amountFen);
  }
  return sums;
}

export interface Standing {
  key: string;
  amounts: Bucket['amounts'];
  legs: { payeeId: string; reversedFen: bigint; balances: [AccountKind, bigint][] }[];
}

/** Everything that is not zero after some line entries, in a fixed order: two histories end alike when this is equal. */
export function standingOf(lineEntries: readonly LineEntry[]): Standing[] {
  return sumLineEntries(lineEntries)
    .map((bucket) => ({
      key: bucketKey(bucket.dimensions),
      amounts: bucket.amounts,
      legs: bucket.legs
        .map(({ payeeId, reversedFen, balances }) => ({
          payeeId,
          reversedFen,
          balances: [...balances].filter(([, amountFen]) => amountFen !== 0n).toSorted(byFirst),
        }))
        .filter((leg) => leg.reversedFen !== 0n || leg.balances.length > 0)
        .toSorted((left, right) => (left.payeeId < right.payeeId ? -1 : 1)),
    }))
    .filter(({ amounts, legs }) => legs.length > 0 || amounts.lines !== 0 || amounts.paidFen !== 0n)
    .toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

function byFirst([left]: [AccountKind, bigint], [right]: [AccountKind, bigint]): number {
  return left < right ? -1 : 1;
}
