import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getRateCard } from '../../src/commissions/terms/rate-cards.ts';
import { attribute } from '../../src/core/attribution/attribute.ts';
import type { AttributionResult } from '../../src/core/attribution/facts.ts';
import type { LineEvidence } from '../../src/core/orders/order-event.ts';
import { loadAttributionFacts } from '../../src/orders/attribution/evidence.ts';
import type { LineToAttribute } from '../../src/orders/attribution/evidence.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertBrandWithTerms, insertInfluencer, insertProduct, insertStore } from '../support/market.ts';
import {
  ageStatusHistory,
  DAY_MS,
  insertClick,
  insertCoupon,
  insertLink,
  insertOrder,
  insertSlot,
  insertStep,
  type Link,
  mintClickId,
  MINUTE_MS,
  readClickId,
  setDrainedTo,
} from '../support/promotion.ts';

const ORDER_AT = new Date();
const before = (ms: number): Date => new Date(ORDER_AT.getTime() - ms);
const deps = { readClickId, inferenceDelaySeconds: 600 };

let test: TestDatabase;
let brandId: string;
/** One influencer each; p and q are products of the shop store, t of the store whose links Taobao converts. */
let aOnP: Link;
let bOnP: Link;
let aOnQ: Link;
let bOnQ: Link;
let aOnT: Link;
let foreign: Link;
let unpromoted: string;

beforeAll(async () => {
  test = await createTestDatabase();
  const { db } = test;
  brandId = await insertBrandWithTerms(db, { inferred: 'pay' });
  const storeId = await insertStore(db, { brandId });
  const tbkStoreId = await insertStore(db, { brandId: brandId, orderSource: 'tbk' });
  const [a, b] = [await insertInfluencer(db), await insertInfluencer(db)];
  const p = await insertProduct(db, { brandId, storeId });
  const q = await insertProduct(db, { brandId, storeId });
  const t = await insertProduct(db, { brandId, storeId: tbkStoreId });
  unpromoted = await insertProduct(db, { brandId, storeId });
  aOnP = await insertLink(db, { brandId, storeId, productId: p, influencerId: a });
  bOnP = await insertLink(db, { brandId, storeId, productId: p, influencerId: b });
  aOnQ = await insertLink(db, { brandId, storeId, productId: q, influencerId: a });
  bOnQ = await insertLink(db, { brandId, storeId, productId: q, influencerId: b });
  aOnT = await insertLink(db, { brandId, storeId: tbkStoreId, productId: t, influencerId: a });
  const otherBrand = await insertBrandWithTerms(db, { inferred: 'pay' });
  const otherStore = await insertStore(db, { brandId: otherBrand });
  const otherProduct = await insertProduct(db, { brandId: otherBrand, storeId: otherStore });
  foreign = await insertLink(db, {
    brandId: otherBrand,
    storeId: otherStore,
    productId: otherProduct,
    influencerId: a,
  });
  await ageStatusHistory(db);
  await setDrainedTo(db, before(-600_000));

  await insertSlot(db, {
    kind: 'adzone',
    externalId: '111',
    link: aOnT,
    validFrom: before(30 * DAY_MS),
    validTo: before(10 * DAY_MS),
  });
  await insertSlot(db, { kind: 'relation', externalId: '77', link: bOnP, validFrom: before(30 * DAY_MS) });
  await insertSlot(db, { kind: 'sls', externalId: 'o21Zag', link: bOnQ, validFrom: before(30 * DAY_MS) });
  await insertCoupon(db, { code: 'AMY10', link: aOnP, validFrom: before(30 * DAY_MS) });
  // On q: b clicked last but one, a's older; only b's are within an hour of the order. On p nobody clicked. On t: a, near two arrivals.
  await insertClick(db, aOnQ, before(20 * DAY_MS));
  await insertClick(db, bOnQ, before(3 * DAY_MS));
  await insertClick(db, bOnQ, before(MINUTE_MS), { tag: 'v12' });
  await insertClick(db, aOnQ, before(MINUTE_MS), { verdict: 'bot' });
  await insertClick(db, bOnQ, before(-MINUTE_MS));
  await insertClick(db, aOnT, before(2 * DAY_MS));
  await insertClick(db, aOnT, before(2 * DAY_MS + 30_000));
});
afterAll(async () => {
  await test.drop();
});

