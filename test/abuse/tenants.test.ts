import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, comparable } from '../http/test-server.ts';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { type Answer, makeRequest, send, urlOf, type Wire, wireOf } from './client.ts';
import { fingerprint, watchWrites } from './fingerprint.ts';
import { type Caller, type IdName, type Ids, makeMarket, type Market, unknownIds } from './market.ts';
import { type Example, examples } from './routes.ts';
import { shopMessage } from './sell.ts';

/**
 * INVARIANTS A10, N1: whatever a caller may not see answers as if it did not exist, byte for byte, and stays as it is. Brand B's objects for
 * brand A and for finance of brand A; influencer 2's for influencer 1.
 */
const CONFINED = ['brand', 'financeOfBrand', 'influencer'] as const;

let abuse: AbuseApp;
let market: Market;

beforeAll(async () => {
  abuse = await openAbuseApp();
  await watchWrites(abuse.db);
  market = await makeMarket(abuse);
});
afterAll(async () => {
  await abuse.close();
});

const runs: [string, Caller, Example][] = CONFINED.flatMap((caller) =>
  examples
    .filter((example) => example.callers.includes(caller))
    .map((example): [string, Caller, Example] => [`${example.route} as ${caller}`, caller, example]),
);

/** The ids an example is made of. */
function idsOf(example: Example, caller: Caller): IdName[] {
  const used = new Set<IdName>();
  const ids = new Proxy(market.own, {
    get: (target, name) => {
      used.add(name as IdName);
      return target[name as IdName];
    },
  });
  makeRequest(market, example, { caller, ids });
  return [...used];
}

interface Asking {
  ids: Ids;
  serial?: number;
  /** Of the filters only those by this id: with all of them, one strange id alone would find nothing in any case. */
  only?: IdName | undefined;
}

async function ask(example: Example, caller: Caller, { ids, serial, only }: Asking): Promise<Answer> {
  const whole = makeRequest(market, example, { caller, ids, ...(serial === undefined ? {} : { serial }) });
  const filters = Object.entries(whole.query ?? {}).filter(([, value]) => only === undefined || value === ids[only]);
  const request = { ...whole, query: Object.fromEntries(filters) };
  return send(abuse, wireOf(market, example, { caller, request }));
}

/** Sets of ids to put in place of one's own: each that is foreign alone, and all of them together. */
function swaps(example: Example, caller: Caller): IdName[][] {
  const foreign = idsOf(example, caller).filter((name) => market.foreign[caller][name] !== undefined);
  return foreign.length > 1 ? [...foreign.map((name) => [name]), foreign] : foreign.map((name) => [name]);
}

const replaced = (names: readonly IdName[], by: Partial<Ids>): Ids => ({
  ...market.own,
  ...Object.fromEntries(names.map((name) => [name, by[name] ?? market.own[name]])),
});

describe('an object of somebody else answers as one that does not exist, and nothing changes', () => {
  it('there is something to try for every role', () => {
    const counts = CONFINED.map((caller) =>
      runs.filter(([, each]) => each === caller).reduce((sum, [, , example]) => sum + swaps(example, caller).length, 0),
    );
    expect(Math.min(...counts)).toBeGreaterThan(9);
  });

  it.each(runs)('%s', async (_name, caller, example) => {
    const own = await ask(example, caller, { ids: market.own });
    expect(own).toMatchObject({ statusCode: example.status });
    // A list that is empty whatever is asked would prove nothing.
    expect(own.body).not.toMatch(/"data":\[\]/);
    const before = await fingerprint(abuse.db);
    for (const names of swaps(example, caller)) {
      // The same serial: the two requests differ in the id alone.
      const only = names.length === 1 ? names[0] : undefined;
      const theirs = await ask(example, caller, { ids: replaced(names, market.foreign[caller]), serial: 1, only });
      const nobodys = await ask(example, caller, { ids: replaced(names, unknownIds()), serial: 1, only });
      expect({ names, answer: comparable(theirs) }).toEqual({ names, answer: comparable(nobodys) });
      expect(example.route.startsWith('GET') || theirs.statusCode >= 400).toBe(true);
    }
    expect(await fingerprint(abuse.db)).toEqual(before);
  });
});

