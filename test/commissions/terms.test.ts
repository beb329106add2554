import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import { commissionsRoutes } from '../../src/commissions/routes.ts';
import { addTermsVersion } from '../../src/commissions/terms/add-terms.ts';
import { getRateCard } from '../../src/commissions/terms/rate-cards.ts';
import type { Server } from '../../src/http/server.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertPolicies } from '../support/market.ts';
import { type Catalog, insertCatalog } from './fixtures.ts';

const NOW = new Date('2026-11-22T00:00:00.000Z');
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);

let test: TestDatabase;
let app: Server;
let own: Catalog;
let foreign: Catalog;
let asBrand: { authorization: string };

beforeAll(async () => {
  test = await createTestDatabase();
  own = await insertCatalog(test.db, 'own');
  foreign = await insertCatalog(test.db, 'foreign');
  ({ app } = await createTestServer(test.db, (server) => commissionsRoutes(server, { db: test.db, now: () => NOW })));
  const { key } = await inTransaction(test.db, (tx) =>
    makeKey(tx, { role: 'brand', brandId: own.brandId, label: 'test', actor: 'test' }),
  );
  asBrand = bearer(key);
});
afterAll(async () => {
  await app.close();
  await test.drop();
});

interface Answer {
  statusCode: number;
  headers: object;
  body: string;
  json(): Record<string, unknown>;
}

async function postTerms(payload: unknown, headers = asBrand): Promise<Answer> {
  return await app.inject({ method: 'POST', url: '/v1/terms', headers, payload: payload as object });
}

async function countTerms(): Promise<bigint> {
  const { rows } = await test.db.query<{ n: bigint }>('select count(*) as n from terms');
  return rows[0]?.n ?? 0n;
}

describe('POST /v1/terms', () => {
  it('begins now, ends the version before it there, and shows both, newest first', async () => {
    const scope = { storeId: own.storeId };
    const answer = await postTerms({ scope, rateBp: 2000 });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({
      brandId: own.brandId,
      scope,
      rateBp: 2000,
      basis: 'order_amount',
      windowDays: 15,
      holdDays: 15,
      validFrom: NOW.toISOString(),
      validTo: null,
    });
    const list = await app.inject({ url: `/v1/terms?storeId=${own.storeId}&limit=1`, headers: asBrand });
    const page = list.json<{ data: { rateBp: number }[]; nextCursor: string }>();
    expect(page.data.map(({ rateBp }) => rateBp)).toEqual([2000]);
    const next = await app.inject({
      url: `/v1/terms?storeId=${own.storeId}&limit=1&cursor=${page.nextCursor}`,
      headers: asBrand,
    });
    expect(next.json()).toMatchObject({ data: [{ rateBp: 1500, validTo: NOW.toISOString() }], nextCursor: null });
    const csv = await app.inject({
      url: `/v1/terms?storeId=${own.storeId}&limit=1`,
      headers: { ...asBrand, accept: 'text/csv' },
    });
    expect(csv.headers).toMatchObject({ 'next-cursor': page.nextCursor });
  });

  it('may begin and end with days, which are those of Shanghai', async () => {
    const scope = { storeId: own.storeId, influencerId: own.lin };
    const answer = await postTerms({ scope, rateBp: 2500, validFrom: '2030-01-01', validTo: '2030-02-01' });
    expect(answer.json()).toMatchObject({ validFrom: '2029-12-31T16:00:00.000Z', validTo: '2030-01-31T16:00:00.000Z' });
  });

  it('refuses a version that overlaps another of its scope, and changes nothing', async () => {
    const scope = { productId: own.productA };
    expect((await postTerms({ scope, rateBp: 100, validFrom: later(10) })).statusCode).toBe(201);
    const before = await countTerms();
    for (const body of [
      { scope, rateBp: 200 },
      { scope, rateBp: 200, validTo: new Date(later(10).getTime() + 1) },
      { scope, rateBp: 200, validFrom: later(10) },
    ]) {
      const answer = await postTerms(body);
      expect([answer.statusCode, answer.json()['code']]).toEqual([409, 'conflict']);
    }
    expect(await countTerms()).toBe(before);
    expect((await postTerms({ scope, flatFen: 200, validTo: later(10) })).statusCode).toBe(201);
  });

  it('of twenty versions of one scope that begin at the same instant, one stands', async () => {
    const scope = { productId: own.productB, influencerId: own.lin };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => postTerms({ scope, rateBp: n })));
    expect(answers.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([
      201,
      ...Array(19).fill(409),
    ]);
  });

  it.each([
    ['an influencer alone', { scope: { influencerId: 'inf_ownlin' }, rateBp: 1 }],
    ['a product and a store', { scope: { productId: 'prd_owna', storeId: 'str_own' }, rateBp: 1 }],
    ['a rate and a flat amount', { scope: {}, rateBp: 1, flatFen: 1 }],
    ['neither of them', { scope: {} }],
    ['a rate above 90 %', { scope: {}, rateBp: 9001 }],
    ['a broken rate', { scope: {}, rateBp: 1.5 }],
    ['a negative amount', { scope: {}, flatFen: -1 }],
    ['a window of no days', { scope: {}, rateBp: 1, windowDays: 0 }],
    ['an unknown field', { scope: {}, rateBp: 1, brand: 'x' }],
    ['a brand’s beginning in the past', { scope: {}, rateBp: 1, validFrom: '2026-11-21T23:59:59.999Z' }],
    ['an end before the beginning', { scope: {}, rateBp: 1, validTo: NOW.toISOString() }],
  ])('refuses %s as validation_failed', async (_, body) => {
    const before = await countTerms();
    const answer = await postTerms(body);
    expect([answer.statusCode, answer.json()['code']]).toEqual([400, 'validation_failed']);
    expect(await countTerms()).toBe(before);
  });

  it('another brand’s product, store or brand, and an unknown one, are the same 404', async () => {
    const unknown = comparable(await postTerms({ scope: { productId: 'prd_unknown' }, rateBp: 1 }));
    expect(unknown).toMatchObject({ status: 404 });
    for (const body of [
      { scope: { productId: foreign.productA }, rateBp: 1 },
      { scope: { storeId: foreign.storeId }, rateBp: 1 },
      { scope: {}, brandId: foreign.brandId, rateBp: 1 },
      { scope: { productId: own.productA, influencerId: 'inf_unknown' }, rateBp: 1 },
    ]) {
      expect(comparable(await postTerms(body))).toEqual(unknown);
    }
    const list = await app.inject({ url: `/v1/terms?brandId=${foreign.brandId}`, headers: asBrand });
    expect(list.json()).toEqual({ data: [], nextCursor: null });
  });

  it('an admin may begin in the past, which is audited, and names the brand by a product of it', async () => {
    const body = { scope: { productId: foreign.productB }, rateBp: 300, validFrom: later(-5).toISOString() };
    const answer = await postTerms(body, asAdmin);
    expect(answer.json()).toMatchObject({ brandId: foreign.brandId, validFrom: body.validFrom });
    const { rows } = await test.db.query('select action, brand_id from audit_log where subject = $1', [
      answer.json()['id'],
    ]);
    expect(rows).toEqual([{ action: 'terms.backdated', brand_id: foreign.brandId }]);
    expect((await postTerms({ scope: {}, rateBp: 300 }, asAdmin)).statusCode).toBe(400);
  });
});