function line(lineId: string, link: Link, evidence: LineEvidence, orderSource: 'shop' | 'tbk' = 'shop') {
  return {
    lineId,
    brandId,
    storeId: link.storeId,
    orderSource,
    orderCreatedAt: ORDER_AT,
    productId: link.productId,
    evidence,
  };
}

async function attributeAll(lines: Omit<LineToAttribute, 'terms'>[]): Promise<Map<string, AttributionResult>> {
  const terms = await getRateCard(test.db, { brandId });
  const facts = await loadAttributionFacts(
    test.db,
    lines.map((each) => Object.assign(each, { terms })),
    deps,
  );
  return new Map([...facts].map(([lineId, of]) => [lineId, attribute(of)]));
}

async function attributeOne(of: Omit<LineToAttribute, 'terms'>): Promise<AttributionResult | undefined> {
  return (await attributeAll([of])).get(of.lineId);
}

describe('what the tables know reaches the ladder', () => {
  it('level 1: a click id, with or without its row', async () => {
    const clickId = mintClickId(aOnP, before(DAY_MS));
    expect(await attributeOne(line('l', aOnP, { clickId }))).toMatchObject({ method: 'click_id', linkId: aOnP.linkId });
    const stored = await insertClick(test.db, bOnP, before(2 * DAY_MS), { verdict: 'repeat', tag: 'v3' });
    expect(await attributeOne(line('l', bOnP, { clickId: stored }))).toMatchObject({
      method: 'click_id',
      tag: 'v3',
      clickedAt: before(2 * DAY_MS),
    });
    const machine = await insertClick(test.db, bOnP, before(2 * DAY_MS), { verdict: 'scanner' });
    expect(await attributeOne(line('l', bOnP, { clickId: machine }))).toMatchObject({
      state: 'review',
      reason: 'policy_review',
    });
  });

  it('level 1: another brand’s click id earns nothing, a made-up one says nothing', async () => {
    const clickId = mintClickId(foreign, before(DAY_MS));
    expect(await attributeOne(line('l', aOnP, { clickId }))).toMatchObject({
      state: 'unmatched',
      reason: 'wrong_brand',
      candidates: [],
    });
    const forged = `${clickId.slice(0, 10)}${clickId[10] === 'A' ? 'B' : 'A'}${clickId.slice(11)}`;
    expect(await attributeOne(line('l', aOnP, { clickId: forged }))).toMatchObject({ reason: 'no_evidence' });
  });

  it('level 2: an adzone by its lease at the platform’s click time', async () => {
    const during = line('l', aOnT, { adzoneId: '111', clickedAt: before(12 * DAY_MS) }, 'tbk');
    expect(await attributeOne(during)).toMatchObject({ method: 'tracking_slot', linkId: aOnT.linkId });
    const after = line('l', aOnT, { adzoneId: '111', clickedAt: before(9 * DAY_MS) }, 'tbk');
    expect(await attributeOne(after)).toMatchObject({ reason: 'outside_window' });
    expect(await attributeOne(line('l', aOnP, { adzoneId: '111' }))).toMatchObject({ reason: 'no_evidence' });
  });

  it('level 3: a relation, and a salesman with a click of theirs in the window', async () => {
    expect(await attributeOne(line('l', aOnP, { relationId: '77' }))).toMatchObject({
      method: 'relation',
      linkId: bOnP.linkId,
    });
    expect(await attributeOne(line('l', aOnP, { specialId: '77' }))).toMatchObject({
      method: 'relation',
      linkId: bOnP.linkId,
    });
    expect(await attributeOne(line('l', aOnQ, { sls: 'o21Zag' }))).toMatchObject({
      method: 'relation',
      linkId: bOnQ.linkId,
      tag: 'v12',
    });
    expect(await attributeOne(line('l', aOnQ, { sls: 'O21Zag' }))).toMatchObject({ method: 'sole_candidate' });
  });

  it('level 4: a coupon however it is spelled, and the codes of a note', async () => {
    expect(await attributeOne(line('l', bOnP, { couponCode: ' ａｍｙ10 ' }))).toMatchObject({
      method: 'code',
      linkId: aOnP.linkId,
    });
    expect(await attributeOne(line('l', aOnP, { noteCodes: [bOnP.code] }))).toMatchObject({
      method: 'code',
      linkId: bOnP.linkId,
    });
    const both = line('l', aOnP, { noteCodes: [bOnP.code], couponCode: 'AMY10' });
    expect(await attributeOne(both)).toMatchObject({ state: 'review', reason: 'conflict' });
    expect(await attributeOne(line('l', aOnP, { noteCodes: [foreign.code] }))).toMatchObject({
      reason: 'wrong_brand',
      candidates: [],
    });
  });

  it('level 4: a code paused before the order earns nothing, one paused after it does', async () => {
    const { storeId, influencerId } = aOnP;
    const paused = await insertLink(test.db, { brandId, storeId, productId: unpromoted, influencerId });
    await test.db.query('update status_changes set changed_at = $2 where subject_id = $1', [
      paused.linkId,
      before(20 * DAY_MS),
    ]);
    await test.db.query(`update links set status = 'paused' where id = $1`, [paused.linkId]);
    const question = line('l', paused, { noteCodes: [paused.code] });
    expect(await attributeOne(question)).toMatchObject({ method: 'code' });
    await test.db.query(`update status_changes set changed_at = $2 where subject_id = $1 and status = 'paused'`, [
      paused.linkId,
      before(1),
    ]);
    expect(await attributeOne(question)).toMatchObject({ reason: 'outside_window' });
  });

  it('level 5: the nearest counted click to the platform’s arrival', async () => {
    const arrived = line('l', aOnT, { clickedAt: before(2 * DAY_MS - 5_000) }, 'tbk');
    expect(await attributeOne(arrived)).toMatchObject({ method: 'click_time', clickedAt: before(2 * DAY_MS) });
    const elsewhen = line('l', aOnT, { clickedAt: before(DAY_MS) }, 'tbk');
    expect(await attributeOne(elsewhen)).toMatchObject({ reason: 'no_evidence' });
  });

  it('level 5: a step on the middle page, by a person and before the order, as well as a click', async () => {
    const clickedAt = before(8 * DAY_MS);
    const stepped = async (
      verdict: 'counted' | 'repeat' | 'scanner',
      minutes: number,
    ): Promise<{ clickId: string; steppedAt: Date }> => {
      const at = new Date(clickedAt.getTime() + minutes * MINUTE_MS);
      const clickId = await insertClick(test.db, aOnT, at, { verdict });
      const steppedAt = new Date(at.getTime() + 300_000);
      await insertStep(test.db, aOnT, { clickId, clickedAt: at, steppedAt });
      return { clickId, steppedAt };
    };
    const arrivedAfter = (steppedAt: Date) =>
      line('l', aOnT, { clickedAt: new Date(steppedAt.getTime() + 20_000) }, 'tbk');
    for (const [verdict, minutes] of [['counted', 0] as const, ['repeat', 60] as const]) {
      const { clickId, steppedAt } = await stepped(verdict, minutes);
      expect(await attributeOne(arrivedAfter(steppedAt))).toMatchObject({
        method: 'click_time',
        confidence: 'inferred',
        linkId: aOnT.linkId,
        clickId,
      });
    }
    const machine = await stepped('scanner', 120);
    expect(await attributeOne(arrivedAfter(machine.steppedAt))).toMatchObject({ reason: 'no_evidence' });
    // A step after the order led to nothing.
    const late = await stepped('counted', 180);
    const orderCreatedAt = new Date(late.steppedAt.getTime() - 1);
    expect(await attributeOne({ ...arrivedAfter(late.steppedAt), orderCreatedAt })).toMatchObject({
      reason: 'no_evidence',
    });
    // The click of the latest question is also the latest on the product: its step must not be lost beside it.
    const near = { ...arrivedAfter(late.steppedAt), orderCreatedAt: new Date(late.steppedAt.getTime() + 60_000) };
    expect(await attributeOne(near)).toMatchObject({ method: 'click_time', clickId: late.clickId });
  });

  it('level 6: the last counted click before the order, of the only influencer in the window', async () => {
    expect(await attributeOne(line('l', aOnQ, {}))).toMatchObject({
      method: 'sole_candidate',
      linkId: bOnQ.linkId,
      clickedAt: before(MINUTE_MS),
      tag: 'v12',
    });
    const later = { ...line('l', aOnQ, {}), orderCreatedAt: before(6 * DAY_MS) };
    expect(await attributeOne(later)).toMatchObject({ method: 'sole_candidate', linkId: aOnQ.linkId });
  });

  it('levels 5 and 6 wait for the slowest shard', async () => {
    await setDrainedTo(test.db, before(0));
    expect(await attributeOne(line('l', aOnQ, {}))).toMatchObject({ reason: 'waiting_for_clicks', retry: true });
    await setDrainedTo(test.db, before(-600_000));
    expect(await attributeOne(line('l', aOnQ, {}))).toMatchObject({ method: 'sole_candidate' });
  });
});

