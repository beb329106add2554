import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import type { Role } from '../../src/access/principal.ts';
import { releaseDueLines } from '../../src/commissions/release/release.ts';
import { commissionsRoutes } from '../../src/commissions/routes.ts';
import { ledgerRoutes } from '../../src/ledger/routes.ts';
import { sealEntries } from '../../src/ledger/seal/sealer.ts';
import type { Server } from '../../src/http/server.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  book,
  type Catalog,
  credit,
  insertCatalog,
  insertLine,
  payOut,
  receive,
  refund,
} from '../commissions/fixtures.ts';

type Headers = Record<string, string>;

let test: TestDatabase;
let app: Server;
let own: Catalog;
let foreign: Catalog;
let as: Record<'brand' | 'foreignBrand' | 'finance' | 'brandFinance' | 'lin' | 'mei', Headers>;

const PAID_AT = new Date('2026-11-09T16:30:00Z');

beforeAll(async () => {
  test = await createTestDatabase();
  const { db } = test;
  own = await insertCatalog(db, 'own', { holdDays: 0 });
  foreign = await insertCatalog(db, 'foreign');
  ({ app } = await createTestServer(db, async (server) => {
    await commissionsRoutes(server, { db, now: () => new Date() });
    await ledgerRoutes(server, { db });
  }));
  const key = async (role: Role, subject: { brandId?: string; influencerId?: string } = {}): Promise<Headers> => {
    const made = await inTransaction(db, (tx) => makeKey(tx, { role, ...subject, label: 'test', actor: 'test' }));
    return bearer(made.key);
  };
  as = {
    brand: await key('brand', { brandId: own.brandId }),
    foreignBrand: await key('brand', { brandId: foreign.brandId }),
    finance: await key('finance'),
    brandFinance: await key('finance', { brandId: foreign.brandId }),
    lin: await key('influencer', { influencerId: own.lin }),
    mei: await key('influencer', { influencerId: own.mei }),
  };
  await sell('lin_one', { catalog: own, linkId: own.links.linA, paidFen: 19_900n, tag: 'v1' });
  await refund(db, 'lin_one', 5000n);
  await sell('lin_two', { catalog: own, linkId: own.links.meiB, paidFen: 10_000n });
  await receive(db, 'lin_two', PAID_AT);
  await sell('lin_far', { catalog: foreign, linkId: foreign.links.linA, paidFen: 700n });
  await book(db, ['lin_one', 'lin_two']);
  await releaseDueLines(db);
});
afterAll(async () => {
  await app.close();
  await test.drop();
});

async function sell(
  lineId: string,
  sale: { catalog: Catalog; linkId: string; paidFen: bigint; tag?: string },
): Promise<void> {
  const { catalog, linkId, paidFen, tag = null } = sale;
  const orderId = lineId.replace('lin', 'ord');
  await insertLine(test.db, catalog, { lineId, orderId, productId: catalog.productA, paidFen, paidAt: PAID_AT });
  await credit(test.db, lineId, linkId, { tag });
  await book(test.db, [lineId]);
}

async function get(url: string, headers: Headers): Promise<{ statusCode: number; headers: object; body: string }> {
  return app.inject({ url, headers });
}

async function read(url: string, headers: Headers): Promise<unknown> {
  const answer = await get(url, headers);
  expect(answer.statusCode).toBe(200);
  return JSON.parse(answer.body);
}

const ZERO = { pendingFen: 0, payableFen: 0, inPayoutFen: 0, paidOutFen: 0, debtFen: 0 };

