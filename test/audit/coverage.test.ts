import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AbuseApp, openAbuseApp } from '../abuse/abuse-app.ts';
import { makeRequest, send, wireOf } from '../abuse/client.ts';
import { makeMarket, type Market } from '../abuse/market.ts';
import { examples } from '../abuse/routes.ts';

/** What a key changes by hand is traceable: every route that can change something writes into the audit log, or stands here with the reason. */
const NOT_AUDITED: Readonly<Record<string, string>> = {
  'POST /v1/links':
    'a link moves no visitor and no money that exists; the link, its codes and their times are never changed, so they are the record',
};

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

let abuse: AbuseApp;
let market: Market;

beforeAll(async () => {
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
});
afterAll(async () => {
  await abuse.close();
});

async function readLog(): Promise<{ count: number; text: string }> {
  const { rows } = await abuse.db.query<{ count: number; text: string }>(
    `select count(*)::integer as count, coalesce(string_agg(a.action || ' ' || a.detail::text, e'\\n'), '') as text from audit_log a`,
  );
  return rows[0] ?? { count: -1, text: '' };
}

describe('the audit log', () => {
  const audited = new Map<string, number>();

  it('gets a row from every route that changes something, in order of the table of routes', async () => {
    const writing = examples.filter(
      ({ route, status }) => /^(?:POST|PUT|PATCH|DELETE) \/v1\//.test(route) && status < 300,
    );
    // The table is in an order in which each request succeeds after those before it, for one caller after the other.
    for (const caller of new Set(writing.flatMap(({ callers }) => callers))) {
      for (const example of writing.filter(({ callers }) => callers.includes(caller))) {
        const before = await readLog();
        const request = makeRequest(market, example, { caller });
        const answer = await send(abuse, wireOf(market, example, { caller, request }));
        expect([example.route, caller, answer.statusCode]).toEqual([example.route, caller, example.status]);
        const added = (await readLog()).count - before.count;
        audited.set(example.route, (audited.get(example.route) ?? 0) + added);
      }
    }
    const routes = abuse.routes
      .filter(({ name, method }) => MUTATING.has(method) && name.includes(' /v1/'))
      .map(({ name }) => name);
    expect(routes.length).toBeGreaterThan(20);
    const silent = routes.filter((name) => (audited.get(name) ?? 0) === 0);
    expect(silent.toSorted()).toEqual(Object.keys(NOT_AUDITED).toSorted());
  });

  it('holds none of the secrets that went in or came out meanwhile', async () => {
    const { text } = await readLog();
    expect(text).toContain('store.registered');
    expect(text).toContain('store.credentials_replaced');
    expect(text).toContain('key.created');
    expect(text.match(/whsec_|dh_(?:admin|brand|influencer|finance)_|"clientSecret"|secret-\w+/g)).toBeNull();
  });

  it('is written by no route that only reads', async () => {
    const before = await readLog();
    for (const example of examples.filter(({ route, status }) => route.startsWith('GET /v1/') && status === 200)) {
      const [caller] = example.callers;
      if (caller === undefined) continue;
      const request = makeRequest(market, example, { caller });
      await send(abuse, wireOf(market, example, { caller, request }));
    }
    expect((await readLog()).count).toBe(before.count);
  });
});
