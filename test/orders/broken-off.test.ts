/** What stands after a delivery that was broken off: everything of it, or nothing, and never a 2xx without a COMMIT. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db, type Tx } from '../../src/infra/db.ts';
import { findOrderStore } from '../../src/orders/intake/store-queries.ts';
import type { IncomingMessage } from '../../src/orders/intake/incoming-message.ts';
import { recordMessage, recordMessages } from '../../src/orders/intake/record-messages.ts';
import {
  type Market,
  type OrderServer,
  clickIdOf,
  createOrderServer,
  makeMarket,
  moneyTables,
  postShop,
} from './order-server.ts';

let server: OrderServer;
let market: Market;
/** A pool whose connections are made to be cut, so their end is no news. */
let brittle: Db;

beforeAll(async () => {
  server = await createOrderServer();
  brittle = createDb({ url: server.test.url, max: 2, applicationName: 'daihuo-test-cut', onError: () => undefined });
  market = await makeMarket(server);
});
afterAll(async () => {
  await brittle.end();
  await server.close();
});

const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);

/** A paid order of 199.00 yuan with an authentic click id. */
async function paidMessage(orderId: string): Promise<IncomingMessage> {
  const store = await findOrderStore(server.db, market.storeId);
  if (store === undefined) throw new Error('the market has a store');
  const line = {
    externalLineId: '1',
    itemKeys: [`item:${market.itemId}`],
    quantity: 1,
    paidFen: 19_900n,
    evidence: { clickId: clickIdOf(market, minutesAgo(10)) },
  };
  const event = {
    type: 'paid' as const,
    externalOrderId: orderId,
    version: 1n,
    occurredAt: minutesAgo(5),
    lines: [line],
  };
  return {
    store,
    source: 'shop',
    messageKey: `msg_${orderId}`,
    bodySha256: createHash('sha256').update(orderId).digest(),
    messageType: 'paid',
    rawBody: Buffer.from(orderId),
    content: { kind: 'events', events: [{ event, notes: {} }] },
  };
}

/** 50.00 yuan of such an order given back. */
async function refundMessage(orderId: string): Promise<IncomingMessage> {
  const message = await paidMessage(orderId);
  const portions = [{ lineIds: ['1'], refundedFen: 5_000n }];
  const event = {
    type: 'refunded' as const,
    externalOrderId: orderId,
    version: 1n,
    occurredAt: minutesAgo(1),
    refund: { refundId: 'R-1', kind: 'refund' as const, portions },
  };
  return {
    ...message,
    messageKey: `refund_${orderId}`,
    messageType: 'refunded',
    content: { kind: 'events', events: [{ event, notes: {} }] },
  };
}

interface Cut {
  db: Db;
  /** The statements asked for, the one that was cut last. */
  statements: string[];
}

