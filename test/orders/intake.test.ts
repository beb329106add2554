import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seal } from '../../src/infra/secrets.ts';
import { newShopSecret } from '../../src/platforms/shop/verify.ts';
import { YOUZAN_TEST_CREDENTIALS, buildYouzanMessage, readYouzanCapture } from '../support/youzan-message.ts';
import {
  type Market,
  type OrderServer,
  clickIdOf,
  createOrderServer,
  keys,
  makeMarket,
  moneyTables,
  postShop,
  postYouzan,
} from './order-server.ts';

let server: OrderServer;
let market: Market;
let youzan: Market;
const CAPTURED_SHOP = '10000001';

beforeAll(async () => {
  server = await createOrderServer();
  market = await makeMarket(server);
  youzan = await makeMarket(server, {
    store: { platform: 'youzan', externalShopId: CAPTURED_SHOP, youzan: YOUZAN_TEST_CREDENTIALS },
    product: { url: 'https://h5.youzan.com/v2/showcase/goods?alias=1exampleali01' },
  });
});
afterAll(async () => server.close());

const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);
const iso = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');

let orderNumber = 0;
const newOrderId = (): string => `A-${(orderNumber += 1)}`;

/** A paid order of one line of 199.00 yuan, clicked ten minutes and ordered five minutes ago. */
function paid(changes: { orderId?: string; clickId?: string; version?: number; paidFen?: number } = {}) {
  return {
    type: 'order.paid',
    orderId: changes.orderId ?? newOrderId(),
    occurredAt: iso(minutesAgo(4)),
    createdAt: iso(minutesAgo(5)),
    version: changes.version ?? 1,
    lines: [
      {
        lineId: '1',
        itemId: market.itemId,
        quantity: 1,
        paidFen: changes.paidFen ?? 19_900,
        clickId: changes.clickId ?? clickIdOf(market, minutesAgo(10)),
      },
    ],
  };
}
function refunded(orderId: string, refundedFen: number, changes: { refundId?: string; version?: number } = {}) {
  return {
    type: 'order.refunded',
    orderId,
    occurredAt: iso(minutesAgo(1)),
    version: changes.version ?? 1,
    refund: { refundId: changes.refundId ?? 'R-1', lines: [{ lineId: '1', refundedFen }] },
  };
}
interface LineAnswer {
  paidFen: number;
  refundedFen: number;
  commissionFen: number;
  stage: string;
  attribution: Record<string, unknown>;
}
async function orderOf(
  externalOrderId: string,
): Promise<{ status: string; createdAt: string; paidAt: string; lines: LineAnswer[] }> {
  const { body } = await server.admin.get<{ data: { id: string; externalOrderId: string }[] }>('/v1/orders?limit=200');
  const found = body.data.find((order) => order.externalOrderId === externalOrderId);
  expect(found).toBeDefined();
  return found as never;
}

