import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/make-key.ts';
import { releaseDueLines } from '../../src/commissions/release/release.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { decisionRoutes } from '../../src/orders/decisions/routes.ts';
import { asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import type { TestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertBrandWithTerms, insertInfluencer, insertProduct, insertStore } from '../support/market.ts';
import { ageStatusHistory, DAY_MS, insertLink, type Link, mintClickId } from '../support/promotion.ts';
import { deliver, deliverPaid, recomputeDeps } from './deliver.ts';
import type { Sale } from './deliver.ts';

const SOLD_AT = new Date(Date.now() - 40 * DAY_MS);
const CLICKED_AT = new Date(SOLD_AT.getTime() - DAY_MS);

let test: TestDatabase;
let server: TestServer;
let brandKey: string;
let otherBrandKey: string;
let financeKey: string;
let influencerKey: string;
let a: Link;
let b: Link;
let foreign: Link;
let orders = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  const { db } = test;
  const brandId = await insertBrandWithTerms(db, { inferred: 'review' });
  const storeId = await insertStore(db, { brandId });
  const productId = await insertProduct(db, { brandId, storeId });
  a = await insertLink(db, { brandId, storeId, productId, influencerId: await insertInfluencer(db) });
  b = await insertLink(db, { brandId, storeId, productId, influencerId: await insertInfluencer(db) });
  const otherBrand = await insertBrandWithTerms(db, { inferred: 'review' });
  const otherStore = await insertStore(db, { brandId: otherBrand });
  const otherProduct = await insertProduct(db, { brandId: otherBrand, storeId: otherStore });
  foreign = await insertLink(db, {
    brandId: otherBrand,
    storeId: otherStore,
    productId: otherProduct,
    influencerId: a.influencerId,
  });
  await ageStatusHistory(db);
  const keyOf = async (subject: {
    role: 'brand' | 'finance' | 'influencer';
    brandId?: string;
    influencerId?: string;
  }) => (await inTransaction(db, (tx) => makeKey(tx, { ...subject, label: 'test', actor: 'test' }))).key;
  brandKey = await keyOf({ role: 'brand', brandId });
  otherBrandKey = await keyOf({ role: 'brand', brandId: otherBrand });
  financeKey = await keyOf({ role: 'finance' });
  influencerKey = await keyOf({ role: 'influencer', influencerId: a.influencerId });
  server = await createTestServer(db, (app) => decisionRoutes(app, { db, ...recomputeDeps }));
});
afterAll(async () => {
  await server.app.close();
  await test.drop();
});

function newSale(clickIdOf?: Link): Sale {
  orders += 1;
  const evidence = clickIdOf === undefined ? {} : { clickId: mintClickId(clickIdOf, CLICKED_AT) };
  return {
    brandId: a.brandId,
    storeId: a.storeId,
    externalOrderId: `A-${orders}`,
    at: SOLD_AT,
    lines: [{ productId: a.productId, evidence }],
  };
}

async function sell(clickIdOf?: Link): Promise<{ sale: Sale; lineId: string }> {
  const sale = newSale(clickIdOf);
  const { lineIds } = await deliverPaid(test.db, sale);
  return { sale, lineId: String(lineIds[0]) };
}

/** Sold, received, its hold over: the commission is payable. */
async function sellAndRelease(clickIdOf: Link): Promise<{ sale: Sale; lineId: string }> {
  const sold = await sell(clickIdOf);
  await deliver(test.db, sold.sale, { type: 'received', occurredAt: new Date(SOLD_AT.getTime() + DAY_MS) });
  await test.db.query('update order_lines set received_seen_at = $2 where id = $1', [sold.lineId, SOLD_AT]);
  await deliver(test.db, sold.sale, { type: 'settled', occurredAt: new Date(SOLD_AT.getTime() + 2 * DAY_MS) });
  await releaseDueLines(test.db);
  return sold;
}

async function call(
  method: 'POST' | 'DELETE',
  path: string,
  { key = financeKey, body }: { key?: string; body?: object } = {},
) {
  const payload = body === undefined ? {} : { payload: body };
  const answer = await server.app.inject({ method, url: `/v1/order-lines/${path}`, headers: bearer(key), ...payload });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>(), answer };
}

/** What each influencer's account of a kind holds for the line, from the journal alone. */
async function booked(lineId: string): Promise<Record<string, bigint>> {
  const { rows } = await test.db.query<{ influencerId: string; account: string; sumFen: bigint }>(
    `select i.id as "influencerId", e.account, sum(e.amount_fen)::bigint as "sumFen"
     from entry_lines l
     join postings e on e.entry_id = l.entry_id and e.line_position = l.position
     join influencers i on i.payee_id = e.payee_id
     where l.line_id = $1 group by i.id, e.account having sum(e.amount_fen) <> 0`,
    [lineId],
  );
  const nameOf = (influencerId: string): string => (influencerId === a.influencerId ? 'a' : 'b');
  return Object.fromEntries(
    rows.map(({ influencerId, account, sumFen }) => [`${nameOf(influencerId)} ${account}`, sumFen]),
  );
}

