import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { sweepUnmatched } from '../../src/orders/attribution/sweep.ts';
import { deleteOldRawMessages } from '../../src/orders/intake/message-queries.ts';
import { type Caller, callerOf } from '../catalog/catalog-server.ts';
import { type Market, type OrderServer, clickIdOf, createOrderServer, makeMarket, postShop } from './order-server.ts';

let server: OrderServer;
let mine: Market;
let other: Market;
let myBrand: Caller;
let myInfluencer: Caller;

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

async function keyFor(
  subject: { role: 'brand'; brandId: string } | { role: 'influencer'; influencerId: string },
): Promise<Caller> {
  const { key } = await inTransaction(server.db, async (tx) =>
    makeKey(tx, { ...subject, label: 'test', actor: 'test' }),
  );
  return callerOf(server.app, key);
}

async function sell(market: Market, orderId: string, change: { clickId?: string; paid?: boolean } = {}): Promise<void> {
  const clickId = change.clickId ?? clickIdOf(market, new Date(Date.now() - 600_000));
  const answer = await postShop(server, market, {
    type: change.paid === false ? 'order.created' : 'order.paid',
    orderId,
    occurredAt: minutesAgo(4),
    createdAt: minutesAgo(5),
    version: 1,
    lines: [{ lineId: '1', itemId: market.itemId, quantity: 1, paidFen: 19_900, clickId }],
  });
  expect(answer.status).toBe(200);
}

interface OrderBody {
  id: string;
  externalOrderId: string;
  lines: { id: string; commissionFen: number; attribution: Record<string, unknown> }[];
}
interface ListBody {
  data: OrderBody[];
  nextCursor: string | null;
}
const listOf = async (caller: Caller, query = ''): Promise<string[]> => {
  const { statusCode, body } = await caller.get<ListBody>(`/v1/orders${query}`);
  expect(statusCode).toBe(200);
  return body.data.map((order) => order.externalOrderId);
};

beforeAll(async () => {
  server = await createOrderServer();
  mine = await makeMarket(server);
  other = await makeMarket(server);
  myBrand = await keyFor({ role: 'brand', brandId: mine.brandId });
  myInfluencer = await keyFor({ role: 'influencer', influencerId: mine.influencerId });
  for (const orderId of ['M-1', 'M-2', 'M-3']) await sell(mine, orderId);
  await sell(mine, 'M-unpaid', { paid: false });
  await sell(mine, 'M-forged', { clickId: 'A'.repeat(38) });
  await sell(other, 'O-1');
});
afterAll(async () => server.close());

describe('GET /v1/orders', () => {
  it('a brand sees its own orders and no other', async () => {
    expect((await listOf(myBrand)).toSorted()).toEqual(['M-1', 'M-2', 'M-3', 'M-forged', 'M-unpaid']);
    expect(await listOf(server.finance)).toContain('O-1');
  });

  it('filters by status, store, attribution and payment time; the end is exclusive', async () => {
    expect(await listOf(myBrand, '?status=created')).toEqual(['M-unpaid']);
    expect(await listOf(myBrand, '?attribution=unmatched')).toEqual(['M-forged']);
    expect(await listOf(server.finance, `?storeId=${other.storeId}`)).toEqual(['O-1']);
    expect(await listOf(myBrand, `?from=${minutesAgo(-1)}`)).toEqual([]);
    expect(await listOf(myBrand, `?to=${minutesAgo(60)}`)).toEqual([]);
    expect((await listOf(myBrand, `?from=${minutesAgo(60)}&to=${minutesAgo(0)}`)).toSorted()).toEqual([
      'M-1',
      'M-2',
      'M-3',
      'M-forged',
    ]);
  });

  it('pages reach every order exactly once', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null && page < 10; page += 1) {
      const { body }: { body: ListBody } = await myBrand.get<ListBody>(
        `/v1/orders?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...body.data.map((order) => order.externalOrderId));
      cursor = body.nextCursor;
    }
    expect(seen.toSorted()).toEqual(['M-1', 'M-2', 'M-3', 'M-forged', 'M-unpaid']);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'status=lost',
    'cursor=rubbish',
    'from=yesterday',
    'unknown=1',
    'storeId=brd_1',
    'from=2026-11-22&to=2026-11-21',
  ])('refuses ?%s with validation_failed', async (query) => {
    const answer = await myBrand.get(`/v1/orders?${query}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.body['code']).toBe('validation_failed');
  });

  it('as CSV gives one row a line, with a BOM and the JSON names', async () => {
    const { text, headers } = await myBrand.get('/v1/orders?status=paid&attribution=matched', { accept: 'text/csv' });
    expect(headers['content-type']).toContain('text/csv');
    const rows = text.replace('\ufeff', '').trim().split('\r\n');
    expect(text.startsWith('\ufeff')).toBe(true);
    expect(rows[0]?.split(',')).toContain('commissionFen');
    expect(rows).toHaveLength(4);
  });

  it('a CSV that was cut says where it goes on, as every list does', async () => {
    const { body } = await myBrand.get<ListBody>('/v1/orders?limit=2');
    const cut = await myBrand.get('/v1/orders?limit=2', { accept: 'text/csv' });
    expect(cut.headers).toMatchObject({ 'next-cursor': body.nextCursor });
    const whole = await myBrand.get('/v1/orders', { accept: 'text/csv' });
    expect(whole.headers).not.toHaveProperty('next-cursor');
  });

  it('is closed to influencers', async () => {
    expect((await myInfluencer.get('/v1/orders')).statusCode).toBe(403);
  });
});