describe('a spool', () => {
  // A click on a local disk is as late as one in a stream: inferring without it would pay the wrong influencer.
  it('holds levels 5 and 6 back as long as it may hold a click made before the order’s time was over, and no longer', async () => {
    const state = async (oldestAt: Date, sentAt: Date | null): Promise<AttributionResult | undefined> => {
      await test.db.query('delete from click_spools');
      await test.db.query(
        `insert into click_spools (spool_id, oldest_at, sent_at) values ('a', $1, $2), ('b', $3, null)`,
        [oldestAt, sentAt, before(-DAY_MS)],
      );
      return attributeOne(line('l', aOnQ, {}));
    };
    const drainedTo = before(-600_000);
    expect(await state(before(0), null)).toMatchObject({ reason: 'waiting_for_clicks', retry: true });
    expect(await state(drainedTo, null)).toMatchObject({ method: 'sole_candidate' });
    // All of it is in the streams, and they are drained up to the moment it got there; or not yet.
    expect(await state(before(0), drainedTo)).toMatchObject({ method: 'sole_candidate' });
    expect(await state(before(0), new Date(drainedTo.getTime() + 1))).toMatchObject({ reason: 'waiting_for_clicks' });
    await test.db.query('delete from click_spools');
    expect(await attributeOne(line('l', aOnQ, {}))).toMatchObject({ method: 'sole_candidate' });
  });

  it('says nothing about clicks while no shard has said how far it is', async () => {
    const { rows: watermarks } = await test.db.query('delete from click_watermarks returning shard');
    expect(watermarks.length).toBeGreaterThan(0);
    await test.db.query(`insert into click_spools (spool_id, oldest_at) values ('a', $1)`, [before(-DAY_MS)]);
    expect(await attributeOne(line('l', aOnQ, {}))).toMatchObject({ reason: 'waiting_for_clicks' });
    await test.db.query('delete from click_spools');
    await setDrainedTo(test.db, before(-600_000));
  });
});