describe('a shop webhook', () => {
  it('with an authentic click id is attributed and booked at once', async () => {
    const message = paid();
    expect(await postShop(server, market, message)).toEqual({ status: 200, body: { received: true } });
    const order = await orderOf(message.orderId);
    expect(order.status).toBe('paid');
    expect(order.lines).toMatchObject([
      {
        paidFen: 19_900,
        refundedFen: 0,
        commissionFen: 2_985,
        stage: 'pending',
        attribution: {
          method: 'click_id',
          confidence: 'exact',
          linkCode: market.code,
          influencerId: market.influencerId,
        },
      },
    ]);
  });

  it('delivered again, also at the same moment, changes nothing and is answered alike', async () => {
    const message = paid();
    const first = await postShop(server, market, message, { id: 'again-1' });
    const before = await moneyTables(server.db);
    const repeats = await Promise.all(
      Array.from({ length: 8 }, async () => postShop(server, market, message, { id: 'again-1' })),
    );
    for (const repeat of repeats) expect(repeat).toEqual(first);
    expect(await moneyTables(server.db)).toBe(before);

    const racing = paid();
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => postShop(server, market, racing, { id: 'race-1' })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(200));
    expect((await orderOf(racing.orderId)).lines[0]?.commissionFen).toBe(2_985);
    const { rows } = await server.db.query("select id from inbox_messages where message_key = 'race-1'");
    expect(rows).toHaveLength(1);
  });

  it('with a used id and another body is refused with event_id_reused and changes nothing', async () => {
    await postShop(server, market, paid(), { id: 'reused' });
    const before = await moneyTables(server.db);
    const other = await postShop(server, market, paid(), { id: 'reused' });
    expect(other).toMatchObject({ status: 422, body: { code: 'event_id_reused' } });
    expect(await moneyTables(server.db)).toBe(before);
  });

  it('a refund that comes before the payment is kept and folds in when the payment comes', async () => {
    const message = paid();
    expect((await postShop(server, market, refunded(message.orderId, 5_000))).status).toBe(200);
    await postShop(server, market, message);
    expect((await orderOf(message.orderId)).lines[0]).toMatchObject({ refundedFen: 5_000, commissionFen: 2_235 });
  });

  it('a full refund ends at exactly 0, and the journal of the line balances after every step', async () => {
    const message = paid();
    await postShop(server, market, message);
    for (const [version, amount] of [6_633, 13_266, 19_900].entries()) {
      await postShop(server, market, refunded(message.orderId, amount, { version }));
    }
    const line = (await orderOf(message.orderId)).lines[0];
    expect(line).toMatchObject({ refundedFen: 19_900, commissionFen: 0, stage: 'none' });
    const { rows } = await server.db.query<{ total: string }>(
      'select sum(amount_fen) as total from postings group by entry_id',
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every((row) => Number(row.total) === 0)).toBe(true);
  });

  it('several events in one message are kept together or not at all', async () => {
    const first = paid();
    const second = paid();
    await postShop(server, market, { events: [first, second, refunded(first.orderId, 5_000)] });
    expect((await orderOf(first.orderId)).lines[0]?.commissionFen).toBe(2_235);
    expect((await orderOf(second.orderId)).lines[0]?.commissionFen).toBe(2_985);

    const before = await moneyTables(server.db);
    const broken = await postShop(server, market, { events: [paid(), { type: 'order.paid', orderId: 'B-1' }] });
    expect(broken).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(await moneyTables(server.db)).toBe(before);
  });

  it.each([
    ['a wrong secret', { secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }],
    ['a time stamp of 301 seconds ago', { at: new Date(Date.now() - 301_000) }],
    ['an empty signature', { headers: { 'webhook-signature': '' } }],
    ['another id than the one signed', { headers: { 'webhook-id': 'msg_other' } }],
  ])('with %s is refused and leaves nothing', async (_name, options) => {
    const before = await moneyTables(server.db);
    expect(await postShop(server, market, paid(), options)).toMatchObject({
      status: 401,
      body: { code: 'unauthorized' },
    });
    expect(await moneyTables(server.db)).toBe(before);
  });

  it('for an unknown store answers as a wrong signature does', async () => {
    const unknown = await postShop(server, { ...market, storeId: 'str_0000000000000000' }, paid());
    expect(unknown).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
  });

  it('a click id altered by one character earns nothing, with the reason', async () => {
    const real = clickIdOf(market, minutesAgo(10));
    const forged = (real.startsWith('A') ? 'B' : 'A') + real.slice(1);
    const message = paid({ clickId: forged });
    await postShop(server, market, message);
    const line = (await orderOf(message.orderId)).lines[0];
    expect(line).toMatchObject({ commissionFen: 0, stage: 'none', attribution: { state: 'unmatched' } });
    expect(line?.attribution['reason']).toBeTypeOf('string');
  });
});