describe('GET /v1/commissions/totals', () => {
  it('shows the figures of the design: 199.00 at 15 % less a refund of 50.00 is 22.35', async () => {
    const totals = await read('/v1/commissions/totals?groupBy=influencer,tag,day', as.brand);
    const first = {
      orders: 1,
      lines: 1,
      paidFen: 19_900,
      refundedFen: 5000,
      commissionFen: 2235,
      ...ZERO,
      reversedFen: 750,
    };
    const second = {
      orders: 1,
      lines: 1,
      paidFen: 10_000,
      refundedFen: 0,
      commissionFen: 1500,
      ...ZERO,
      reversedFen: 0,
    };
    expect(totals).toEqual({
      data: [
        { influencerId: own.lin, tag: 'v1', day: '2026-11-10', ...first, pendingFen: 2235 },
        { influencerId: own.mei, tag: null, day: '2026-11-10', ...second, payableFen: 1500 },
      ],
      total: {
        ...ZERO,
        orders: 2,
        lines: 2,
        paidFen: 29_900,
        refundedFen: 5000,
        commissionFen: 3735,
        pendingFen: 2235,
        payableFen: 1500,
        reversedFen: 750,
      },
    });
  });

  it('each caller sees its part: a brand its brand, an influencer its own leg, finance everything or its brand', async () => {
    const commission = async (headers: Headers, query = ''): Promise<number> =>
      ((await read(`/v1/commissions/totals${query}`, headers)) as { total: { commissionFen: number } }).total
        .commissionFen;
    expect(await commission(as.brand)).toBe(3735);
    expect(await commission(as.foreignBrand)).toBe(105);
    expect(await commission(as.finance)).toBe(3840);
    expect(await commission(asAdmin)).toBe(3840);
    expect(await commission(as.brandFinance)).toBe(105);
    expect(await commission(as.lin)).toBe(2235);
    // Mei's agency takes 20 % of 1500.
    expect(await commission(as.mei)).toBe(1200);
    expect(await commission(as.mei, `?influencerId=${own.lin}`)).toBe(0);
    expect(await commission(as.brand, `?brandId=${foreign.brandId}`)).toBe(0);
    expect(await commission(as.finance, '?stage=payable')).toBe(1500);
    expect(await commission(as.finance, '?from=2026-11-10&to=2026-11-11')).toBe(3840);
    expect(await commission(as.finance, '?from=2026-11-11')).toBe(0);
    expect(await commission(as.finance, '?to=2026-11-10')).toBe(0);
    expect(await commission(as.finance, '?timeBasis=posted&to=2026-11-11')).toBe(0);
  });

  it('answers CSV with BOM, the columns asked for first', async () => {
    const { headers, body } = await get('/v1/commissions/totals?groupBy=month', { ...as.brand, accept: 'text/csv' });
    expect(headers).toMatchObject({ 'content-type': 'text/csv; charset=utf-8' });
    expect(body).toBe(
      '\ufeffmonth,orders,lines,paidFen,refundedFen,commissionFen,pendingFen,payableFen,inPayoutFen,paidOutFen,debtFen,reversedFen\r\n' +
        '2026-11,2,2,29900,5000,3735,2235,1500,0,0,0,750\r\n',
    );
  });

  it.each([
    'groupBy=colour',
    'groupBy=',
    'from=yesterday',
    'stage=late',
    'timeBasis=x',
    'colour=red',
    'brandId=x',
    'from=2026-11-22&to=2026-11-21',
  ])('refuses %s as validation_failed', async (query) => {
    const answer = await get(`/v1/commissions/totals?${query}`, as.finance);
    expect([answer.statusCode, JSON.parse(answer.body)]).toMatchObject([400, { code: 'validation_failed' }]);
  });

  it('as of: nothing sealed, the future and a moment ago are 422; a sealed instant is answered', async () => {
    const code = async (url: string): Promise<unknown> => {
      const answer = await get(url, as.finance);
      return [answer.statusCode, (JSON.parse(answer.body) as { code: string }).code];
    };
    const refused = [422, 'as_of_not_sealed'];
    const before = new Date(Date.now() - 60_000).toISOString();
    expect(await code(`/v1/commissions/totals?asOf=${before}`)).toEqual(refused);
    await sealEntries(test.db);
    expect(await code('/v1/commissions/totals?asOf=9000-01-01')).toEqual(refused);
    expect(await code(`/v1/payees/${own.linPayee}/balance?asOf=9000-01-01`)).toEqual(refused);
    expect(await read(`/v1/commissions/totals?asOf=${before}`, as.finance)).toMatchObject({ total: { lines: 0 } });
    const { rows } = await test.db.query<{ at: Date }>('select sealed_through as at from sealer_state');
    const sealed = rows[0]?.at.toISOString();
    expect(await read(`/v1/commissions/totals?asOf=${sealed}`, as.finance)).toMatchObject({ total: { lines: 3 } });
  });
});