/** As wide as it can be asked: a whole list, all pages, without any filter. */
function wideRequests(caller: Caller): Wire[] {
  const headers = market.headers[caller];
  return runs
    .filter(([, each, { route, status }]) => each === caller && route.startsWith('GET') && status === 200)
    .flatMap(([, , example]) => {
      const request = makeRequest(market, example, { caller });
      const limit = request.query?.['limit'] === undefined ? {} : { limit: '200' };
      const groupBy = request.query?.['groupBy'] === undefined ? {} : { groupBy: request.query['groupBy'] };
      const url = urlOf({ path: request.path, query: { ...limit, ...groupBy } });
      return [urlOf(request), url].flatMap((each) => [
        { method: 'GET', url: each, headers },
        { method: 'GET', url: each, headers: { ...headers, accept: 'text/csv' } },
      ]);
    });
}

describe('no answer holds a word of somebody else’s', () => {
  it.each(CONFINED)('as %s', async (caller) => {
    const secrets = market.secrets[caller];
    expect(secrets.length).toBeGreaterThan(8);
    for (const wire of wideRequests(caller)) {
      const answer = await send(abuse, wire);
      expect({ url: wire.url, status: answer.statusCode }).toEqual({ url: wire.url, status: 200 });
      const leaks = secrets.filter((secret) => `${JSON.stringify(answer.headers)}${answer.body}`.includes(secret));
      expect({ url: wire.url, leaks }).toEqual({ url: wire.url, leaks: [] });
    }
  });

  it('the words are found where they may stand', async () => {
    for (const caller of CONFINED) {
      const answers = await Promise.all(
        [
          '/v1/orders',
          '/v1/commissions',
          '/v1/links',
          '/v1/stores',
          '/v1/coupons',
          '/v1/products',
          '/v1/influencers',
        ].map(async (url) => send(abuse, { method: 'GET', url: `${url}?limit=200`, headers: market.headers.admin })),
      );
      const text = answers.map(({ body }) => body).join('');
      expect(market.secrets[caller].filter((secret) => text.includes(secret)).length).toBeGreaterThan(8);
    }
  });

  it.each([
    '/v1/stores',
    '/v1/products',
    '/v1/tracking-slots',
    '/v1/coupons',
    '/v1/orders',
    '/v1/commissions',
    '/v1/terms',
  ])('a cursor of brand B opens nothing of brand B to brand A: %s', async (url) => {
    const theirs = await send(abuse, { method: 'GET', url: `${url}?limit=1`, headers: bearer(market.keys.brandB) });
    const { nextCursor } = JSON.parse(theirs.body) as { nextCursor: string | null };
    // A brand with a single row has no next page: then the row's own place is the cursor to try.
    const cursor = nextCursor ?? '';
    const answer = await send(abuse, {
      method: 'GET',
      url: urlOf({ path: url, query: cursor === '' ? {} : { cursor } }),
      headers: market.headers.brand,
    });
    expect(answer.statusCode).toBe(200);
    expect(market.secrets.brand.filter((secret) => answer.body.includes(secret))).toEqual([]);
  });
});

describe('keys and secrets of others open nothing', () => {
  it('a kept answer is replayed to nobody but the key that has it', async () => {
    const headers = { 'idempotency-key': 'one-and-the-same' };
    const store = (key: string): Wire => ({
      method: 'POST',
      url: `/v1/stores/${market.b.spareStore}/webhook-secret`,
      headers: { ...bearer(key), ...headers },
    });
    expect((await send(abuse, store(market.keys.brandB))).statusCode).toBe(201);
    const answer = await send(abuse, store(market.keys.brand));
    expect(answer.statusCode).toBe(404);
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
  });

  it('a message for brand B signed with brand A’s secret is refused as one for no store at all', async () => {
    const before = await fingerprint(abuse.db);
    const signed = shopMessage(market.a, JSON.stringify({ events: [] }));
    const [theirs, nobodys] = await Promise.all(
      [market.b.store, unknownIds().store].map(async (store) =>
        send(abuse, { method: 'POST', url: `/hooks/shops/${store}`, ...signed }),
      ),
    );
    expect(theirs?.statusCode).toBe(401);
    expect(comparable(theirs as Answer)).toEqual(comparable(nobodys as Answer));
    expect(await fingerprint(abuse.db)).toEqual(before);
  });
});
