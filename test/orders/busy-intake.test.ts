/** A sender that cannot be answered in time is asked to come again, and never gets a 2xx before COMMIT. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createOrderServer, makeMarket, moneyTables, type OrderServer, postShop } from './order-server.ts';

let full: OrderServer;
let late: OrderServer;
beforeAll(async () => {
  full = await createOrderServer({ limits: { waitingMessages: 0 } });
  late = await createOrderServer({ limits: { answerWithinMs: 300 } });
});
afterAll(async () => {
  await full.close();
  await late.close();
});

const message = (version: number) => ({
  type: 'order.paid',
  orderId: 'busy',
  occurredAt: new Date(Date.now() - 60_000).toISOString(),
  version,
  lines: [{ lineId: '1', itemId: '600000000001', quantity: 1, paidFen: 19_900 }],
});
const UNAVAILABLE = { status: 503, retryAfter: expect.any(String), body: { code: 'unavailable' } };

it('a webhook is answered 503 with Retry-After while too many messages wait, and leaves nothing', async () => {
  const market = await makeMarket(full);
  const before = await moneyTables(full.db);
  expect(await postShop(full, market, message(1))).toMatchObject(UNAVAILABLE);
  expect(await moneyTables(full.db)).toBe(before);
});

it('a webhook whose order another transaction holds is answered 503 with Retry-After in time, and is a repeat when it comes again', async () => {
  const market = await makeMarket(late);
  expect((await postShop(late, market, message(1), { id: 'first' })).status).toBe(200);
  const holder = await late.db.connect();
  await holder.query('begin');
  await holder.query('select o.id from orders o where o.brand_id = $1 for update', [market.brandId]);
  const second = message(2);
  expect(await postShop(late, market, second, { id: 'second' })).toMatchObject(UNAVAILABLE);
  await holder.query('rollback');
  holder.release();

  let answer = await postShop(late, market, second, { id: 'second' });
  while (answer.status === 503) answer = await postShop(late, market, second, { id: 'second' });
  expect(answer.status).toBe(200);
  const { rows } = await late.db.query('select message_key from inbox_messages where brand_id = $1 order by id', [
    market.brandId,
  ]);
  expect(rows).toEqual([{ message_key: 'first' }, { message_key: 'second' }]);
});