describe('GET /v1/commissions', () => {
  it('shows a line with its attribution, terms and money, newest first, page by page', async () => {
    const first = (await read('/v1/commissions?limit=1', as.brand)) as { data: unknown[]; nextCursor: string };
    expect(first.data).toMatchObject([
      {
        lineId: 'lin_two',
        stage: 'payable',
        held: false,
        commissionFen: 1500,
        payableFen: 1500,
        terms: { basis: 'order_amount', rateBp: 1500, flatFen: null },
        attribution: {
          method: 'click_id',
          confidence: 'exact',
          linkId: own.links.meiB,
          linkCode: 'ownmeib',
          influencerId: own.mei,
        },
      },
    ]);
    const second = await read(`/v1/commissions?limit=1&cursor=${first.nextCursor}`, as.brand);
    expect(second).toMatchObject({
      data: [{ lineId: 'lin_one', stage: 'pending', paidFen: 19_900, refundedFen: 5000, reversedFen: 750 }],
      nextCursor: null,
    });
    expect((await get('/v1/commissions?cursor=AAAA', as.brand)).statusCode).toBe(400);
    const csv = await get('/v1/commissions?limit=1', { ...as.brand, accept: 'text/csv' });
    expect(csv.headers).toMatchObject({ 'next-cursor': first.nextCursor });
  });

  it('an influencer sees its own lines and its own leg; a line taken from it shows no other’s attribution', async () => {
    await sell('lin_moved', { catalog: own, linkId: own.links.linA, paidFen: 1000n });
    await receive(test.db, 'lin_moved', PAID_AT);
    await book(test.db, ['lin_moved']);
    await releaseDueLines(test.db);
    await payOut(test.db, { brandId: own.brandId, payeeId: own.linPayee });
    await credit(test.db, 'lin_moved', own.links.meiA, { method: 'manual' });
    await book(test.db, ['lin_moved']);
    const list = (await read('/v1/commissions', as.lin)) as { data: { lineId: string }[] };
    expect(list.data.map(({ lineId }) => lineId).toSorted()).toEqual(['lin_moved', 'lin_one']);
    expect(list.data.find(({ lineId }) => lineId === 'lin_moved')).toMatchObject({
      attribution: null,
      terms: null,
      stage: 'paid',
      commissionFen: 0,
      paidOutFen: 150,
      debtFen: 150,
    });
    const meis = (await read('/v1/commissions', as.mei)) as { data: { lineId: string }[] };
    expect(meis.data.find(({ lineId }) => lineId === 'lin_moved')).toMatchObject({ commissionFen: 120, paidFen: 1000 });
    const csv = await get('/v1/commissions', { ...as.mei, accept: 'text/csv' });
    expect(csv.body.split('\r\n').length).toBe(4);
  });
});

describe('GET /v1/journal', () => {
  it('shows the entries of a line in order, only to finance of its brand', async () => {
    const list = (await read('/v1/journal?lineId=lin_one', as.finance)) as { data: Record<string, unknown>[] };
    expect(list.data.map(({ account, amountFen, reversedDeltaFen }) => [account, amountFen, reversedDeltaFen])).toEqual(
      [
        ['brand_owes', 2985, 0],
        ['pending', -2985, 0],
        ['brand_owes', -750, 750],
        ['pending', 750, 0],
      ],
    );
    expect(list.data[0]).toMatchObject({ kind: 'booking', lineId: 'lin_one', influencerId: own.lin, sequence: 1 });
    expect(await read('/v1/journal?lineId=lin_one', as.brandFinance)).toEqual({ data: [], nextCursor: null });
    expect((await get('/v1/journal', as.brand)).statusCode).toBe(403);
  });

  it('reads on by cursor without skipping or repeating an entry, and filters by account and time', async () => {
    const all = (await read('/v1/journal?limit=200', as.finance)) as { data: unknown[] };
    const paged: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = (await read(`/v1/journal?limit=3${cursor && `&cursor=${cursor}`}`, as.finance)) as {
        data: unknown[];
        nextCursor: string | null;
      };
      paged.push(...page.data);
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(all.data);
    const owed = (await read('/v1/journal?account=debt', as.finance)) as { data: { amountFen: number }[] };
    expect(owed.data.map(({ amountFen }) => amountFen)).toEqual([150]);
    expect(await read('/v1/journal?to=2026-11-10', as.finance)).toMatchObject({ data: [] });
    const csv = await get('/v1/journal?account=debt', { ...as.finance, accept: 'text/csv' });
    expect(csv.body.split('\r\n').length).toBe(3);
    expect(csv.headers).not.toHaveProperty('next-cursor');
    const cut = await get('/v1/journal?limit=3', { ...as.finance, accept: 'text/csv' });
    expect(cut.headers).toHaveProperty('next-cursor');
  });
});

