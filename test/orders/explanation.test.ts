import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { decisionRoutes } from '../../src/orders/decisions/routes.ts';
import type { OrderExplanation } from '../../src/orders/explanation/answer.ts';
import { explanationRoutes } from '../../src/orders/explanation/routes.ts';
import { wordsOf } from '../../src/orders/explanation/trace-words.ts';
import { asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import type { TestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertAgency, insertBrandWithTerms, insertInfluencer, insertProduct, insertStore } from '../support/market.ts';
import { ageStatusHistory, DAY_MS, insertClick, insertLink, type Link, setDrainedTo } from '../support/promotion.ts';
import { deliver, deliverPaid, recomputeDeps } from './deliver.ts';
import type { Sale, SoldLine } from './deliver.ts';

/** The answer as JSON: its instants are texts, its amounts numbers. */
type Json<T> = T extends Date
  ? string
  : T extends bigint
    ? number
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;
type Explanation = Json<OrderExplanation>;

const SOLD_AT = new Date(Date.now() - 5 * DAY_MS);
const before = (ms: number): Date => new Date(SOLD_AT.getTime() - ms);

let test: TestDatabase;
let server: TestServer;
let keys: Record<'brand' | 'otherBrand' | 'finance' | 'a' | 'b' | 'stranger', string>;
let a: Link;
let b: Link;
let payeeOfA: string;
let clickOfA: string;
let clickOfB: string;
let orders = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  const { db } = test;
  const brandId = await insertBrandWithTerms(db, { inferred: 'review', platformFeeBp: 1_000 });
  const storeId = await insertStore(db, { brandId });
  const productId = await insertProduct(db, { brandId, storeId });
  a = await insertLink(db, { brandId, storeId, productId, influencerId: await insertInfluencer(db) });
  b = await insertLink(db, { brandId, storeId, productId, influencerId: await insertInfluencer(db) });
  await insertAgency(db, { influencerId: a.influencerId });
  const payee = await db.query<{ payeeId: string }>('select payee_id as "payeeId" from influencers where id = $1', [
    a.influencerId,
  ]);
  payeeOfA = String(payee.rows[0]?.payeeId);
  await ageStatusHistory(db);
  await setDrainedTo(db, new Date());
  clickOfA = await insertClick(db, a, before(2 * DAY_MS), { tag: 'v12' });
  clickOfB = await insertClick(db, b, before(DAY_MS));
  await insertClick(db, b, before(DAY_MS - 1000), { verdict: 'bot' });
  await insertClick(db, b, before(16 * DAY_MS));
  const otherBrand = await insertBrandWithTerms(db, { inferred: 'review' });
  const stranger = await insertInfluencer(db);
  const keyOf = async (subject: {
    role: 'brand' | 'finance' | 'influencer';
    brandId?: string;
    influencerId?: string;
  }) => (await inTransaction(db, (tx) => makeKey(tx, { ...subject, label: 'test', actor: 'test' }))).key;
  keys = {
    brand: await keyOf({ role: 'brand', brandId }),
    otherBrand: await keyOf({ role: 'brand', brandId: otherBrand }),
    finance: await keyOf({ role: 'finance' }),
    a: await keyOf({ role: 'influencer', influencerId: a.influencerId }),
    b: await keyOf({ role: 'influencer', influencerId: b.influencerId }),
    stranger: await keyOf({ role: 'influencer', influencerId: stranger }),
  };
  server = await createTestServer(db, async (app) => {
    await decisionRoutes(app, { db, ...recomputeDeps });
    await explanationRoutes(app, { db, ...recomputeDeps });
  });
});
afterAll(async () => {
  await server.app.close();
  await test.drop();
});

async function sell(...lines: Partial<SoldLine>[]): Promise<{ sale: Sale; orderId: string; lineIds: string[] }> {
  orders += 1;
  const sold = lines.map((line) => Object.assign({ productId: a.productId }, line));
  const sale: Sale = {
    brandId: a.brandId,
    storeId: a.storeId,
    externalOrderId: `E-${orders}`,
    at: SOLD_AT,
    lines: sold,
  };
  return { sale, ...(await deliverPaid(test.db, sale)) };
}

async function ask(orderId: string, key: string) {
  return server.app.inject({ method: 'GET', url: `/v1/orders/${orderId}/explanation`, headers: bearer(key) });
}

async function explain(orderId: string, key: string): Promise<Explanation> {
  const answer = await ask(orderId, key);
  expect(answer.statusCode).toBe(200);
  return answer.json<Explanation>();
}

