/** Many visits and orders through a real process, with duplicates, in no order: nothing is lost, nothing counts twice. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { listAll, fetchFrom } from '../../src/local/demo/api.ts';
import { readJournal, readTotals } from '../../src/local/demo/answers.ts';
import { waitUntil } from '../support/timing.ts';
import { install, outcomeOf, readClicks } from './daihuo-process.ts';
import type { Installation, RunningServer } from './daihuo-process.ts';
import {
  expectedCommissionFen,
  messagesOf,
  openBusyMarket,
  planOrders,
  postAll,
  randomOf,
  shuffled,
  type BusyMarket,
} from './sales-plan.ts';

const TIMEOUT_MS = 240_000;
const VISITS = 1_000;
const ORDERS = 200;
const VISITORS = 150;
const CONCURRENCY = 16;
const SIZE = { products: 10, influencers: 5 };
/** Set it to the printed one to see the same run again. */
const SEED = Date.now() % 1_000_000_007;

let installation: Installation;
let server: RunningServer;

beforeAll(async () => {
  installation = await install();
  server = await installation.serve('start');
});
afterAll(async () => {
  await installation.remove();
});

interface Visit {
  influencer: number;
  product: number;
  visitor: number;
  clickId: string;
}

/** Every link gets its share; visitors come back by chance. */
async function visitAll(market: BusyMarket, random: (below: number) => number): Promise<Visit[]> {
  const planned = shuffled(
    Array.from({ length: VISITS }, (_, index) => ({
      influencer: index % SIZE.influencers,
      product: Math.floor(index / SIZE.influencers) % SIZE.products,
      visitor: random(VISITORS),
    })),
    random,
  );
  const visits: Visit[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let visit = planned[next++]; visit !== undefined; visit = planned[next++]) {
      const code = market.links[visit.influencer]?.[visit.product]?.code ?? '';
      const userAgent = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) Mobile/15E148 aweme_30.4.${visit.visitor}`;
      const response = await fetchFrom(server.origin, {
        method: 'GET',
        path: `/${code}/v${visit.visitor % 3}`,
        headers: { 'user-agent': userAgent },
      });
      await response.text();
      expect(response.status).toBe(302);
      const clickId = URL.parse(response.headers.get('location') ?? '')?.searchParams.get('dh_click') ?? '';
      visits.push({ ...visit, clickId });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return visits;
}

const commissionRow = z.object({
  lineId: z.string(),
  paidFen: z.int().transform(BigInt),
  refundedFen: z.int().transform(BigInt),
  commissionFen: z.int().transform(BigInt),
  reversedFen: z.int().transform(BigInt),
});

function sumOf(rows: readonly z.output<typeof commissionRow>[], field: 'paidFen' | 'refundedFen' | 'commissionFen') {
  return rows.reduce((sum, row) => sum + row[field], 0n);
}

it(
  `${VISITS} visits through 50 links and ${ORDERS} orders with 30 % duplicates, shuffled: every click is kept once, every fen is where it belongs`,
  async () => {
    console.log(`volume test, seed ${SEED}`);
    const random = randomOf(SEED);
    const market = await openBusyMarket(server.admin, server.connect, SIZE);
    const startedAtMs = performance.now();
    const visits = await visitAll(market, random);
    const visitedAtMs = performance.now();

    const ids = visits.map(({ clickId }) => clickId);
    expect(new Set(ids).size).toBe(VISITS);
    const clicks = await waitUntil(async () => {
      const rows = await readClicks(installation);
      return rows.length >= VISITS && rows;
    });
    expect(clicks.map(({ clickId }) => clickId).toSorted()).toEqual(ids.toSorted());
    // The first visit of a visitor through a link always counts; whether a later one is a repeat depends on the ten seconds between.
    const pairs = new Set(visits.map(({ influencer, product, visitor }) => `${influencer} ${product} ${visitor}`)).size;
    const counted = clicks.filter(({ verdict }) => verdict === 'counted').length;
    expect(counted).toBeGreaterThanOrEqual(pairs);
    expect(counted + clicks.filter(({ verdict }) => verdict === 'repeat').length).toBe(VISITS);

    const plan = planOrders({ orders: ORDERS, ...SIZE, evidence: ['click', 'click', 'click', 'none'] }, random);
    const clickIdFor = (influencer: number, product: number): string => {
      const own = visits.filter((visit) => visit.influencer === influencer && visit.product === product);
      return own[random(own.length)]?.clickId ?? '';
    };
    const at = new Date();
    const messages = plan.flatMap((order) => messagesOf(order, market, { at, clickIdFor }));
    const duplicates = messages.filter(() => random(10) < 3);
    const sender = {
      origin: server.origin,
      storeId: market.storeId,
      secret: market.secret,
      clock: { now: () => new Date() },
    };
    const orderedAtMs = performance.now();
    const refused = await postAll([sender], shuffled([...messages, ...duplicates], random), CONCURRENCY);
    expect(refused).toEqual([]);
    const postedAtMs = performance.now();

    const expected = expectedCommissionFen(plan, market.products);
    const { total, data } = await readTotals(market.finance);
    expect(total).toMatchObject({
      commissionFen: expected.commissionFen,
      paidFen: expected.paidFen,
      lines: expected.creditedLines,
      orders: expected.creditedOrders,
    });
    const rows = await listAll(market.finance, '/v1/commissions', commissionRow);
    expect(BigInt(rows.length)).toBe(total.lines);
    for (const field of ['paidFen', 'refundedFen', 'commissionFen'] as const) {
      expect(sumOf(rows, field)).toBe(total[field]);
      expect(data.reduce((sum, row) => sum + row[field], 0n)).toBe(total[field]);
    }
    const entries = await readJournal(market.finance, market.brandId);
    expect(entries.reduce((sum, { amountFen }) => sum + amountFen, 0n)).toBe(0n);
    const verify = await outcomeOf(installation.run(['verify']));
    expect(verify.stdout).toMatch(/Everything holds\.\n$/);
    expect(verify.code).toBe(0);
    console.log(
      `${VISITS} visits in ${Math.round(visitedAtMs - startedAtMs)} ms, ${messages.length} messages and ${duplicates.length} ` +
        `duplicates in ${Math.round(postedAtMs - orderedAtMs)} ms, ${counted} clicks counted, ${entries.length} journal entries`,
    );
  },
  TIMEOUT_MS,
);
