/** Events of a shop's order, recorded as the intake records them once a message is verified. */
import { createHash, randomBytes } from 'node:crypto';
import type { LineEvidence, OrderEvent, OrderEventType } from '../../src/core/orders/order-event.ts';
import type { Db } from '../../src/infra/db.ts';
import { recordMessage } from '../../src/orders/intake/record-messages.ts';
import type { RecomputeDeps } from '../../src/orders/intake/recompute-orders.ts';
import { readClickId } from '../support/promotion.ts';

export const recomputeDeps: RecomputeDeps = { readClickId, inferenceDelaySeconds: 600 };
const sealingKeys = [{ number: 1, key: randomBytes(32) }];

export interface SoldLine {
  productId: string;
  paidFen?: bigint;
  evidence?: LineEvidence;
}

export interface Sale {
  brandId: string;
  storeId: string;
  externalOrderId: string;
  at: Date;
  lines: SoldLine[];
}

/** Delivers one event of the order; answers the ids of order and lines, the lines in the order of `sale.lines`. */
export async function deliver(
  db: Db,
  sale: Sale,
  event: Partial<OrderEvent> & { type: OrderEventType },
): Promise<{ orderId: string; lineIds: string[] }> {
  const { brandId, storeId, externalOrderId, at } = sale;
  const whole: OrderEvent = { externalOrderId, version: 1n, occurredAt: at, createdAt: at, ...event };
  const messageKey = randomBytes(8).toString('hex');
  await recordMessage(
    { db, sealingKeys, ...recomputeDeps },
    {
      store: {
        storeId,
        brandId,
        platform: 'taobao',
        orderSource: 'shop',
        webhookSecretSealed: Buffer.alloc(0),
        youzanClientId: null,
        youzanClientSecretSealed: null,
      },
      source: 'shop',
      messageKey,
      bodySha256: createHash('sha256').update(messageKey).digest(),
      messageType: event.type,
      rawBody: Buffer.from(messageKey),
      content: { kind: 'events', events: [{ event: whole, notes: {} }] },
    },
  );
  return findSale(db, sale);
}

/** The order is paid, line by line as told; external line ids count from 1. */
export async function deliverPaid(db: Db, sale: Sale): Promise<{ orderId: string; lineIds: string[] }> {
  const lines = sale.lines.map(({ productId, paidFen = 19_900n, evidence = {} }, index) => ({
    externalLineId: String(index + 1),
    itemKeys: [`item:${productId}`],
    quantity: 1,
    paidFen,
    evidence,
  }));
  return deliver(db, sale, { type: 'paid', lines });
}

async function findSale(db: Db, sale: Sale): Promise<{ orderId: string; lineIds: string[] }> {
  const { rows } = await db.query<{ orderId: string; lineId: string }>(
    `select o.id as "orderId", l.id as "lineId" from orders o join order_lines l on l.order_id = o.id
     where o.store_id = $1 and o.external_order_id = $2 order by l.external_line_id`,
    [sale.storeId, sale.externalOrderId],
  );
  const [first] = rows;
  if (first === undefined) throw new Error('the order has no lines');
  return { orderId: first.orderId, lineIds: rows.map(({ lineId }) => lineId) };
}
