import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import { releaseDueLines } from '../../src/commissions/release/release.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { callerOf } from '../catalog/catalog-server.ts';
import { type Market, type OrderServer, clickIdOf, createOrderServer, makeMarket, postShop } from './order-server.ts';

let server: OrderServer;
let market: Market;
const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

beforeAll(async () => {
  server = await createOrderServer();
  market = await makeMarket(server, { product: { holdDays: 0 } });
});
afterAll(async () => server.close());

async function post(type: string, orderId: string, changes: object): Promise<void> {
  const message = { type, orderId, occurredAt: minutesAgo(4), version: 1, ...changes };
  expect((await postShop(server, market, message)).status).toBe(200);
}

async function sell(orderId: string): Promise<void> {
  const clickId = clickIdOf(market, new Date(Date.now() - 600_000));
  const line = { lineId: '1', itemId: market.itemId, quantity: 1, paidFen: 19_900, clickId };
  await post('order.paid', orderId, { createdAt: minutesAgo(5), lines: [line] });
}

async function lineOf(orderId: string): Promise<{ id: string; commissionFen: number; stage: string }> {
  const { body } = await server.admin.get<{
    data: { externalOrderId: string; lines: { id: string; commissionFen: number; stage: string }[] }[];
  }>('/v1/orders');
  const line = body.data.find((order) => order.externalOrderId === orderId)?.lines[0];
  expect(line).toBeDefined();
  return line as never;
}

const reprice = async (lineId: string, caller = server.finance) =>
  caller.post<{ termsId: string; previousTermsId: string; code?: string }>(`/v1/order-lines/${lineId}/reprice`, {
    note: '佣金率登记有误',
  });

describe('POST /v1/order-lines/:id/reprice', () => {
  it('takes the terms that now cover the sale, books the difference, and leaves an audit entry; nothing else ever does', async () => {
    await sell('P-1');
    const mistaken = await lineOf('P-1');
    expect(mistaken.commissionFen).toBe(2_985);
    const mended = await server.admin.post<{ id: string }>('/v1/terms', {
      brandId: market.brandId,
      scope: { productId: market.productId, influencerId: market.influencerId },
      rateBp: 2_000,
      holdDays: 0,
      validFrom: minutesAgo(60),
    });
    expect(mended.statusCode).toBe(201);

    // New facts keep the old copy: 15 % of 149.00.
    await post('order.refunded', 'P-1', { refund: { refundId: 'R-1', lines: [{ lineId: '1', refundedFen: 5_000 }] } });
    expect((await lineOf('P-1')).commissionFen).toBe(2_235);

    const answer = await reprice(mistaken.id);
    expect(answer.statusCode).toBe(200);
    expect(answer.body.termsId).toBe(mended.body.id);
    expect(await lineOf('P-1')).toMatchObject({ commissionFen: 2_980, stage: 'pending' });
    const { rows } = await server.db.query(
      "select detail from audit_log where action = 'line.repriced' and subject = $1",
      [mistaken.id],
    );
    expect(rows).toEqual([
      { detail: { note: '佣金率登记有误', termsId: mended.body.id, previousTermsId: answer.body.previousTermsId } },
    ]);

    // Done again it changes nothing, and later facts use the new copy: 20 % of 99.00.
    const before = await server.db.query('select count(*) as n from journal_entries');
    expect((await reprice(mistaken.id)).statusCode).toBe(200);
    expect(await server.db.query('select count(*) as n from journal_entries').then((after) => after.rows)).toEqual(
      before.rows,
    );
    await post('order.refunded', 'P-1', {
      version: 2,
      refund: { refundId: 'R-1', lines: [{ lineId: '1', refundedFen: 10_000 }] },
    });
    expect((await lineOf('P-1')).commissionFen).toBe(1_980);
  });

  it('a payable line stays payable at its new price', async () => {
    const other = await makeMarket(server, { product: { holdDays: 0 } });
    const clickId = clickIdOf(other, new Date(Date.now() - 600_000));
    const lines = [{ lineId: '1', itemId: other.itemId, quantity: 1, paidFen: 19_900, clickId }];
    const event = { orderId: 'P-2', occurredAt: minutesAgo(4), version: 1 };
    await postShop(server, other, { ...event, type: 'order.paid', createdAt: minutesAgo(5), lines });
    await postShop(server, other, { ...event, type: 'order.received' });
    expect(await releaseDueLines(server.db)).toBeGreaterThan(0);
    const line = await lineOf('P-2');
    expect(line).toMatchObject({ commissionFen: 2_985, stage: 'payable' });
    await server.admin.post('/v1/terms', {
      brandId: other.brandId,
      scope: { productId: other.productId, influencerId: other.influencerId },
      rateBp: 1_000,
      validFrom: minutesAgo(60),
    });
    await reprice(line.id);
    expect(await lineOf('P-2')).toMatchObject({ commissionFen: 1_990, stage: 'payable' });
  });

  it('a line that earns nothing is a conflict; a brand may not; an unknown line is not found', async () => {
    await post('order.paid', 'P-3', {
      createdAt: minutesAgo(5),
      lines: [{ lineId: '1', itemId: market.itemId, quantity: 1, paidFen: 19_900 }],
    });
    expect(await reprice((await lineOf('P-3')).id)).toMatchObject({ statusCode: 409, body: { code: 'conflict' } });
    const { key } = await inTransaction(server.db, async (tx) =>
      makeKey(tx, { role: 'brand', brandId: market.brandId, label: 'test', actor: 'test' }),
    );
    expect((await reprice((await lineOf('P-3')).id, callerOf(server.app, key))).statusCode).toBe(403);
    expect((await reprice('lin_0000000000000000')).statusCode).toBe(404);
  });

  it('a code that was given once cannot be deleted or moved', async () => {
    await expect(server.db.query('delete from link_codes')).rejects.toThrow('append-only');
    await expect(server.db.query("update link_codes set link_id = link_id || 'x'")).rejects.toThrow('append-only');
  });
});
