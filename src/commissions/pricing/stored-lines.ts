import type { Queryable } from '../../infra/db.ts';
import type { BookableLine } from './desired-line.ts';
import { listStoredLines, type StoredLine } from './queries.ts';

/**
 * Lines as they stand in the tables, in the form booking takes them, for work that brings no new facts (release, hold, verify).
 *
 * @returns those of the given lines whose order has a creation time, in no order; the others were never bookable
 */
export async function readBookableLines(db: Queryable, lineIds: readonly string[]): Promise<BookableLine[]> {
  return (await listStoredLines(db, lineIds)).flatMap((row) => {
    const line = bookable(row);
    return line === undefined ? [] : [line];
  });
}

function bookable(row: StoredLine): BookableLine | undefined {
  const { method, linkId, influencerId, orderCreatedAt } = row;
  if (orderCreatedAt === null) return undefined;
  const attribution =
    method === null || linkId === null || influencerId === null
      ? undefined
      : { method, linkId, influencerId, tag: row.tag ?? undefined };
  return {
    lineId: row.lineId,
    brandId: row.brandId,
    orderId: row.orderId,
    storeId: row.storeId,
    platform: row.platform,
    productId: row.productId ?? undefined,
    quantity: row.quantity,
    paidFen: row.paidFen,
    refundedFen: row.refundedFen,
    orderCreatedAt,
    paidAt: row.paidAt ?? undefined,
    receivedAt: row.receivedAt ?? undefined,
    receivedSeenAt: row.receivedSeenAt ?? undefined,
    refundOpen: row.refundOpen,
    attribution,
  };
}
