import type { CsvColumn } from '../../http/list.ts';
import type { OrderAnswer } from './order-answer.ts';

type Row = { order: OrderAnswer; line: OrderAnswer['lines'][number] };

/** One CSV row a line, the order's facts repeated on each: what a spreadsheet can filter and sum. */
export const orderColumns: CsvColumn<Row>[] = [
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
