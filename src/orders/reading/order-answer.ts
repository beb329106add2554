import { z } from 'zod';
import { stageOf } from '../../core/money/accounts.ts';
import { count, fen, instant } from '../../http/fields.ts';
import type { CsvColumn } from '../../http/list.ts';
import type { OrderLineRow } from './queries.ts';

const matchedAttribution = z.object({
  state: z.literal('matched'),
  method: z.string(),
  confidence: z.string(),
  linkCode: z.string(),
  influencerId: z.string(),
  clickId: z.string().nullable(),
  clickedAt: instant.nullable(),
  tag: z.string().nullable(),
  dispute: z.unknown(),
});
const openAttribution = z.object({
  state: z.enum(['unmatched', 'review']),
  reason: z.string(),
  candidates: z.unknown(),
});

export const orderLine = z.object({
  id: z.string(),
  externalLineId: z.string(),
  productId: z.string().nullable(),
  quantity: count,
  paidFen: fen,
  refundedFen: fen,
  refundExcessFen: fen,
  closed: z.boolean(),
  refundOpen: z.boolean(),
  receivedAt: instant.nullable(),
  attribution: z.union([matchedAttribution, openAttribution]),
  commissionFen: fen,
  stage: z.enum(['pending', 'payable', 'in_payout', 'paid', 'none']),
});
export const order = z.object({
  id: z.string(),
  brandId: z.string(),
  storeId: z.string(),
  platform: z.enum(['taobao', 'tmall', 'youzan']),
  externalOrderId: z.string(),
  status: z.enum(['created', 'paid', 'received', 'closed']),
  createdAt: instant,
  paidAt: instant.nullable(),
  receivedAt: instant.nullable(),
  closedAt: instant.nullable(),
  lines: z.array(orderLine),
});
export type OrderAnswer = z.output<typeof order>;

/** The answer for a line. */
export function lineAnswer(row: OrderLineRow): OrderAnswer['lines'][number] {
  return {
    id: row.id,
    externalLineId: row.externalLineId,
    productId: row.productId,
    quantity: row.quantity,
    paidFen: row.paidFen,
    refundedFen: row.refundedFen,
    refundExcessFen: row.refundExcessFen,
    closed: row.closed,
    refundOpen: row.refundOpen,
    receivedAt: row.receivedAt,
    attribution: attributionAnswer(row),
    commissionFen: row.commissionFen,
    stage: stageOf({ ...row, reversedFen: 0n }),
  };
}

function attributionAnswer(row: OrderLineRow): OrderAnswer['lines'][number]['attribution'] {
  if (row.state === 'matched' && row.method && row.confidence && row.linkCode && row.influencerId) {
    const { method, confidence, linkCode, influencerId, clickId, clickedAt, tag, dispute } = row;
    return {
      state: 'matched',
      method,
      confidence,
      linkCode,
      influencerId,
      clickId,
      clickedAt,
      tag,
      dispute: dispute ?? null,
    };
  }
  return {
    state: row.state === 'review' ? 'review' : 'unmatched',
    reason: row.reason ?? 'no_evidence',
    candidates: row.candidates ?? [],
  };
}

interface CsvRow {
  order: OrderAnswer;
  line: OrderAnswer['lines'][number];
}

/** One CSV row a line, the order's facts repeated on each, so that a spreadsheet can filter and sum them. */
export const orderColumns: CsvColumn<CsvRow>[] = [
  { name: 'orderId', value: ({ order }) => order.id },
  { name: 'externalOrderId', value: ({ order }) => order.externalOrderId },
  { name: 'brandId', value: ({ order }) => order.brandId },
  { name: 'storeId', value: ({ order }) => order.storeId },
  { name: 'platform', value: ({ order }) => order.platform },
  { name: 'status', value: ({ order }) => order.status },
  { name: 'createdAt', value: ({ order }) => order.createdAt },
  { name: 'paidAt', value: ({ order }) => order.paidAt },
  { name: 'lineId', value: ({ line }) => line.id },
  { name: 'externalLineId', value: ({ line }) => line.externalLineId },
  { name: 'productId', value: ({ line }) => line.productId },
  { name: 'quantity', value: ({ line }) => line.quantity },
  { name: 'paidFen', value: ({ line }) => line.paidFen },
  { name: 'refundedFen', value: ({ line }) => line.refundedFen },
  { name: 'attribution', value: ({ line }) => line.attribution.state },
  { name: 'method', value: ({ line }) => ('method' in line.attribution ? line.attribution.method : null) },
  { name: 'linkCode', value: ({ line }) => ('linkCode' in line.attribution ? line.attribution.linkCode : null) },
  {
    name: 'influencerId',
    value: ({ line }) => ('influencerId' in line.attribution ? line.attribution.influencerId : null),
  },
  { name: 'reason', value: ({ line }) => ('reason' in line.attribution ? line.attribution.reason : null) },
  { name: 'commissionFen', value: ({ line }) => line.commissionFen },
  { name: 'stage', value: ({ line }) => line.stage },
];
