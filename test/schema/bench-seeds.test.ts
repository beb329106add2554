/** Benchmarks are run by hand, so a change of the schema that their seeds do not follow is found here. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedMarket } from '../../bench/orders/market.ts';
import { seedBrand, seedTenBrands } from '../../bench/support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let links: TestDatabase;
let market: TestDatabase;

beforeAll(async () => {
  [links, market] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterAll(async () => {
  await Promise.all([links.drop(), market.drop()]);
});

it('the links of ten brands have the same numbers in every empty database, and links of one brand go beside them', async () => {
  const ten = await seedTenBrands(links.db);
  expect(ten.map(({ linkNumber }) => linkNumber)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  const { codes } = await seedBrand(links.db, 25_000);
  const { rows } = await links.db.query<{ code: string; mode: string }>(
    `select c.code, l.landing_mode as mode from link_codes c join links l on l.id = c.link_id where c.code = any ($1)`,
    [codes],
  );
  expect(rows).toHaveLength(25_000);
  expect(new Set(rows.map(({ mode }) => mode))).toEqual(new Set(['direct']));
});

it('pgbench finds its clicks by number, and its orders are in the books', async () => {
  const { clicks, stores } = await seedMarket(market.db, { clicks: 20_000, since: new Date('2026-11-01T00:00:00Z') });
  expect([clicks.length, stores.length]).toEqual([20_000, 10]);
  const { rows } = await market.db.query(`
    select (select count(*) from clicks) as clicks, (select count(*) from orders where status = 'paid') as orders,
      (select sum(p.amount_fen) from postings p where p.account = 'brand_owes')::bigint as "owedFen"`);
  expect(rows).toEqual([{ clicks: 40_000n, orders: 10_000n, owedFen: 10_000n * 2_985n }]);
});