describe('a store whose messages were taken before', () => {
  const rotate = async (store: Market): Promise<Market> => {
    const secret = newShopSecret(randomBytes(24));
    const sealed = seal(keys.sealingKeys, Buffer.from(secret));
    await server.db.query('update stores set webhook_secret_sealed = $2 where id = $1', [store.storeId, sealed]);
    return { ...store, secret };
  };

  it('is believed by its new secret at once, and by its old one no more', async () => {
    const before = await makeMarket(server);
    expect((await postShop(server, before, paid())).status).toBe(200);
    const after = await rotate(before);
    const untouched = await moneyTables(server.db);
    expect(await postShop(server, before, paid())).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    // What is wrong with a body is told only to whom the store believes now.
    expect((await postShop(server, before, { type: 'order.paid' })).status).toBe(401);
    expect(await moneyTables(server.db)).toBe(untouched);
    expect((await postShop(server, after, paid())).status).toBe(200);
    expect((await postShop(server, before, paid())).status).toBe(401);
  });

  it('whose secret changes does not hold up the messages that are recorded with its own', async () => {
    const before = await makeMarket(server);
    expect((await postShop(server, before, paid())).status).toBe(200);
    await rotate(before);
    const orders = Array.from({ length: 24 }, () => paid());
    const answers = await Promise.all(
      orders.map((order, place) => postShop(server, place % 3 === 0 ? before : market, order)),
    );
    expect(answers.map(({ status }) => status)).toEqual(orders.map((_, place) => (place % 3 === 0 ? 401 : 200)));
    const { rows } = await server.db.query<{ id: string }>(
      'select o.external_order_id as id from orders o where o.external_order_id = any ($1) order by o.external_order_id',
      [orders.map(({ orderId }) => orderId)],
    );
    const taken = orders.flatMap(({ orderId }, place) => (place % 3 === 0 ? [] : [orderId]));
    expect(rows.map(({ id }) => id)).toEqual(taken.toSorted());
  });
});

describe('a Youzan push', () => {
  it.each(['created', 'paid', 'received', 'closed', 'refund'] as const)(
    'the real capture %s posts as it is',
    async (name) => {
      const { headers, rawBody } = readYouzanCapture(name);
      expect(await postYouzan(server, { headers, rawBody })).toEqual({
        status: 200,
        body: { code: 0, msg: 'success' },
      });
      const before = await moneyTables(server.db);
      expect((await postYouzan(server, { headers, rawBody })).status).toBe(200);
      expect(await moneyTables(server.db)).toBe(before);
    },
  );

  it('the paid capture is 1 fen without freight, unmatched because it precedes every click', async () => {
    const order = await orderOf('E20210629113750000000001');
    expect(order).toMatchObject({
      status: 'paid',
      createdAt: '2021-06-29T03:37:52.000Z',
      paidAt: '2021-06-29T03:37:57.000Z',
      lines: [{ paidFen: 1, refundedFen: 0, commissionFen: 0, stage: 'none', attribution: { state: 'unmatched' } }],
    });
  });

  it('of an order clicked before is matched by the code in its note and booked', async () => {
    const orderId = 'E20261122101500000000101';
    const push = buildYouzanMessage('paid', {
      orderId,
      messageId: '00000000-0000-4000-8000-00000000a101',
      createdAt: minutesAgo(5),
      paidAt: minutesAgo(4),
      updatedAt: minutesAgo(4),
      note: `主播的码 ${youzan.code} 谢谢`,
      lines: [{ lineId: '2810000000000000101', alias: '1exampleali01', paidFen: 19_900n }],
    });
    expect((await postYouzan(server, push)).status).toBe(200);
    const order = await orderOf(orderId);
    expect(order.lines[0]).toMatchObject({
      paidFen: 19_900,
      commissionFen: 2_985,
      attribution: { method: 'code', confidence: 'strong', linkCode: youzan.code },
    });
    const { rows } = await server.db.query<{ events: string }>(
      'select string_agg(e.event::text, $1) as events from order_events e join orders o on o.id = e.order_id where o.external_order_id = $2',
      [' ', orderId],
    );
    expect(rows[0]?.events).toContain(youzan.code);
    expect(rows[0]?.events).not.toContain('主播');
  });

  it('a repeat that differs only in sendCount is the same message', async () => {
    const change = { orderId: 'E20261122101500000000102', messageId: '00000000-0000-4000-8000-00000000a102' };
    await postYouzan(server, buildYouzanMessage('paid', { ...change, sendCount: 0 }));
    const before = await moneyTables(server.db);
    expect((await postYouzan(server, buildYouzanMessage('paid', { ...change, sendCount: 3 }))).status).toBe(200);
    expect(await moneyTables(server.db)).toBe(before);
  });

  it('the same key with other content is acknowledged, recorded as a conflict, and has no effect', async () => {
    const change = { orderId: 'E20261122101500000000103', messageId: '00000000-0000-4000-8000-00000000a103' };
    await postYouzan(server, buildYouzanMessage('paid', change));
    const before = await moneyTables(server.db);
    const lines = [{ lineId: '2810000000000000001', paidFen: 99n }];
    const answer = await postYouzan(server, buildYouzanMessage('paid', { ...change, lines }));
    expect(answer).toEqual({ status: 200, body: { code: 0, msg: 'success' } });
    expect(await moneyTables(server.db)).toBe(before);
    const { rows } = await server.db.query('select id from message_conflicts');
    expect(rows).toHaveLength(1);
  });

  it('of an unknown type is acknowledged and quarantined', async () => {
    const messageId = '00000000-0000-4000-8000-00000000a104';
    const push = buildYouzanMessage('received', { messageId, type: 'trade_SomethingNew' });
    expect((await postYouzan(server, push)).body).toEqual({ code: 0, msg: 'success' });
    const { rows } = await server.db.query('select outcome, reason from inbox_messages where message_key = $1', [
      messageId,
    ]);
    expect(rows).toEqual([{ outcome: 'quarantined', reason: 'unknown_type' }]);
  });

  it('a heartbeat is answered and stores nothing', async () => {
    const before = await moneyTables(server.db);
    const push = buildYouzanMessage('received', {
      messageId: null,
      editBody: (body) => Object.assign(body, { test: true }),
    });
    expect(await postYouzan(server, push)).toEqual({ status: 200, body: { code: 0, msg: 'success' } });
    expect(await moneyTables(server.db)).toBe(before);
  });

  it('with any fault in its signature is refused with 401 and leaves nothing', async () => {
    const { headers, rawBody } = readYouzanCapture('paid');
    const { 'event-sign': _sign, ...unsigned } = headers;
    const changed = Buffer.from(rawBody.toString('utf8').replace('TRADE_PAID', 'TRADE_PAIX'));
    const before = await moneyTables(server.db);
    for (const push of [
      { headers: unsigned, rawBody },
      { headers: { ...headers, 'event-sign': '' }, rawBody },
      { headers: { ...headers, 'event-sign': 'A'.repeat(32) }, rawBody },
      { headers: { ...headers, 'client-id': 'another' }, rawBody },
      { headers: { ...headers, 'event-type': 'trade_TradeSuccess' }, rawBody },
      { headers, rawBody: changed },
      { headers, rawBody: Buffer.from('not json') },
      { headers, rawBody: Buffer.alloc(0) },
    ]) {
      expect(await postYouzan(server, push)).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    }
    expect(await moneyTables(server.db)).toBe(before);
  });
});