describe('versions of terms', () => {
  it('a promotion with an end interrupts the open version, which resumes afterwards', async () => {
    const shop = await insertCatalog(test.db, 'promo');
    await inTransaction(test.db, (tx) =>
      addTermsVersion(tx, {
        brandId: shop.brandId,
        scope: { storeId: shop.storeId },
        rate: { rateBp: 3000 },
        validFrom: later(1),
        validTo: later(4),
        createdBy: 'test',
      }),
    );
    const book = await getRateCard(test.db, { brandId: shop.brandId });
    const rateOn = (day: number): unknown =>
      book.termsFor({ createdAt: later(day), storeId: shop.storeId, productId: shop.productA, influencerId: shop.lin })
        ?.rate;
    expect([0.999, 1, 3.999, 4, 400].map(rateOn)).toEqual([
      { kind: 'rate', rateBp: 1500 },
      { kind: 'rate', rateBp: 3000 },
      { kind: 'rate', rateBp: 3000 },
      { kind: 'rate', rateBp: 1500 },
      { kind: 'rate', rateBp: 1500 },
    ]);
  });

  it('the policy of an order is the one in force when it was created; before the first, the first', async () => {
    const shop = await insertCatalog(test.db, 'policy', { platformFeeBp: 100 });
    await test.db.query('update brand_policies set valid_to = $2 where brand_id = $1', [shop.brandId, NOW]);
    await insertPolicies(test.db, [
      { brandId: shop.brandId, inferred: 'off', scope: 'store', platformFeeBp: 200, validFrom: NOW },
    ]);
    const book = await getRateCard(test.db, { brandId: shop.brandId });
    expect(book.policyAt(new Date('2020-01-01'))).toEqual({ inferred: 'pay', scope: 'product', platformFeeBp: 100 });
    expect(book.policyAt(new Date(NOW.getTime() - 1)).platformFeeBp).toBe(100);
    expect(book.policyAt(NOW)).toEqual({ inferred: 'off', scope: 'store', platformFeeBp: 200 });
    const none = await getRateCard(test.db, { brandId: 'brd_none' });
    expect(none.policyAt(NOW)).toEqual({ inferred: 'review', scope: 'product', platformFeeBp: 0 });
  });

  it('a book narrowed to a product, its store and an influencer answers for them as the whole one does', async () => {
    const shop = await insertCatalog(test.db, 'narrow');
    const begin = { brandId: shop.brandId, validFrom: NOW, createdBy: 'test' };
    await inTransaction(test.db, async (tx) => {
      await addTermsVersion(tx, { ...begin, scope: {}, rate: { rateBp: 1 } });
      await addTermsVersion(tx, { ...begin, scope: { productId: shop.productA }, rate: { rateBp: 2 } });
      await addTermsVersion(tx, { ...begin, scope: { productId: shop.productB }, rate: { rateBp: 3 } });
      await addTermsVersion(tx, {
        ...begin,
        scope: { productId: shop.productA, influencerId: shop.lin },
        rate: { rateBp: 4 },
      });
      await addTermsVersion(tx, {
        ...begin,
        scope: { storeId: shop.storeId, influencerId: shop.mei },
        rate: { rateBp: 5 },
      });
    });
    const whole = await getRateCard(test.db, { brandId: shop.brandId });
    const found = [];
    for (const influencerId of [shop.lin, shop.mei, 'inf_other']) {
      for (const productId of [shop.productA, shop.productB]) {
        const sale = { createdAt: later(1), storeId: shop.storeId, productId, influencerId };
        const narrowed = await getRateCard(test.db, {
          brandId: shop.brandId,
          storeIds: [shop.storeId],
          productIds: [productId],
          influencerIds: [influencerId],
        });
        expect(narrowed.termsFor(sale)).toEqual(whole.termsFor(sale));
        found.push(whole.termsFor(sale)?.rate);
      }
    }
    expect(found.map((rate) => (rate?.kind === 'rate' ? rate.rateBp : undefined))).toEqual([4, 3, 5, 5, 2, 3]);
  });
});