describe('a line won by its click id, partly refunded', () => {
  let orderId: string;
  let lineId: string;

  beforeAll(async () => {
    const sold = await sell({ evidence: { clickId: clickOfA } });
    orderId = sold.orderId;
    lineId = String(sold.lineIds[0]);
    await deliver(test.db, sold.sale, {
      type: 'refunded',
      refund: { refundId: 'R-1', kind: 'refund', portions: [{ lineIds: ['1'], refundedFen: 5_000n }] },
    });
  });

  it('shows the events, the window, the winner and everybody’s clicks', async () => {
    const { events, lines } = await explain(orderId, keys.finance);
    expect(events.map(({ type, source, makesFacts }) => ({ type, source, makesFacts }))).toEqual([
      { type: 'paid', source: 'shop', makesFacts: true },
      { type: 'refunded', source: 'shop', makesFacts: true },
    ]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      id: lineId,
      attribution: {
        state: 'matched',
        method: 'click_id',
        confidence: 'exact',
        linkCode: a.code,
        clickId: clickOfA,
        tag: 'v12',
      },
      byEvidence: { method: 'click_id', linkCode: a.code },
      evidence: { clickId: clickOfA, couponCode: null, noteCodes: [] },
      window: { days: 15, from: before(15 * DAY_MS).toISOString(), until: SOLD_AT.toISOString() },
      ladder: [{ method: 'click_id', outcome: 'won', linkCode: a.code, words: wordsOf({ detail: 'authentic' }) }],
      dispute: null,
    });
    expect(lines[0]?.clicks.map(({ linkCode, verdict }) => `${linkCode} ${verdict}`)).toEqual([
      `${b.code} bot`,
      `${b.code} counted`,
      `${a.code} counted`,
    ]);
  });

  it('shows the arithmetic to the fen, each step redoable, and the journal that says the same', async () => {
    const { lines } = await explain(orderId, keys.finance);
    const [line] = lines;
    // 199.00 less 50.00 at 15 %: 22.35; the operator takes 10 % of it, the agency 20 % of the rest.
    expect(line?.arithmetic.map(({ name, formula, amountFen }) => [name, formula, amountFen])).toEqual([
      ['paid', '19900', 19_900],
      ['refunded', '5000', 5_000],
      ['net', '19900 - 5000 = 14900', 14_900],
      ['commission', '(14900 * 1500 + 5000) / 10000 = 2235', 2_235],
      ['operator', '(2235 * 1000 + 5000) / 10000 = 224', 224],
      ['agency', '(2011 * 2000 + 5000) / 10000 = 402', 402],
      ['influencer', '1609', 1_609],
    ]);
    expect(line).toMatchObject({
      commissionFen: 2_235,
      pendingFen: 2_235,
      stage: 'pending',
      terms: { rateBp: 1_500, holdDays: 15, platformFeeBp: 1_000 },
    });
    expect(line?.journal.reduce((sum, entry) => sum + entry.amountFen, 0)).toBe(0);
    const owed = line?.journal.filter(({ account }) => account === 'brand_owes') ?? [];
    expect(owed.reduce((sum, entry) => sum + entry.amountFen, 0)).toBe(2_235);
    expect(owed.reduce((sum, entry) => sum + entry.reversedDeltaFen, 0)).toBe(2_985 - 2_235);
  });

  it('shows the influencer its own leg, clicks and evidence, and nobody else’s', async () => {
    const answer = await ask(orderId, keys.a);
    const [line] = answer.json<Explanation>().lines;
    expect(line).toMatchObject({
      commissionFen: 1_609,
      pendingFen: 1_609,
      candidates: [],
      dispute: null,
      byEvidence: null,
      evidence: null,
    });
    expect(line?.arithmetic.at(-1)).toMatchObject({ name: 'influencer', amountFen: 1_609 });
    expect(line?.terms).toMatchObject({ rateBp: 1_500, platformFeeBp: null, agencyShareBp: null });
    expect(new Set(line?.journal.map(({ payeeId }) => payeeId))).toEqual(new Set([payeeOfA]));
    expect(line?.clicks.map(({ clickId }) => clickId)).toEqual([clickOfA]);
    for (const secret of [b.influencerId, b.code, clickOfB, '2235', '"224"']) expect(answer.body).not.toContain(secret);
  });

  it('is no order for an influencer who has no line in it, nor for another brand', async () => {
    const nobodys = comparable(await ask('ord_0000000000000000', keys.b));
    for (const key of [keys.b, keys.stranger, keys.otherBrand]) {
      const answer = await ask(orderId, key);
      expect(answer.statusCode).toBe(404);
      expect(comparable(answer)).toEqual(nobodys);
    }
    expect((await explain(orderId, keys.brand)).lines).toHaveLength(1);
    expect((await server.app.inject({ url: `/v1/orders/${orderId}/explanation`, headers: asAdmin })).statusCode).toBe(
      200,
    );
  });
});