describe('decisions', () => {
  it('a standing one outranks the evidence, one undone does not', async () => {
    const { lineIds } = await insertOrder(test.db, {
      brandId,
      storeId: aOnP.storeId,
      paidAt: ORDER_AT,
      lines: [{ productId: aOnP.productId }],
    });
    const [lineId = ''] = lineIds;
    const question = line(lineId, aOnP, { relationId: '77' });
    await test.db.query(
      `insert into line_decisions (line_id, brand_id, kind, link_id, overruled_link_id, note, decided_by)
       values ($1, $2, 'assign', $3, $4, 'seen in the video', 'key')`,
      [lineId, brandId, aOnP.linkId, bOnP.linkId],
    );
    const decided = await attributeOne(question);
    expect(decided).toMatchObject({ method: 'manual', linkId: aOnP.linkId });
    expect(decided?.dispute).toBeUndefined();
    await test.db.query(`update line_decisions set undone_at = now(), undone_by = 'key' where line_id = $1`, [lineId]);
    expect(await attributeOne(question)).toMatchObject({ method: 'relation', linkId: bOnP.linkId });
  });
});

describe('many lines', () => {
  it('each get their own facts, from at most ten queries', async () => {
    const lines = [
      line('click', aOnP, { clickId: mintClickId(aOnP, before(DAY_MS)) }),
      line('slot', aOnT, { adzoneId: '111', clickedAt: before(12 * DAY_MS) }, 'tbk'),
      line('relation', aOnP, { relationId: '77' }),
      line('sls', aOnQ, { sls: 'o21Zag' }),
      line('coupon', bOnP, { couponCode: 'amy10' }),
      line('note', aOnP, { noteCodes: [bOnP.code] }),
      line('time', aOnT, { clickedAt: before(2 * DAY_MS) }, 'tbk'),
      line('sole', aOnQ, {}),
      line('nothing', { ...aOnP, productId: unpromoted }, {}),
    ];
    const copies = Array.from({ length: 30 }, (_, copy) =>
      lines.map((each) => ({ ...each, lineId: `${each.lineId} ${copy}` })),
    );
    const terms = await getRateCard(test.db, { brandId });
    const client = await test.db.connect();
    let queries = 0;
    const counting = new Proxy(client, {
      get: (target, key, receiver) => {
        if (key === 'query') queries += 1;
        const value: unknown = Reflect.get(target, key, receiver);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const all = copies.flat().map((each) => ({ ...each, terms }));
    const facts = await loadAttributionFacts(counting, all, deps);
    client.release();
    expect(queries).toBeLessThanOrEqual(10);
    expect(facts.size).toBe(all.length);
    const said = new Map([...facts].map(([lineId, of]) => [lineId, attribute(of)]));
    const methods = lines.map(({ lineId }) => {
      const result = said.get(`${lineId} 29`);
      return result?.state === 'matched' ? result.method : result?.reason;
    });
    expect(methods).toEqual([
      'click_id',
      'tracking_slot',
      'relation',
      'relation',
      'code',
      'code',
      'click_time',
      'sole_candidate',
      'no_evidence',
    ]);
  });

  it('lines that stronger evidence decides are not searched for clicks', async () => {
    const terms = await getRateCard(test.db, { brandId });
    const clickId = mintClickId(aOnQ, before(DAY_MS));
    const facts = await loadAttributionFacts(test.db, [{ ...line('l', aOnQ, { clickId }), terms }], deps);
    expect(facts.get('l')?.clicks).toEqual([]);
  });

  it('a product promoted by many influencers gives the twenty newest clicks, and that of the influencer asked for', async () => {
    const { db } = test;
    const { storeId } = aOnP;
    const productId = await insertProduct(db, { brandId, storeId });
    const links: Link[] = [];
    for (let index = 0; index < 25; index++) {
      const link = await insertLink(db, { brandId, storeId, productId, influencerId: await insertInfluencer(db) });
      await insertClick(db, link, before((index + 1) * MINUTE_MS));
      links.push(link);
    }
    const [oldest] = links.toReversed();
    if (oldest === undefined) throw new Error('there are links');
    await insertSlot(db, { kind: 'sls', externalId: 'oldest', link: oldest, validFrom: before(30 * DAY_MS) });
    const terms = await getRateCard(db, { brandId });
    const facts = await loadAttributionFacts(db, [{ ...line('l', oldest, { sls: 'oldest' }), terms }], deps);
    const clicked = facts.get('l')?.clicks.map(({ linkId }) => linkId);
    expect(clicked).toEqual([oldest, ...links.slice(0, 19)].map(({ linkId }) => linkId));
  });
});
