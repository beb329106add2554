import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listBooked } from '../../src/ledger/positions/queries.ts';
import { listCommissions } from '../../src/ledger/lines/queries.ts';
import { sealEntries } from '../../src/ledger/seal/sealer.ts';
import type { CommissionFilter, Figures } from '../../src/ledger/figures.ts';
import {
  FIELD_OF_GROUPING,
  type Grouping,
  GROUPINGS,
  sumTotals,
  type TotalsQuery,
  type TotalsRow,
} from '../../src/ledger/totals/queries.ts';
import { verify } from '../../src/verify.ts';
import { formatVerifyReport } from '../../src/ledger/verify/report.ts';
import { positionOf, stageOf, sumLineEntries } from '../../src/core/money/accounts.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Catalog, insertCatalog } from '../commissions/fixtures.ts';
import { RandomWalk } from '../commissions/random-walk.ts';

const SEED = Number(new Date('2026-11-22'));
const STEPS = 220;
const NO_FILTER: CommissionFilter = {
  brandScope: null,
  influencerScope: null,
  brandId: null,
  influencerId: null,
  storeId: null,
  productId: null,
  platform: null,
  stage: null,
  from: null,
  to: null,
};
const ADDING: (keyof Figures)[] = [
  'lines',
  'paidFen',
  'refundedFen',
  'commissionFen',
  'pendingFen',
  'payableFen',
  'inPayoutFen',
  'paidOutFen',
  'debtFen',
  'reversedFen',
];
const FEN = ADDING.filter((field) => field !== 'lines');

let test: TestDatabase;
let catalogs: Catalog[];
let walk: RandomWalk;

beforeAll(async () => {
  test = await createTestDatabase();
  catalogs = [
    await insertCatalog(test.db, 'alpha', { platformFeeBp: 700, holdDays: 0 }),
    await insertCatalog(test.db, 'beta', { rateBp: 3333, holdDays: 3 }),
  ];
  walk = new RandomWalk(test.db, { catalogs, seed: SEED });
  for (let step = 0; step < STEPS; step += 1) await walk.step();
});
afterAll(async () => {
  await test.drop();
});

async function totals(query: Partial<TotalsQuery> = {}): Promise<{ rows: TotalsRow[]; total: TotalsRow }> {
  const all = await sumTotals(test.db, {
    ...NO_FILTER,
    groupBy: [],
    timeBasis: 'paid',
    asOf: null,
    limit: 10_000,
    ...query,
  });
  const total = all.find(({ isTotal }) => isTotal);
  if (total === undefined) throw new Error('no total');
  return { rows: all.filter(({ isTotal }) => !isTotal), total };
}

function add(rows: readonly Partial<Figures>[], fields: (keyof Figures)[] = ADDING): Record<string, bigint> {
  return Object.fromEntries(fields.map((field) => [field, rows.reduce((sum, row) => sum + (row[field] ?? 0n), 0n)]));
}

function figuresOf(row: Figures, fields: (keyof Figures)[] = ADDING): Record<string, bigint> {
  return Object.fromEntries(fields.map((field) => [field, row[field]]));
}

const instants = (): Date[] => {
  const edge = Date.parse('2026-10-31T16:00:00Z');
  const others = Array.from({ length: 3 }, () => edge + walk.below(60 * 86_400_000) - 40 * 86_400_000);
  return [edge, edge - 1, edge + 1, ...others].map((ms) => new Date(ms));
};

/** When the walk was a quarter, a half and three quarters through. */
async function postingTimes(): Promise<Date[]> {
  const { rows } = await test.db.query<{ postedAt: Date }>(
    `select j.posted_at as "postedAt"
     from (select posted_at, row_number() over (order by posted_at, id) as place from journal_entries) j
     where j.place in (select count(*) * q / 4 from journal_entries, unnest(array[1, 2, 3]) q group by q)`,
  );
  expect(rows.length).toBe(3);
  return rows.map(({ postedAt }) => postedAt);
}