describe('evidence from another source', () => {
  it('a source that is not the order source makes no money facts, but lends its click id to the line', async () => {
    const orderId = 'E20261122101500000000201';
    const clickId = clickIdOf(youzan, minutesAgo(10));
    const line = { lineId: '2810000000000000201', itemId: '1', quantity: 1, paidFen: 19_900, clickId };
    const lent = {
      type: 'order.paid',
      orderId,
      occurredAt: iso(minutesAgo(3)),
      createdAt: iso(minutesAgo(5)),
      version: 1,
      lines: [line],
    };
    expect((await postShop(server, youzan, lent)).status).toBe(200);
    const { rows } = await server.db.query('select status, created_at from orders where external_order_id = $1', [
      orderId,
    ]);
    expect(rows).toEqual([{ status: 'created', created_at: null }]);

    const push = buildYouzanMessage('paid', {
      orderId,
      messageId: '00000000-0000-4000-8000-00000000a201',
      createdAt: minutesAgo(5),
      paidAt: minutesAgo(4),
      updatedAt: minutesAgo(4),
      lines: [{ lineId: line.lineId, alias: '1exampleali01', paidFen: 10_000n }],
    });
    await postYouzan(server, push);
    expect((await orderOf(orderId)).lines).toMatchObject([
      { paidFen: 10_000, commissionFen: 1_500, attribution: { method: 'click_id', clickId } },
    ]);

    await postShop(server, youzan, { ...lent, version: 2 });
    const outcomes = await server.db.query(
      'select m.outcome from inbox_messages m where m.store_id = $1 and m.source = $2 order by m.id',
      [youzan.storeId, 'shop'],
    );
    expect(outcomes.rows).toEqual([{ outcome: 'quarantined' }, { outcome: 'supplementary' }]);
  });
});
