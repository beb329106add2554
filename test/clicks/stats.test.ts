import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeKey } from '../support/make-key.ts';
import { linkStatsRoutes } from '../../src/clicks/stats/routes.ts';
import type { Server } from '../../src/http/server.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { book, credit, insertCatalog, insertLine, refund } from '../commissions/fixtures.ts';
import type { Catalog } from '../commissions/fixtures.ts';
import { asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let test: TestDatabase;
let app: Server;
let catalog: Catalog;
let other: Catalog;
type Headers = Record<string, string>;
const callers: Record<'brand' | 'otherBrand' | 'finance' | 'lin' | 'mei', Headers> = {
  brand: {},
  otherBrand: {},
  finance: {},
  lin: {},
  mei: {},
};

const LIN = '/v1/links/statslina/stats';
const MEI = '/v1/links/statsmeia/stats';

async function keyFor(
  role: 'brand' | 'finance' | 'influencer',
  scope: { brandId?: string; influencerId?: string },
): Promise<Headers> {
  const { key } = await inTransaction(test.db, (tx) => makeKey(tx, { role, label: 'test', actor: 'test', ...scope }));
  return bearer(key);
}

async function addRollup(
  linkId: string,
  row: { hour: string; verdict: string; tag?: string; clicks: number; uniques?: number },
): Promise<void> {
  await test.db.query(
    `insert into click_rollups (link_number, hour, verdict, tag, brand_id, clicks, uniques)
     select l.number, $2, $3, $4, l.brand_id, $5, $6 from links l where l.id = $1`,
    [linkId, row.hour, row.verdict, row.tag ?? '', row.clicks, row.uniques ?? 0],
  );
}

async function sell(
  catalog: Catalog,
  name: string,
  sale: { link: string; paidFen: bigint; paidAt: string; orderId?: string },
): Promise<string> {
  const lineId = `lin_${name}`;
  const paidAt = new Date(sale.paidAt);
  await insertLine(test.db, catalog, {
    lineId,
    orderId: sale.orderId ?? `ord_${name}`,
    productId: catalog.productA,
    paidFen: sale.paidFen,
    paidAt,
  });
  await credit(test.db, lineId, sale.link);
  await book(test.db, [lineId]);
  return lineId;
}

beforeAll(async () => {
  test = await createTestDatabase();
  ({ app } = await createTestServer(test.db, (server) => linkStatsRoutes(server, { db: test.db })));
  catalog = await insertCatalog(test.db, 'stats');
  other = await insertCatalog(test.db, 'other');
  callers.brand = await keyFor('brand', { brandId: catalog.brandId });
  callers.otherBrand = await keyFor('brand', { brandId: other.brandId });
  callers.finance = await keyFor('finance', {});
  callers.lin = await keyFor('influencer', { influencerId: catalog.lin });
  callers.mei = await keyFor('influencer', { influencerId: catalog.mei });

  const { linA, meiA } = catalog.links;
  // 15:00 UTC is 23:00 of the same day in Shanghai, 16:00 UTC the first hour of the next.
  await addRollup(linA, { hour: '2026-11-20T15:00:00Z', verdict: 'counted', tag: 'v1', clicks: 5, uniques: 3 });
  await addRollup(linA, { hour: '2026-11-20T16:00:00Z', verdict: 'counted', clicks: 7, uniques: 6 });
  await addRollup(linA, { hour: '2026-11-20T16:00:00Z', verdict: 'counted', tag: 'v1', clicks: 1, uniques: 1 });
  await addRollup(linA, { hour: '2026-11-20T16:00:00Z', verdict: 'repeat', clicks: 2 });
  await addRollup(linA, { hour: '2026-11-20T17:00:00Z', verdict: 'bot', tag: 'v2', clicks: 4 });
  await addRollup(meiA, { hour: '2026-11-20T16:00:00Z', verdict: 'counted', clicks: 100, uniques: 100 });

  // Two lines of one order, one of them partly refunded, and an order of another day: 15 % of what stays.
  await sell(catalog, 's1', { link: linA, paidFen: 19_900n, paidAt: '2026-11-20T15:30:00Z', orderId: 'ord_s' });
  const part = await sell(catalog, 's2', {
    link: linA,
    paidFen: 10_000n,
    paidAt: '2026-11-20T15:30:00Z',
    orderId: 'ord_s',
  });
  await sell(catalog, 's3', { link: linA, paidFen: 1_000n, paidAt: '2026-11-20T16:30:00Z' });
  await refund(test.db, part, 5_000n);
  await book(test.db, [part]);
  await sell(catalog, 'm1', { link: meiA, paidFen: 10_000n, paidAt: '2026-11-20T16:30:00Z' });
  // Credited to Lin first, then taken back: nothing of it stays.
  const lost = await sell(catalog, 's4', { link: linA, paidFen: 50_000n, paidAt: '2026-11-20T16:30:00Z' });
  await credit(test.db, lost, undefined);
  await book(test.db, [lost]);
});
afterAll(async () => {
  await app.close();
  await test.drop();
});

async function stats(url: string, headers: Headers = asAdmin): Promise<Record<string, unknown>> {
  const answer = await app.inject({ url, headers });
  expect(answer.statusCode).toBe(200);
  return answer.json();
}

describe('GET /v1/links/:code/stats', () => {
  it('adds up clicks by verdict, day and tag, and what was sold', async () => {
    expect(await stats(LIN)).toEqual({
      clicks: { counted: 13, unique: 10, notCounted: { repeat: 2, bot: 4 } },
      orders: 2,
      paidFen: 30_900,
      commissionFen: 2_985 + 750 + 150,
      series: [
        { from: '2026-11-19T16:00:00.000Z', counted: 5, unique: 3, notCounted: {} },
        { from: '2026-11-20T16:00:00.000Z', counted: 8, unique: 7, notCounted: { repeat: 2, bot: 4 } },
      ],
      byTag: [
        { tag: null, counted: 7, unique: 6, notCounted: { repeat: 2 } },
        { tag: 'v1', counted: 6, unique: 4, notCounted: {} },
        { tag: 'v2', counted: 0, unique: 0, notCounted: { bot: 4 } },
      ],
      funnel: [],
    });
  });

  it('filters clicks by their time and sales by their payment, from a day’s beginning up to and without another’s', async () => {
    const day = await stats(`${LIN}?from=2026-11-20&to=2026-11-21&interval=hour`);
    expect(day).toMatchObject({
      clicks: { counted: 5, unique: 3, notCounted: {} },
      orders: 1,
      paidFen: 29_900,
      commissionFen: 3_735,
      series: [{ from: '2026-11-20T15:00:00.000Z', counted: 5 }],
    });
    const next = await stats(`${LIN}?from=2026-11-21&interval=hour`);
    expect(next).toMatchObject({ clicks: { counted: 8 }, orders: 1, paidFen: 1_000, commissionFen: 150 });
    expect(next['series']).toHaveLength(2);
    expect(await stats(`${LIN}?to=2026-11-20T16:00:00Z`)).toMatchObject({ clicks: { counted: 5 }, paidFen: 29_900 });
  });

  it('shows the whole commission to brand, finance and admin, and an influencer its own leg', async () => {
    for (const headers of [callers.brand, callers.finance, asAdmin]) {
      expect(await stats(MEI, headers)).toMatchObject({
        clicks: { counted: 100 },
        paidFen: 10_000,
        commissionFen: 1_500,
      });
    }
    expect(await stats(MEI, callers.mei)).toMatchObject({
      clicks: { counted: 100 },
      paidFen: 10_000,
      commissionFen: 1_200,
    });
  });

  it('answers for another’s link as for one that does not exist', async () => {
    const urls = ['/v1/links/nobodys/stats', '/v1/links/%E2%80%AE/stats', LIN];
    for (const headers of [callers.otherBrand, callers.mei]) {
      const answers = await Promise.all(urls.map((url) => app.inject({ url, headers })));
      const [unknown, ...others] = answers.map((answer) => comparable(answer) as { status: number; body: string });
      expect(unknown?.status).toBe(404);
      for (const each of others) expect(each).toEqual(unknown);
    }
    expect((await app.inject({ url: LIN })).statusCode).toBe(401);
  });

  it.each(['?from=2026-02-30', '?interval=minute', '?from=2026-11-21&to=2026-11-20', '?limit=5', '?from=a%00b'])(
    '%j is refused',
    async (query) => {
      const answer = await app.inject({ url: LIN + query, headers: asAdmin });
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({ code: 'validation_failed' });
    },
  );
});