async function countRows(): Promise<unknown> {
  const { rows } = await test.db.query(
    `select (select count(*) from line_decisions) as decisions, (select count(*) from audit_log) as audits,
       (select count(*) from journal_entries) as journals`,
  );
  return rows[0];
}

describe('assign', () => {
  it('credits an unmatched line, books its commission and leaves an audit entry', async () => {
    const { lineId } = await sell();
    const { status, body } = await call('POST', `${lineId}/assign`, {
      body: { linkCode: ` ${a.code.toUpperCase()}。`, note: '视频里说了' },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      lineId,
      decision: { kind: 'assign', linkCode: a.code, note: '视频里说了', undoneAt: null },
      attribution: {
        state: 'matched',
        method: 'manual',
        confidence: 'manual',
        linkCode: a.code,
        influencerId: a.influencerId,
      },
    });
    expect(await booked(lineId)).toEqual({ 'a brand_owes': 2_985n, 'a pending': -2_985n });
    const { rows } = await test.db.query(
      'select action, brand_id as "brandId", detail from audit_log where subject = $1',
      [lineId],
    );
    expect(rows).toEqual([
      { action: 'line.assigned', brandId: a.brandId, detail: { note: '视频里说了', linkId: a.linkId } },
    ]);
  });

  it('outranks a click id; the evidence it overruled is no dispute, evidence that comes later is one', async () => {
    const { sale, lineId } = await sell(a);
    await call('POST', `${lineId}/assign`, { body: { linkCode: b.code, note: 'n' } });
    expect(await booked(lineId)).toEqual({ 'b brand_owes': 2_985n, 'b pending': -2_985n });
    await deliver(test.db, sale, { type: 'received' });
    const disputeOf = async () =>
      (await test.db.query<{ dispute: unknown }>('select dispute from attributions where line_id = $1', [lineId]))
        .rows[0]?.dispute;
    expect(await disputeOf()).toBeNull();

    const unmatched = await sell();
    await call('POST', `${unmatched.lineId}/assign`, { body: { linkCode: b.code, note: 'n' } });
    const later = {
      ...unmatched.sale,
      lines: [{ productId: a.productId, evidence: { clickId: mintClickId(a, CLICKED_AT) } }],
    };
    await deliver(test.db, later, {
      type: 'paid',
      version: 2n,
      lines: [
        {
          externalLineId: '1',
          itemKeys: [`item:${a.productId}`],
          quantity: 1,
          paidFen: 19_900n,
          evidence: later.lines[0]?.evidence ?? {},
        },
      ],
    });
    const { rows } = await test.db.query(
      'select method, link_id as "linkId", dispute from attributions where line_id = $1',
      [unmatched.lineId],
    );
    expect(rows[0]).toMatchObject({
      method: 'manual',
      linkId: b.linkId,
      dispute: { method: 'click_id', linkId: a.linkId },
    });
  });

  it('replaces the decision that stands: one stands, the others are history', async () => {
    const { lineId } = await sell();
    await call('POST', `${lineId}/reject`, { body: { note: 'first' } });
    await call('POST', `${lineId}/assign`, { body: { linkCode: a.code, note: 'second' } });
    await call('POST', `${lineId}/assign`, { body: { linkCode: b.code, note: 'third' } });
    const { rows } = await test.db.query(
      'select note, undone_at is null as stands from line_decisions where line_id = $1 order by decided_at, id',
      [lineId],
    );
    expect(rows).toEqual([
      { note: 'first', stands: false },
      { note: 'second', stands: false },
      { note: 'third', stands: true },
    ]);
    expect(await booked(lineId)).toEqual({ 'b brand_owes': 2_985n, 'b pending': -2_985n });
  });

  it('eight people at once leave one standing decision and the money where it says', async () => {
    const { lineId } = await sell();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        call('POST', `${lineId}/assign`, { body: { linkCode: index % 2 ? a.code : b.code, note: String(index) } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    const { rows } = await test.db.query<{ linkId: string }>(
      'select link_id as "linkId" from line_decisions where line_id = $1 and undone_at is null',
      [lineId],
    );
    expect(rows).toHaveLength(1);
    const name = rows[0]?.linkId === a.linkId ? 'a' : 'b';
    expect(await booked(lineId)).toEqual({ [`${name} brand_owes`]: 2_985n, [`${name} pending`]: -2_985n });
  });
});

describe('reject and undo', () => {
  it('reject takes the commission back, undo gives it to what evidence says', async () => {
    const { lineId } = await sell(a);
    expect((await call('POST', `${lineId}/reject`, { body: { note: 'own order' } })).body).toMatchObject({
      attribution: { state: 'unmatched', reason: 'rejected', linkCode: null },
    });
    expect(await booked(lineId)).toEqual({});
    const undone = await call('DELETE', `${lineId}/reject`);
    expect(undone).toMatchObject({
      status: 200,
      body: { decision: null, attribution: { method: 'click_id', linkCode: a.code } },
    });
    expect(await booked(lineId)).toEqual({ 'a brand_owes': 2_985n, 'a pending': -2_985n });
  });

  it('undoes only a decision of its kind that stands', async () => {
    const { lineId } = await sell(a);
    expect((await call('DELETE', `${lineId}/assign`)).status).toBe(404);
    await call('POST', `${lineId}/reject`, { body: { note: 'n' } });
    expect((await call('DELETE', `${lineId}/assign`)).status).toBe(404);
    expect((await call('DELETE', `${lineId}/reject`)).status).toBe(200);
    expect((await call('DELETE', `${lineId}/reject`)).status).toBe(404);
  });

  it('a person moves also a payable commission: to another, and back to the evidence', async () => {
    const { lineId } = await sellAndRelease(a);
    expect(await booked(lineId)).toEqual({ 'a brand_owes': 2_985n, 'a payable': -2_985n });
    await call('POST', `${lineId}/assign`, { body: { linkCode: b.code, note: 'n' } });
    const moved = await booked(lineId);
    expect(moved['a brand_owes']).toBeUndefined();
    expect(moved['b brand_owes']).toBe(2_985n);
    expect((await call('DELETE', `${lineId}/assign`)).body).toMatchObject({
      attribution: { method: 'click_id', linkCode: a.code },
    });
    const back = await booked(lineId);
    expect(back['a brand_owes']).toBe(2_985n);
    expect(back['b brand_owes']).toBeUndefined();
  });
});

describe('who may decide', () => {
  it('a brand decides its own lines until they are payable', async () => {
    const open = await sell(a);
    expect((await call('POST', `${open.lineId}/reject`, { key: brandKey, body: { note: 'n' } })).status).toBe(200);
    expect((await call('DELETE', `${open.lineId}/reject`, { key: brandKey })).status).toBe(200);
    const { lineId } = await sellAndRelease(a);
    const before = await countRows();
    expect(await call('POST', `${lineId}/reject`, { key: brandKey, body: { note: 'n' } })).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
    expect((await call('DELETE', `${lineId}/reject`, { key: brandKey })).status).toBe(403);
    expect(await countRows()).toEqual(before);
    expect((await call('POST', `${lineId}/reject`, { body: { note: 'n' } })).status).toBe(200);
  });

  it('another brand’s line and one that does not exist answer the same, and nothing changes', async () => {
    const { lineId } = await sell(a);
    const before = await countRows();
    for (const [method, kind, body] of [
      ['POST', 'assign', { linkCode: foreign.code, note: 'n' }],
      ['POST', 'reject', { note: 'n' }],
      ['DELETE', 'assign', undefined],
      ['DELETE', 'reject', undefined],
    ] as const) {
      const options = { key: otherBrandKey, ...(body !== undefined && { body }) };
      const theirs = await call(method, `${lineId}/${kind}`, options);
      const nobodys = await call(method, `lin_0000000000000000/${kind}`, options);
      expect(theirs.status).toBe(404);
      expect(comparable(theirs.answer)).toEqual(comparable(nobodys.answer));
    }
    expect(await countRows()).toEqual(before);
  });

  it('influencers do not decide; an administrator does', async () => {
    const { lineId } = await sell(a);
    expect((await call('POST', `${lineId}/reject`, { key: influencerKey, body: { note: 'n' } })).status).toBe(403);
    const answer = await server.app.inject({
      method: 'POST',
      url: `/v1/order-lines/${lineId}/reject`,
      headers: asAdmin,
      payload: { note: 'n' },
    });
    expect(answer.statusCode).toBe(200);
  });
});

describe('what is refused changes nothing', () => {
  it('a code of another brand and one that does not exist answer the same', async () => {
    const { lineId } = await sell();
    const before = await countRows();
    const answers = [];
    for (const linkCode of [foreign.code, 'zzzzzzz', '!!!', '中文']) {
      answers.push(await call('POST', `${lineId}/assign`, { body: { linkCode, note: 'n' } }));
    }
    expect(answers[0]).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', errors: [{ path: 'linkCode' }] },
    });
    for (const { answer } of answers) expect(comparable(answer)).toEqual(comparable(answers[0]?.answer ?? answer));
    expect(await countRows()).toEqual(before);
  });

  it.each([
    ['no note', { linkCode: 'zzzzzzz' }],
    ['a blank note', { linkCode: 'zzzzzzz', note: '  ' }],
    ['NUL in the note', { linkCode: 'zzzzzzz', note: 'a\0b' }],
    ['an unknown field', { linkCode: 'zzzzzzz', note: 'n', lineId: 'lin_1' }],
    ['an endless code', { linkCode: 'z'.repeat(201), note: 'n' }],
  ])('%s', async (_, body) => {
    const { lineId } = await sell();
    expect((await call('POST', `${lineId}/assign`, { body })).status).toBe(400);
    expect((await call('POST', 'not-an-id/assign', { body: { linkCode: 'zzzzzzz', note: 'n' } })).status).toBe(404);
  });
});
