import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verify } from '../../src/verify.ts';
import { type AbuseApp, openAbuseApp } from './abuse-app.ts';
import { type Attack, prepareAttack } from './attack.ts';
import { makeRequest, send, urlOf, wireOf } from './client.ts';
import { damage, type Damage, damaged } from './damage.ts';
import { CASES, fuzz, FUZZ_TIMEOUT_MS, SEED } from './fuzz-size.ts';
import { CURSOR_ATOMS, forgedCursor } from './hostile-values.ts';
import { type Caller, makeMarket, type Market } from './market.ts';
import { type Example, examples } from './routes.ts';

/** INVARIANTS A5, I5: bad input is never our fault, changes nothing, and is told what was wrong with it. */
let abuse: AbuseApp;
let market: Market;
let attack: Attack;

beforeAll(async () => {
  console.log(`abuse: ${CASES} cases, ABUSE_SEED=${SEED}`);
  abuse = await openAbuseApp();
  market = await makeMarket(abuse);
  attack = await prepareAttack(abuse);
});
afterAll(async () => {
  await abuse.close();
});

const pairs: [Example, Caller][] = examples.flatMap((example) =>
  example.callers.map((caller): [Example, Caller] => [example, caller]),
);
const programs = pairs.filter(([{ route, signedBy }]) => / \/v1\//.test(route) && signedBy === undefined);
const shops = pairs.filter(([{ signedBy }]) => signedBy === 'shop');
const visitors = pairs.filter(([{ route }]) => !/ \/(v1|hooks)\//.test(route));

const countOf = (statuses: readonly number[], wanted: number): number =>
  statuses.filter((status) => status === wanted).length;

async function attackAll(targets: [Example, Caller][], share: number): Promise<number[]> {
  const statuses: number[] = [];
  const property = fc.asyncProperty(fc.constantFrom(...targets), damage, async ([example, caller], how: Damage) => {
    const request = makeRequest(market, example, { caller });
    statuses.push(await attack(damaged({ market, example, caller, request }, how)));
  });
  await fuzz(property, { share });
  return statuses;
}

describe(`bad input answers 4xx and changes nothing (ABUSE_SEED=${SEED})`, () => {
  it('under /v1, for every role', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    const statuses = await attackAll(programs, 0.6);
    expect(countOf(statuses, 400)).toBeGreaterThan(statuses.length / 4);
  });

  it('from a shop, over a signature that is right', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    const statuses = await attackAll(shops, 0.15);
    expect(countOf(statuses, 400)).toBeGreaterThan(statuses.length / 3);
  });

  it('from visitors and whoever else has no key', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    const statuses = await attackAll(visitors, 0.15);
    expect(statuses.length).toBeGreaterThan(100);
  });
});

describe('a forged cursor', () => {
  const lists = programs.filter(([{ route, status }]) => /^GET .*s$/.test(route) && status === 200);

  it.each(
    lists.map(([example, caller]): [string, Example, Caller] => [`${example.route} as ${caller}`, example, caller]),
  )('%s', { timeout: FUZZ_TIMEOUT_MS }, async (_name, example, caller) => {
    const { path, query: { sort } = {} } = makeRequest(market, example, { caller });
    const order: Record<string, string> = sort === undefined ? {} : { sort };
    const url = (query: Record<string, string>): string => urlOf({ path, query: { ...order, ...query } });
    const { headers } = wireOf(market, example, { caller, request: { path } });
    const page = await send(abuse, { method: 'GET', url: url({ limit: '1' }), headers });
    const { nextCursor } = JSON.parse(page.body) as { nextCursor?: string | null };
    if (nextCursor === undefined || nextCursor === null) return;
    expect(await attack({ method: 'GET', url: url({ cursor: nextCursor }), headers })).toBe(200);
    const values = JSON.parse(Buffer.from(nextCursor, 'base64url').toString('utf8')) as unknown[];
    for (const at of values.keys()) {
      for (const atom of CURSOR_ATOMS) {
        const cursor = forgedCursor(values.with(at, atom));
        expect([200, 400]).toContain(await attack({ method: 'GET', url: url({ cursor }), headers }));
      }
    }
  });
});

describe('afterwards', () => {
  it('every route still answers, and the books are right', async () => {
    for (const [example, caller] of pairs) {
      const request = makeRequest(market, example, { caller });
      // What was changed on the way may refuse it, but nothing may be broken.
      expect(await attack(wireOf(market, example, { caller, request }))).toBeLessThan(500);
    }
    expect((await verify(abuse.db)).checks.filter(({ ok }) => !ok)).toEqual([]);
  });
});