describe(`totals after ${STEPS} random steps (seed ${SEED})`, () => {
  it('the walk reached every stage, debt and refunds, so what follows proves something', async () => {
    const { rows, total } = await totals({ groupBy: ['stage'] });
    expect(rows.map(({ stage }) => stage)).toEqual(expect.arrayContaining(['none', 'paid', 'payable', 'pending']));
    for (const field of FEN.filter((name) => name !== 'inPayoutFen')) expect(total[field]).toBeGreaterThan(0n);
  });

  it('the rows of every grouping, and of every two together, sum to the total; the identity holds in each', async () => {
    const { total } = await totals();
    const groupings: Grouping[][] = GROUPINGS.flatMap((one) => [[one], ...GROUPINGS.map((other) => [one, other])]);
    for (const groupBy of groupings) {
      const grouped = await totals({ groupBy });
      expect(grouped.total).toEqual(total);
      expect(add(grouped.rows)).toEqual(figuresOf(total));
      for (const row of grouped.rows) {
        const { pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen } = row;
        expect(row.commissionFen).toBe(pendingFen + payableFen + inPayoutFen + paidOutFen - debtFen);
      }
    }
  });

  it('each grouping shows its own values, in its own field, and no other', async () => {
    const MONTH = `to_char(paid_at at time zone 'Asia/Shanghai', 'YYYY-MM')`;
    const DAY = `to_char(paid_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD')`;
    const columns: Record<Grouping, string> = {
      month: MONTH,
      day: DAY,
      brand: 'brand_id',
      influencer: 'influencer_id',
      store: 'store_id',
      product: 'product_id',
      link: 'link_id',
      tag: 'tag',
      platform: 'platform',
      method: 'method',
      stage: `unnest(array['none', 'paid', 'payable', 'pending', 'in_payout'])`,
    };
    for (const grouping of GROUPINGS) {
      const { rows } = await test.db.query<{ value: string | null }>(
        `select distinct ${columns[grouping]} as value from entry_lines`,
      );
      const known = new Set(rows.map(({ value }) => value));
      const grouped = await totals({ groupBy: [grouping] });
      expect(grouped.rows.length).toBeGreaterThan(0);
      expect([...known]).toEqual(expect.arrayContaining(grouped.rows.map((row) => row[FIELD_OF_GROUPING[grouping]])));
      const others = GROUPINGS.filter((name) => name !== grouping);
      const shown = grouped.rows.flatMap((row) => others.map((name) => row[FIELD_OF_GROUPING[name]]));
      expect(new Set(shown)).toEqual(new Set([null]));
    }
  });

  it('[a, c) = [a, b) + [b, c) for every grouping, by payment and by posting time', async () => {
    for (const timeBasis of ['paid', 'posted'] as const) {
      for (const splitAt of timeBasis === 'paid' ? instants() : await postingTimes()) {
        for (const groupBy of GROUPINGS) {
          const whole = await totals({ groupBy: [groupBy], timeBasis });
          const before = await totals({ groupBy: [groupBy], timeBasis, to: splitAt });
          const after = await totals({ groupBy: [groupBy], timeBasis, from: splitAt });
          expect(add([before.total, after.total])).toEqual(figuresOf(whole.total));
          for (const row of whole.rows) {
            const same = [...before.rows, ...after.rows].filter((part) => sameGroup(part, row));
            expect(add(same)).toEqual(figuresOf(row));
          }
        }
      }
    }
  });

  it('the total is plain SQL over the entries, and orders are counted once each', async () => {
    const { total } = await totals();
    const { rows } = await test.db.query(
      `select (select count(distinct x.order_id) from (
           select order_id from entry_lines group by order_id, line_id having sum(lines_delta) > 0) x) as "orders",
         (select sum(lines_delta)::bigint from entry_lines) as "lines",
         (select sum(paid_delta_fen)::bigint from entry_lines) as "paidFen",
         (select sum(refunded_delta_fen)::bigint from entry_lines) as "refundedFen",
         sum(case when account = 'brand_owes' then amount_fen else 0 end)::bigint as "commissionFen",
         sum(case when account in ('pending', 'fee_pending') then -amount_fen else 0 end)::bigint as "pendingFen",
         sum(case when account in ('payable', 'fee_earned') then -amount_fen else 0 end)::bigint as "payableFen",
         sum(case when account = 'in_payout' then -amount_fen else 0 end)::bigint as "inPayoutFen",
         sum(case when account = 'cash' then -amount_fen else 0 end)::bigint as "paidOutFen",
         sum(case when account = 'debt' then amount_fen else 0 end)::bigint as "debtFen",
         sum(reversed_delta_fen)::bigint as "reversedFen"
       from postings`,
    );
    expect(rows[0]).toEqual(figuresOf(total, ['orders', ...ADDING]));
    const byProduct = await totals({ groupBy: ['product', 'link'] });
    expect(add(byProduct.rows, ['orders'])['orders']).toBeGreaterThan(total.orders);
  });

  it('the stage of every row is the stage its lines have by the rules of the core', async () => {
    const { rows: ids } = await test.db.query<{ id: string }>('select id from order_lines');
    const booked = await listBooked(
      test.db,
      ids.map(({ id }) => id),
    );
    const expected = new Map<string, Record<string, bigint>>();
    const fields = ['commissionFen', 'paidOutFen', 'debtFen', 'reversedFen'] as const;
    for (const postings of booked.values()) {
      const byInfluencer = Map.groupBy(sumLineEntries(postings), ({ dimensions }) => dimensions.influencerId);
      for (const buckets of byInfluencer.values()) {
        const position = positionOf(buckets);
        const stage = stageOf(position);
        expected.set(stage, add([expected.get(stage) ?? {}, position], [...fields]));
      }
    }
    const { rows } = await totals({ groupBy: ['stage'] });
    expect(new Map(rows.map((row) => [row.stage ?? '', figuresOf(row, [...fields])]))).toEqual(expected);
  });

  it('the list, read page by page, sums to the total under the same filters', async () => {
    const { brandId, lin, mei, productA } = catalogs[0] ?? {};
    const filters: Partial<CommissionFilter>[] = [
      {},
      { brandId: brandId ?? null },
      { influencerId: lin ?? null },
      { productId: productA ?? null, from: instants()[0] ?? null },
      { to: instants()[0] ?? null },
      { influencerScope: mei ?? null },
      { brandScope: brandId ?? null, stage: 'pending' },
      { stage: 'paid' },
      { stage: 'none' },
      { influencerScope: lin ?? null, stage: 'payable' },
    ];
    for (const filter of filters) {
      const { total } = await totals(filter);
      const list = [];
      let after: { paidAtMicros: bigint; lineId: string } | null = null;
      for (;;) {
        const page = await listCommissions(test.db, { ...NO_FILTER, ...filter, after, limit: 7 });
        list.push(...page);
        const last = page.at(-1);
        if (page.length < 7 || last === undefined) break;
        after = { paidAtMicros: last.paidAtMicros, lineId: last.lineId };
      }
      expect(new Set(list.map(({ lineId }) => lineId)).size).toBe(list.length);
      expect(add(list, FEN)).toEqual(figuresOf(total, FEN));
    }
  });

  it('an influencer’s totals are its own leg: with those of everybody else’s legs they make the whole', async () => {
    const { total } = await totals();
    const { rows: legs } = await test.db.query<{ payeeId: string; commissionFen: bigint }>(
      `select payee_id as "payeeId", sum(amount_fen)::bigint as "commissionFen" from postings
       where account = 'brand_owes' group by payee_id`,
    );
    expect(legs.reduce((sum, { commissionFen }) => sum + commissionFen, 0n)).toBe(total.commissionFen);
    for (const catalog of catalogs) {
      const own = await totals({ influencerScope: catalog.mei });
      const leg = legs.find(({ payeeId }) => payeeId === catalog.meiPayee);
      const whole = await totals({ influencerId: catalog.mei });
      expect(own.total.commissionFen).toBe(leg?.commissionFen);
      expect(own.total.commissionFen).toBeLessThan(whole.total.commissionFen);
      expect(own.total.paidFen).toBe(whole.total.paidFen);
    }
  });

  it('what is read as of a sealed instant never changes while posting goes on', async () => {
    await sealEntries(test.db);
    const { rows } = await test.db.query<{ asOf: Date }>(`select sealed_through as "asOf" from sealer_state`);
    const asOf = rows[0]?.asOf ?? null;
    const read = (): Promise<unknown> =>
      Promise.all((['stage', 'month', 'influencer'] as const).map((name) => totals({ groupBy: [name], asOf })));
    const before = await read();
    for (let round = 0; round < 4; round += 1) {
      for (let step = 0; step < 10; step += 1) await walk.step();
      await sealEntries(test.db);
      expect(await read()).toEqual(before);
    }
    expect(await read()).toEqual(before);
    expect(await totals({ groupBy: ['influencer'] })).not.toEqual(await totals({ groupBy: ['influencer'], asOf }));
  });

  it('verify proves it all, and finds a fact that was never booked and a rollup that miscounts', async () => {
    await sealEntries(test.db);
    const report = await verify(test.db);
    expect(formatVerifyReport(report)).toMatch(/Everything holds\.$/);
    expect(report.ok).toBe(true);

    const { rows } = await test.db.query<{ lineId: string }>(
      `update order_lines set refunded_fen = paid_fen where id =
         (select l.id from order_lines l join attributions a on a.line_id = l.id where l.refunded_fen < l.paid_fen order by l.id limit 1)
       returning id as "lineId"`,
    );
    await test.db.query(
      `insert into click_rollups (link_number, hour, verdict, brand_id, clicks, uniques) values (1, date_trunc('hour', now()), 'counted', 'x', 7, 1)`,
    );
    const broken = await verify(test.db);
    expect(broken.ok).toBe(false);
    const failed = broken.checks.filter(({ ok }) => !ok);
    expect(failed.map(({ name }) => name)).toEqual([
      'booked for every line = its facts and the terms copied onto it',
      'click rollups = clicks',
    ]);
    expect(failed[0]?.problems).toEqual([expect.stringContaining(`line ${rows[0]?.lineId}: postings of link`)]);
    expect(failed[1]?.problems).toEqual([expect.stringContaining('0 clicks, rolled up 7')]);
    expect(formatVerifyReport(broken)).toMatch(/FAIL {2}click rollups/);
  });
});

/** Whether two rows of one query stand for the same group. */
function sameGroup(left: TotalsRow, right: TotalsRow): boolean {
  return GROUPINGS.every((name) => left[FIELD_OF_GROUPING[name]] === right[FIELD_OF_GROUPING[name]]);
}