/** The pool, whose transactions lose their backend at the statement of that number: before it is asked, or before its answer is heard. */
function cutAt(number: number, moment: 'before' | 'after'): Cut {
  const statements: string[] = [];
  const cutting = async (tx: Tx): Promise<Tx> => {
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    const cut = async (): Promise<void> => {
      await server.db.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
    };
    const ask = async (query: string | { text: string }, values?: unknown[]): Promise<unknown> => {
      statements.push(typeof query === 'string' ? query : query.text);
      const isIt = statements.length === number;
      if (isIt && moment === 'before') await cut();
      const answer: unknown = await tx.query(query as string, values);
      if (!isIt) return answer;
      await cut();
      throw new Error('Connection terminated unexpectedly');
    };
    return new Proxy(tx, {
      get: (target, key) => {
        if (key === 'query') return ask;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  const db = new Proxy(brittle, {
    get: (target, key) => {
      if (key === 'connect') return async () => cutting(await target.connect());
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { db, statements };
}

async function bookedFen(orderId: string): Promise<string[]> {
  const { rows } = await server.db.query<{ booked: string }>(
    `select e.account || ' ' || sum(e.amount_fen) as booked
     from entry_lines l
     join orders o on o.id = l.order_id
     join postings e on e.entry_id = l.entry_id and e.line_position = l.position
     where o.external_order_id = $1
     group by e.account order by e.account`,
    [orderId],
  );
  return rows.map(({ booked }) => booked);
}

describe('a delivery whose connection is cut', () => {
  it.each(['before', 'after'] as const)(
    '%s any of its statements is kept whole or not at all, and once when it comes again',
    async (moment) => {
      const leftBehind: string[] = [];
      let cuts = 0;
      for (let number = 1; cuts === number - 1; number += 1) {
        const message = await paidMessage(`${moment}-${number}`);
        const untouched = await moneyTables(server.db);
        const { db, statements } = cutAt(number, moment);
        const isWhole = await recordMessage({ ...server.deps, db }, message).then(
          () => true,
          () => false,
        );
        if (!isWhole) cuts += 1;
        const last = statements[number - 1] ?? 'none';
        const isCommitted = isWhole || (moment === 'after' && last === 'commit');
        if (((await moneyTables(server.db)) === untouched) === isCommitted) leftBehind.push(last);

        await recordMessage(server.deps, message);
        expect(await bookedFen(`${moment}-${number}`)).toEqual(['brand_owes 2985', 'pending -2985']);
      }
      expect(leftBehind).toEqual([]);
      expect(cuts).toBeGreaterThan(10);
    },
  );
});

describe('a batch whose BEGIN is refused', () => {
  it('leaves nothing, although its statements were sent behind it', async () => {
    const messages = await Promise.all(['refused-a', 'refused-b'].map(paidMessage));
    const untouched = await moneyTables(server.db);
    const statements: string[] = [];
    const refusing = (tx: Tx): Tx =>
      new Proxy(tx, {
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key);
          if (key !== 'query') return typeof value === 'function' ? value.bind(target) : value;
          return async (query: string | { text: string }) => {
            statements.push(typeof query === 'string' ? query : query.text);
            return target.query(query === 'begin' ? 'begin isolation level refused' : (query as string));
          };
        },
      });
    const db = new Proxy(brittle, {
      get: (target, key) => {
        if (key === 'connect') return async () => refusing(await target.connect());
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    await expect(recordMessages({ ...server.deps, db }, messages)).rejects.toThrow('syntax error');
    expect(statements.filter((text) => text.includes('insert into inbox_messages'))).toHaveLength(1);
    expect(await moneyTables(server.db)).toBe(untouched);
    expect(await recordMessages(server.deps, messages)).toEqual(['applied', 'applied']);
  });
});

describe('a batch of deliveries whose connection is cut', () => {
  it.each(['before', 'after'] as const)(
    '%s any of its statements is kept whole or not at all, and once when its messages come again, in whatever batches',
    async (moment) => {
      const leftBehind: string[] = [];
      let cuts = 0;
      for (let number = 1; cuts === number - 1; number += 1) {
        const standing = `${moment}-standing-${number}`;
        const orderIds = ['a', 'b'].map((each) => `${moment}-batch-${number}-${each}`);
        await recordMessage(server.deps, await paidMessage(standing));
        const messages = [...(await Promise.all(orderIds.map(paidMessage))), await refundMessage(standing)];
        const untouched = await moneyTables(server.db);
        const { db, statements } = cutAt(number, moment);
        const isWhole = await recordMessages({ ...server.deps, db }, messages, { lockTimeoutMs: 500 }).then(
          () => true,
          () => false,
        );
        if (!isWhole) cuts += 1;
        const last = statements[number - 1] ?? 'none';
        const isCommitted = isWhole || (moment === 'after' && last === 'commit');
        if (((await moneyTables(server.db)) === untouched) === isCommitted) leftBehind.push(last);

        await recordMessages(server.deps, messages.slice(1));
        await recordMessages(server.deps, messages.slice(0, 1));
        expect(await bookedFen(standing)).toEqual(['brand_owes 2235', 'pending -2235']);
        for (const orderId of orderIds) expect(await bookedFen(orderId)).toEqual(['brand_owes 2985', 'pending -2985']);
      }
      expect(leftBehind).toEqual([]);
      expect(cuts).toBeGreaterThan(20);
    },
  );
});

describe('a shop webhook whose COMMIT is refused', () => {
  it('is not acknowledged, leaves nothing, and is taken when it comes again', async () => {
    const message = {
      type: 'order.paid',
      orderId: 'refused-commit',
      occurredAt: minutesAgo(5).toISOString(),
      version: 1,
      lines: [
        {
          lineId: '1',
          itemId: market.itemId,
          quantity: 1,
          paidFen: 19_900,
          clickId: clickIdOf(market, minutesAgo(10)),
        },
      ],
    };
    await server.db.query(`
      create function refuse_commit() returns trigger language plpgsql as $$ begin raise exception 'refused at COMMIT'; end $$;
      create constraint trigger refuse_commit after insert on inbox_messages
        deferrable initially deferred for each row execute function refuse_commit();`);
    const before = await moneyTables(server.db);
    const refused = await postShop(server, market, message, { id: 'refused-commit' });
    await server.db.query('drop trigger refuse_commit on inbox_messages; drop function refuse_commit;');
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(await moneyTables(server.db)).toBe(before);

    expect((await postShop(server, market, message, { id: 'refused-commit' })).status).toBe(200);
    expect(await bookedFen('refused-commit')).toEqual(['brand_owes 2985', 'pending -2985']);
  });
});