describe('lines that nobody earned yet', () => {
  it('two influencers’ clicks: the candidates and why neither won', async () => {
    const { orderId } = await sell({});
    const [line] = (await explain(orderId, keys.brand)).lines;
    expect(line).toMatchObject({
      attribution: { state: 'unmatched', reason: 'ambiguous', linkCode: null },
      candidates: [
        { linkCode: b.code, influencerId: b.influencerId, method: 'sole_candidate', clickId: clickOfB },
        { linkCode: a.code, influencerId: a.influencerId, clickedAt: before(2 * DAY_MS).toISOString() },
      ],
      terms: null,
      arithmetic: [],
      journal: [],
      commissionFen: 0,
      stage: 'none',
    });
    expect(line?.ladder.map(({ method, outcome }) => `${method} ${outcome}`)).toEqual([
      'click_id none',
      'tracking_slot none',
      'relation none',
      'code none',
      'click_time none',
      'sole_candidate rejected',
      'sole_candidate rejected',
    ]);
    expect(line?.ladder.every(({ words, detail }) => words !== detail.replaceAll('_', ' '))).toBe(true);
  });

  it('an unknown product', async () => {
    const { orderId } = await sell({ productId: 'never-registered' });
    const [line] = (await explain(orderId, keys.brand)).lines;
    expect(line).toMatchObject({
      productId: null,
      attribution: { reason: 'product_not_registered' },
      clicks: [],
      window: null,
    });
  });
});

describe('a decided line', () => {
  it('shows the decision history and what evidence says instead; the influencer sees neither who nor why', async () => {
    const { orderId, lineIds } = await sell({ evidence: { clickId: clickOfB } });
    const decide = async (kind: string, payload: object) =>
      server.app.inject({
        method: 'POST',
        url: `/v1/order-lines/${lineIds[0]}/${kind}`,
        headers: bearer(keys.finance),
        payload,
      });
    await decide('reject', { note: 'looked like an own order' });
    await decide('assign', { linkCode: a.code, note: 'the buyer said so' });
    const [line] = (await explain(orderId, keys.finance)).lines;
    expect(line).toMatchObject({
      attribution: { method: 'manual', linkCode: a.code },
      byEvidence: { method: 'click_id', linkCode: b.code },
      dispute: null,
      decisions: [
        { kind: 'reject', note: 'looked like an own order', linkCode: null },
        { kind: 'assign', note: 'the buyer said so', linkCode: a.code, undoneAt: null },
      ],
    });
    expect(line?.decisions[0]?.undoneBy).toMatch(/^finance:key_/);
    expect(line?.ladder.map(({ method, outcome, linkCode }) => `${method} ${outcome} ${linkCode}`)).toEqual([
      `manual won ${a.code}`,
      `click_id won ${b.code}`,
    ]);
    const own = await ask(orderId, keys.a);
    expect(own.json<Explanation>().lines[0]).toMatchObject({
      decisions: [{ kind: 'reject' }, { kind: 'assign', note: '', decidedBy: '' }],
    });
    for (const secret of ['the buyer said so', 'key_', b.code, b.influencerId]) expect(own.body).not.toContain(secret);
    expect((await ask(orderId, keys.b)).statusCode).toBe(404);
  });

  it('shows evidence that came after the decision as a dispute', async () => {
    const { sale, orderId, lineIds } = await sell({});
    await server.app.inject({
      method: 'POST',
      url: `/v1/order-lines/${lineIds[0]}/assign`,
      headers: bearer(keys.finance),
      payload: { linkCode: a.code, note: 'n' },
    });
    await deliver(test.db, sale, {
      type: 'paid',
      version: 2n,
      lines: [
        {
          externalLineId: '1',
          itemKeys: [`item:${a.productId}`],
          quantity: 1,
          paidFen: 19_900n,
          evidence: { clickId: clickOfB },
        },
      ],
    });
    const [line] = (await explain(orderId, keys.brand)).lines;
    expect(line).toMatchObject({
      attribution: { method: 'manual', linkCode: a.code },
      dispute: { state: 'matched', method: 'click_id', linkCode: b.code, clickedAt: before(DAY_MS).toISOString() },
    });
  });
});

describe('an order of several lines', () => {
  it('shows an influencer only the lines credited to it', async () => {
    const { orderId, lineIds } = await sell({ evidence: { clickId: clickOfA } }, { evidence: { clickId: clickOfB } });
    expect((await explain(orderId, keys.a)).lines.map(({ id }) => id)).toEqual([lineIds[0]]);
    expect((await explain(orderId, keys.b)).lines.map(({ id }) => id)).toEqual([lineIds[1]]);
    expect((await explain(orderId, keys.finance)).lines.map(({ id }) => id)).toEqual(lineIds);
  });
});
