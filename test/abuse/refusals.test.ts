import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daysAgo, productInput, storeInput } from '../catalog/catalog-server.ts';
import { bearer } from '../http/test-server.ts';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { type Attack, prepareAttack } from './attack.ts';
import { send, type Wire } from './client.ts';
import { type Caller, makeMarket, type Market, unknownIds } from './market.ts';
import { shopMessage } from './sell.ts';

/**
 * INVARIANTS I5 where it is hardest to keep: well-formed requests that a rule refuses half-way, after something could have been written.
 * Each asks for something allowed and something refused at once; neither may happen.
 */
let abuse: AbuseApp;
let market: Market;
let attack: Attack;
/** A product influencer 1 has no link for, of a store of brand A. */
let newProduct: string;
/** The same, of a store that cannot be promoted. */
let youngProduct: string;
let takenAlias: string;

async function made(caller: Caller, url: string, body: object): Promise<{ id: string; url: string }> {
  const answer = await send(abuse, request(caller, 'POST', url, body));
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.body}`);
  return JSON.parse(answer.body) as { id: string; url: string };
}

function request(caller: Caller, method: string, url: string, body: object): Wire {
  const headers = { ...market.headers[caller], 'content-type': 'application/json' };
  return { method, url, headers, payload: JSON.stringify(body) };
}

beforeAll(async () => {
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
  newProduct = (await made('brand', '/v1/products', productInput(market.a.store, { externalItemId: 'taken-item' }))).id;
  const young = await made('brand', '/v1/stores', storeInput({ openedOn: daysAgo(3), externalShopId: 'taken-shop' }));
  youngProduct = (await made('brand', '/v1/products', productInput(young.id))).id;
  takenAlias = 'taken-by-two';
  const alias = { productId: market.a.product, alias: takenAlias };
  await send(abuse, { ...request('influencer', 'POST', '/v1/links', alias), headers: asInfluencer2() });
  attack = await prepareAttack(abuse);
});
afterAll(async () => {
  await abuse.close();
});

const asInfluencer2 = (): Record<string, string> => ({
  ...bearer(market.keys.influencer2),
  'content-type': 'application/json',
});
const lease = (): object => ({ storeId: market.a.store, influencerId: market.own.influencer });

type Refusal = [code: string, what: string, caller: Caller, ask: () => [method: string, url: string, body: object]];

const ofCatalogue: Refusal[] = [
  [
    'store_already_registered',
    'a shop that is registered',
    'brand',
    () => ['POST', '/v1/stores', storeInput({ externalShopId: 'taken-shop' })],
  ],
  ['platform_not_supported', 'a shop on JD', 'brand', () => ['POST', '/v1/stores', storeInput({ platform: 'jd' })]],
  [
    'validation_failed',
    'a store rated above its scale',
    'brand',
    () => ['POST', '/v1/stores', storeInput({ rating: { score: 6, scale: 5 } })],
  ],
  [
    'conflict',
    'a new name together with a rating that is the operator’s to give',
    'brand',
    () => ['PATCH', `/v1/stores/${market.a.store}`, { name: '新名', rating: { score: 5, scale: 5 } }],
  ],
  [
    'conflict',
    'a product under an item id that another one has',
    'brand',
    () => ['POST', '/v1/products', productInput(market.a.store, { externalItemId: 'taken-item' })],
  ],
  [
    'conflict',
    'a new title and commission together with another product’s item id',
    'brand',
    () => [
      'PATCH',
      `/v1/products/${market.a.product}`,
      { title: '新壶', commission: { rateBp: 1 }, externalItemId: 'taken-item' },
    ],
  ],
  [
    'destination_not_allowed',
    'a new title and commission together with a strange address',
    'brand',
    () => [
      'PATCH',
      `/v1/products/${market.a.product}`,
      { title: '新壶', commission: { rateBp: 1 }, url: 'https://evil.example/item.htm?id=1' },
    ],
  ],
  [
    'platform_not_supported',
    'a product on JD',
    'brand',
    () => ['POST', '/v1/products', productInput(market.a.store, { url: 'https://item.jd.com/100012043978.html' })],
  ],
  [
    'not_found',
    'an influencer with an agency that does not exist',
    'admin',
    () => ['POST', '/v1/influencers', { name: '新人', agency: { payeeId: unknownIds().agency, shareBp: 1 } }],
  ],
  [
    'not_found',
    'a new name together with an agency that does not exist',
    'admin',
    () => [
      'PATCH',
      `/v1/influencers/${market.own.influencer}`,
      { name: '新名', agency: { payeeId: unknownIds().agency, shareBp: 1 } },
    ],
  ],
  [
    'validation_failed',
    'a key for a brand that does not exist',
    'admin',
    () => ['POST', '/v1/keys', { role: 'brand', brandId: unknownIds().brand, label: 'x' }],
  ],
  [
    'validation_failed',
    'a key that is expired already',
    'admin',
    () => ['POST', '/v1/keys', { role: 'finance', label: 'x', expiresAt: '2020-01-01T00:00:00Z' }],
  ],
];

const ofLinks: Refusal[] = [
  [
    'alias_taken',
    'a first link together with an alias that is somebody else’s',
    'influencer',
    () => ['POST', '/v1/links', { productId: newProduct, alias: takenAlias }],
  ],
  [
    'alias_reserved',
    'a first link together with a reserved alias',
    'influencer',
    () => ['POST', '/v1/links', { productId: newProduct, alias: 'metrics' }],
  ],
  [
    'validation_failed',
    'a first link together with an alias that cannot be one',
    'influencer',
    () => ['POST', '/v1/links', { productId: newProduct, alias: 'Ab' }],
  ],
  [
    'store_not_eligible',
    'a link for a product of a store that is too young',
    'influencer',
    () => ['POST', '/v1/links', { productId: youngProduct, alias: 'never-made' }],
  ],
  [
    'conflict',
    'a coupon that is another influencer’s',
    'brand',
    () => ['POST', '/v1/coupons', { ...lease(), code: market.a.couponCode, influencerId: influencer2() }],
  ],
  [
    'conflict',
    'a coupon for a time in which it is given already',
    'brand',
    () => ['POST', '/v1/coupons', { ...lease(), code: market.a.couponCode }],
  ],
  [
    'validation_failed',
    'a coupon that ends before it begins',
    'brand',
    () => ['POST', '/v1/coupons', { ...lease(), code: 'BACKWARDS', validFrom: daysAgo(1), validTo: daysAgo(2) }],
  ],
  [
    'validation_failed',
    'a slot of Youzan in a store of Taobao',
    'brand',
    () => ['POST', '/v1/tracking-slots', { ...lease(), kind: 'sls', externalId: 'never' }],
  ],
  [
    'validation_failed',
    'a lease that would have ended',
    'brand',
    () => ['PATCH', `/v1/tracking-slots/${market.own.slot}`, { validTo: daysAgo(1) }],
  ],
];

const ofMoney: Refusal[] = [
  [
    'validation_failed',
    'terms that a brand lets begin in the past',
    'brand',
    () => ['POST', '/v1/terms', { scope: {}, rateBp: 1, validFrom: '2026-01-01T00:00:00Z' }],
  ],
  [
    'conflict',
    'terms over a time that a later version has',
    'admin',
    () => [
      'POST',
      '/v1/terms',
      {
        scope: { storeId: market.a.store, influencerId: market.own.influencer },
        rateBp: 1,
        validFrom: daysAgo(9) + NOON,
      },
    ],
  ],
  [
    'validation_failed',
    'a line given to a code that does not exist',
    'finance',
    () => ['POST', `/v1/order-lines/${market.own.line}/assign`, { linkCode: 'z9zzzzz', note: '截图' }],
  ],
  [
    'not_found',
    'an undone decision where none stands',
    'finance',
    () => ['DELETE', `/v1/order-lines/${market.own.line}/assign`, {}],
  ],
  [
    'not_found',
    'a hold on a line that does not exist',
    'finance',
    () => ['POST', `/v1/order-lines/${unknownIds().line}/hold`, { note: '等待' }],
  ],
  [
    'forbidden',
    'a decision by an influencer',
    'influencer',
    () => ['POST', `/v1/order-lines/${market.own.line}/reject`, { note: '不是我的' }],
  ],
];

const NOON = 'T12:00:00+08:00';
const influencer2 = (): string => String(market.foreign.influencer.influencer);

describe('what a rule refuses leaves nothing behind', () => {
  it.each([...ofCatalogue, ...ofLinks, ...ofMoney])('%s: %s', async (code, _what, caller, ask) => {
    const wire = request(caller, ...ask());
    const answer = await send(abuse, wire);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
    expect(await attack(wire)).toBe(answer.statusCode);
  });
});

describe('messages of a shop', () => {
  const url = (): string => `/hooks/shops/${market.a.store}`;
  const sold = (orderId: string, quantity: number): object => ({
    type: 'order.paid',
    orderId,
    occurredAt: new Date().toISOString(),
    version: 1,
    lines: [{ lineId: '1', itemId: market.a.itemId, quantity, paidFen: 100 }],
  });

  it('one bad event refuses the good ones beside it', async () => {
    const body = JSON.stringify({ events: [sold('GOOD-1', 1), sold('BAD-1', 0)] });
    expect(await attack({ method: 'POST', url: url(), ...shopMessage(market.a, body) })).toBe(400);
  });

  it('an id that comes again with another body changes nothing', async () => {
    const first = shopMessage(market.a, JSON.stringify(sold('TWICE-1', 1)));
    expect(await attack({ method: 'POST', url: url(), ...first })).toBe(200);
    const id = first.headers['webhook-id'] ?? '';
    const second = shopMessage(market.a, JSON.stringify(sold('TWICE-1', 2)), id);
    expect(await attack({ method: 'POST', url: url(), ...second })).toBe(422);
  });
});