describe('GET /v1/payees/:id/balance', () => {
  it('shows one row a brand, equal to the totals of that payee', async () => {
    const balance = await read(`/v1/payees/${own.linPayee}/balance`, as.lin);
    expect(balance).toEqual({
      data: [
        {
          ...ZERO,
          brandId: own.brandId,
          commissionFen: 2235,
          pendingFen: 2235,
          paidOutFen: 150,
          debtFen: 150,
          reversedFen: 750,
        },
      ],
    });
    expect(await read(`/v1/payees/${own.linPayee}/balance`, as.finance)).toEqual(balance);
  });

  it('somebody else’s payee and an unknown one are the same 404', async () => {
    const unknown = comparable(await get('/v1/payees/pye_unknown/balance', as.lin));
    expect(unknown).toMatchObject({ status: 404 });
    expect(comparable(await get(`/v1/payees/${own.meiPayee}/balance`, as.lin))).toEqual(unknown);
    expect(comparable(await get('/v1/payees/pye_%00/balance', as.lin))).toEqual(unknown);
    expect(comparable(await get(`/v1/payees/${own.linPayee}/balance`, as.brandFinance))).toEqual(
      comparable(await get('/v1/payees/pye_unknown/balance', as.brandFinance)),
    );
    expect((await get(`/v1/payees/${own.linPayee}/balance`, as.brand)).statusCode).toBe(403);
  });
});

describe('holds', () => {
  const hold = async (
    line: string,
    request: { method: 'POST' | 'DELETE'; headers: Headers; payload?: object },
  ): Promise<{ statusCode: number; headers: object; body: string }> =>
    app.inject({ url: `/v1/order-lines/${line}/hold`, ...request });

  it('finance holds a payable line and lets it go again', async () => {
    const payload = { note: 'looks like a self-buy' };
    const held = await hold('lin_two', { method: 'POST', headers: as.finance, payload });
    expect([held.statusCode, JSON.parse(held.body)]).toEqual([200, { lineId: 'lin_two', held: true, ...payload }]);
    const payable = (await read('/v1/commissions?stage=payable', as.brand)) as { data: { lineId: string }[] };
    expect(payable.data.map(({ lineId }) => lineId)).toEqual(['lin_moved']);
    expect((await hold('lin_two', { method: 'DELETE', headers: as.finance })).statusCode).toBe(200);
    expect(await releaseDueLines(test.db)).toBe(1);
    expect((await hold('lin_two', { method: 'DELETE', headers: as.finance })).statusCode).toBe(404);
  });

  it('another brand’s line and an unknown one are the same 404; a line without commission is a conflict; a brand may not', async () => {
    const payload = { note: 'x' };
    const unknown = comparable(await hold('lin_unknown', { method: 'POST', headers: as.brandFinance, payload }));
    expect(unknown).toMatchObject({ status: 404 });
    expect(comparable(await hold('lin_two', { method: 'POST', headers: as.brandFinance, payload }))).toEqual(unknown);
    await insertLine(test.db, own, {
      lineId: 'lin_bare',
      orderId: 'ord_bare',
      productId: null,
      paidFen: 5n,
      paidAt: PAID_AT,
    });
    expect((await hold('lin_%00', { method: 'POST', headers: as.finance, payload })).statusCode).toBe(404);
    expect((await hold('lin_bare', { method: 'POST', headers: as.finance, payload })).statusCode).toBe(409);
    expect((await hold('lin_two', { method: 'POST', headers: as.brand, payload })).statusCode).toBe(403);
    expect((await hold('lin_two', { method: 'POST', headers: as.finance, payload: { note: ' ' } })).statusCode).toBe(
      400,
    );
  });
});