describe('GET /v1/orders/:id', () => {
  async function idOf(externalOrderId: string): Promise<string> {
    const { rows } = await server.db.query<{ id: string }>('select id from orders where external_order_id = $1', [
      externalOrderId,
    ]);
    return rows[0]?.id ?? '';
  }

  it('another brand’s order answers as one that does not exist', async () => {
    const foreign = await myBrand.get(`/v1/orders/${await idOf('O-1')}`);
    const nonexistent = await myBrand.get('/v1/orders/ord_0000000000000000');
    expect(foreign.statusCode).toBe(404);
    const withoutInstance = (text: string): string => text.replace(/urn:daihuo:request:[0-9a-f-]+/, '');
    expect(withoutInstance(foreign.text)).toBe(withoutInstance(nonexistent.text));
  });

  it('an influencer sees the order of its own line, and no other order', async () => {
    const own = await myInfluencer.get<OrderBody>(`/v1/orders/${await idOf('M-1')}`);
    expect(own.statusCode).toBe(200);
    expect(own.body.lines).toMatchObject([{ commissionFen: 2_985 }]);
    for (const hidden of ['O-1', 'M-forged']) {
      expect((await myInfluencer.get(`/v1/orders/${await idOf(hidden)}`)).statusCode).toBe(404);
    }
  });
});

describe('the sweep', () => {
  it('credits a line whose product was registered after its order', async () => {
    const itemId = '612345678901';
    await postShop(server, mine, {
      type: 'order.paid',
      orderId: 'LATE-1',
      occurredAt: minutesAgo(4),
      createdAt: minutesAgo(5),
      version: 1,
      lines: [
        { lineId: '1', itemId, quantity: 1, paidFen: 10_000, adzoneId: '110000000001', clickedAt: minutesAgo(6) },
      ],
    });
    const attributionOf = async (): Promise<unknown> => {
      const { rows } = await server.db.query(
        `select a.state, a.method, a.reason from attributions a join order_lines l on l.id = a.line_id
         join orders o on o.id = l.order_id where o.external_order_id = 'LATE-1'`,
      );
      return rows[0];
    };
    expect(await attributionOf()).toMatchObject({ state: 'unmatched', reason: 'product_not_registered' });

    const product = await server.admin.post<{ id: string }>('/v1/products', {
      storeId: mine.storeId,
      title: '后来登记的商品',
      url: `https://item.taobao.com/item.htm?id=${itemId}`,
      priceFen: 10_000,
      commission: { rateBp: 1000 },
    });
    const link = await server.admin.post<{ id: string }>('/v1/links', {
      productId: product.body.id,
      influencerId: mine.influencerId,
    });
    await server.admin.post('/v1/tracking-slots', {
      storeId: mine.storeId,
      kind: 'adzone',
      externalId: '110000000001',
      influencerId: mine.influencerId,
      productId: product.body.id,
      validFrom: minutesAgo(60),
    });
    await server.db.query(
      "update status_changes set changed_at = changed_at - interval '1 day' where subject_id = any ($1)",
      [[link.body.id, product.body.id]],
    );
    await server.db.query('update attributions set retry_at = now() where retry_at is not null');
    expect(await sweepUnmatched({ ...server.deps, limit: 100 })).toMatchObject({ errors: [] });
    expect(await attributionOf()).toMatchObject({ state: 'matched', method: 'tracking_slot' });
    const { rows } = await server.db.query<{ sum: string }>(
      `select sum(e.amount_fen)::text as sum from postings e join entry_lines j on j.entry_id = e.entry_id
       join orders o on o.id = j.order_id where o.external_order_id = 'LATE-1' and e.account = 'brand_owes'`,
    );
    expect(rows[0]?.sum).toBe('1000');
  });
});

describe('raw messages', () => {
  it('are sealed, and gone after their 30 days while the facts stay', async () => {
    const { rows } = await server.db.query<{ body: string }>(
      "select encode(sealed_body, 'escape') as body from raw_messages",
    );
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.every((row) => !row.body.includes('order.paid'))).toBe(true);
    expect(await deleteOldRawMessages(server.db, { days: 30, limit: 1_000 })).toBe(0);
    await server.db.query("update raw_messages set received_at = received_at - interval '30 days 1 minute'");
    expect(await deleteOldRawMessages(server.db, { days: 30, limit: 1_000 })).toBe(rows.length);
    const facts = await server.db.query<{ n: bigint }>('select count(*) as n from order_events');
    expect(facts.rows[0]?.n).toBe(BigInt(rows.length));
  });
});

describe('an order that cannot be recomputed', () => {
  it('is reported and put off, so that it never stands in the way of the others', async () => {
    const orderOf =
      "(select l.order_id from order_lines l join orders o on o.id = l.order_id where o.external_order_id = 'M-forged')";
    await server.db.query(
      `insert into order_events (brand_id, order_id, message_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
       select e.brand_id, e.order_id, e.message_id, 99, e.type, e.version, e.occurred_at, e.fingerprint, true, '{"of":"another version"}'
       from order_events e where e.order_id = ${orderOf} limit 1`,
    );
    await server.db.query('update attributions set retry_at = null');
    await server.db.query(
      `update attributions a set retry_at = now() from order_lines l where l.id = a.line_id and l.order_id = ${orderOf}`,
    );
    const first = await sweepUnmatched({ ...server.deps, limit: 100 });
    expect(first.recomputed).toBe(0);
    expect(first.errors).toHaveLength(1);
    expect(await sweepUnmatched({ ...server.deps, limit: 100 })).toEqual({ recomputed: 0, errors: [] });
    const { rows } = await server.db.query<{ isPutOff: boolean }>(
      'select bool_and(retry_at > now()) as "isPutOff" from attributions where retry_at is not null',
    );
    expect(rows[0]?.isPutOff).toBe(true);
  });
});
