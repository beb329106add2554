import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import type { Principal } from '../../src/access/principal.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import type { Server } from '../../src/http/server.ts';
import { ADMIN_KEY, asAdmin, bearer, comparable, createTestServer } from '../http/test-server.ts';
import type { TestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertBrand, insertInfluencer } from '../support/market.ts';

let database: TestDatabase;
let one: TestServer;
let two: TestServer;
const metrics = createMetricsRegistry();

function registerWho(app: Server): void {
  app.route({
    method: 'GET',
    url: '/v1/who',
    config: { roles: ['admin', 'brand', 'influencer', 'finance'] },
    handler: async (request): Promise<Principal> => request.principal,
  });
  app.route({
    method: 'GET',
    url: '/v1/fails',
    config: { roles: ['admin'] },
    handler: async (request) => {
      throw Object.assign(new Error('a bug'), { request });
    },
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  await insertBrand(database.db, { brandId: 'brd_one', name: 'One' });
  await insertInfluencer(database.db, { influencerId: 'inf_one', payeeId: 'pye_one', name: 'One', code: 'one2345' });
  one = await createTestServer(database.db, registerWho, { metrics });
  two = await createTestServer(database.db, registerWho);
});

afterAll(async () => {
  await one.app.close();
  await two.app.close();
  await database.drop();
});

async function newKey(subject: object): Promise<{ id: string; key: string }> {
  const payload = { label: 'test', ...subject };
  return (await one.app.inject({ method: 'POST', url: '/v1/keys', headers: asAdmin, payload })).json();
}

async function who(headers: Record<string, string>, url = '/v1/who', on = one) {
  return on.app.inject({ url, headers });
}

describe('a valid key', () => {
  it.each([
    [{ role: 'admin' }],
    [{ role: 'brand', brandId: 'brd_one' }],
    [{ role: 'influencer', influencerId: 'inf_one' }],
    [{ role: 'finance' }],
    [{ role: 'finance', brandId: 'brd_one' }],
  ])('stands for %j and nothing more', async (subject) => {
    const { id, key } = await newKey(subject);
    expect((await who(bearer(key))).json()).toEqual({ keyId: id, ...subject });
  });

  it('is the admin key of the environment as long as it is set', async () => {
    expect((await who(asAdmin)).json()).toEqual({ keyId: 'key_environment', role: 'admin' });
    const without = await createTestServer(database.db, registerWho, { adminKey: `dh_admin_${'U'.repeat(43)}` });
    expect((await who(asAdmin, '/v1/who', without)).statusCode).toBe(401);
    await without.app.close();
  });

  it('may write the scheme as it likes', async () => {
    expect((await who({ authorization: `bEARER  ${ADMIN_KEY}` })).statusCode).toBe(200);
  });
});

describe('a bad key', () => {
  it('is answered with the same bytes, whatever is wrong with it', async () => {
    const revoked = await newKey({ role: 'finance' });
    await one.app.inject({ method: 'DELETE', url: `/v1/keys/${revoked.id}`, headers: asAdmin });
    const expired = await newKey({ role: 'finance', expiresAt: '2999-01-01T00:00:00Z' });
    await database.db.query('update api_keys set expires_at = now() where id = $1', [expired.id]);
    const answers = await Promise.all([
      who({}),
      who(bearer('')),
      who(bearer('x')),
      who(bearer(`dh_admin_${'X'.repeat(43)}`)),
      who(bearer(`${ADMIN_KEY}x`)),
      who(bearer(ADMIN_KEY.toUpperCase())),
      who(bearer(revoked.key)),
      who(bearer(expired.key)),
      who({ authorization: `Basic ${Buffer.from(`x:${ADMIN_KEY}`).toString('base64')}` }),
      who({ authorization: ADMIN_KEY }),
      who({ authorization: `Bearer ${ADMIN_KEY}, Bearer ${ADMIN_KEY}` }),
      who({ 'x-api-key': ADMIN_KEY }),
      who({}, `/v1/who?key=${ADMIN_KEY}`),
      // A key in the URL has leaked into logs and histories: not even the right header beside it helps.
      who(asAdmin, `/v1/who?access_token=${ADMIN_KEY}`),
    ]);
    const [first, ...others] = answers.map((answer) => comparable(answer));
    expect(first).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="daihuo"' } });
    for (const other of others) expect(other).toEqual(first);
  });

  it('fails at its next use on every process once it is revoked', async () => {
    const { id, key } = await newKey({ role: 'finance' });
    expect((await who(bearer(key), '/v1/who', two)).statusCode).toBe(200);
    await one.app.inject({ method: 'DELETE', url: `/v1/keys/${id}`, headers: asAdmin });
    expect((await who(bearer(key), '/v1/who', two)).statusCode).toBe(401);
    expect((await who(bearer(key))).statusCode).toBe(401);
  });
});

describe('roles', () => {
  it('a role that is not declared is refused, also by HEAD and with an invalid body', async () => {
    const { key } = await newKey({ role: 'brand', brandId: 'brd_one' });
    for (const [method, url] of [
      ['GET', '/v1/keys'],
      ['HEAD', '/v1/keys'],
      ['POST', '/v1/keys'],
      ['DELETE', '/v1/keys/key_nothing'],
    ] as const) {
      const answer = await one.app.inject({
        method,
        url,
        headers: bearer(key),
        ...(method === 'POST' ? { payload: { x: 1 } } : {}),
      });
      expect([url, answer.statusCode]).toEqual([url, 403]);
    }
  });

  it('without a key every route of /v1 is closed', async () => {
    for (const [method, url] of [
      ['GET', '/v1/keys'],
      ['HEAD', '/v1/keys'],
      ['POST', '/v1/keys'],
      ['DELETE', '/v1/keys/key_nothing'],
    ] as const) {
      expect((await one.app.inject({ method, url })).statusCode).toBe(401);
    }
  });

  const boot: [string, (app: Server) => void, string][] = [
    [
      'no roles',
      (app) => app.route({ method: 'GET', url: '/v1/open', handler: async () => '' }),
      'GET /v1/open declares no roles',
    ],
    [
      'an empty list of roles',
      (app) => app.route({ method: 'GET', url: '/v1/open', config: { roles: [] }, handler: async () => '' }),
      'GET /v1/open declares no roles',
    ],
    [
      'no roles, inside a register',
      (app) =>
        void app.register(async (inner) => {
          inner.route({ method: 'GET', url: '/v1/open', handler: async () => '' });
        }),
      'GET /v1/open declares no roles',
    ],
    [
      'a body that takes unknown fields',
      (app) => {
        const schema = { body: z.object({ name: z.string() }) };
        app.route({ method: 'POST', url: '/v1/loose', config: { roles: ['admin'] }, schema, handler: async () => '' });
      },
      'POST /v1/loose lets unknown fields of the body through',
    ],
  ];
  it.each(boot)('a /v1 route with %s fails at boot', async (_name, register, message) => {
    await expect(createTestServer(database.db, register)).rejects.toThrow(message);
  });
});

describe('limits', () => {
  it('an address that guesses is slowed down, and shuts out nobody who has a valid key', async () => {
    const limited = await createTestServer(database.db, registerWho, { failedKeysPerMinute: 5 });
    const guess = async (remoteAddress: string, key = `dh_admin_${'Y'.repeat(43)}`) =>
      limited.app.inject({ url: '/v1/who', headers: bearer(key), remoteAddress });
    const { key } = await newKey({ role: 'finance' });
    expect((await guess('192.0.2.1', key)).statusCode).toBe(200);
    for (let attempt = 1; attempt <= 5; attempt += 1) expect((await guess('192.0.2.1')).statusCode).toBe(401);
    const refused = await guess('192.0.2.1');
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'rate_limited' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await guess('192.0.2.1', key)).statusCode).toBe(200);
    expect((await guess('192.0.2.2')).statusCode).toBe(401);
    await limited.app.close();
  });

  it('an IPv6 network of 64 bits is one address', async () => {
    const limited = await createTestServer(database.db, registerWho, { failedKeysPerMinute: 5 });
    const statuses: number[] = [];
    for (let host = 1; host <= 6; host += 1) {
      const answer = await limited.app.inject({ url: '/v1/who', remoteAddress: `2001:db8:0:1::${host}` });
      statuses.push(answer.statusCode);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await limited.app.inject({ url: '/v1/who', remoteAddress: '2001:db8:0:2::1' })).statusCode).toBe(401);
    await limited.app.close();
  });

  it('a key that asks too often gets 429, others do not', async () => {
    const limited = await createTestServer(database.db, registerWho, { requestsPerMinute: 3 });
    const { key } = await newKey({ role: 'finance' });
    const ask = async () => (await limited.app.inject({ url: '/v1/who', headers: bearer(key) })).statusCode;
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([200, 200, 200, 429]);
    expect((await who(asAdmin, '/v1/who', limited)).statusCode).toBe(200);
    await limited.app.close();
  });
});

it('a key never appears in logs, metrics or answers, however it was sent', async () => {
  const canary = await newKey({ role: 'finance' });
  const secret = canary.key.slice(-35);
  const url = `/v1/who?key=${canary.key}&x=%0d%0ainjected`;
  const answers = [
    await who(bearer(canary.key)),
    await who(bearer(canary.key), '/v1/fails'),
    await who(bearer(ADMIN_KEY), '/v1/fails'),
    await who(bearer(`${canary.key}x`)),
    await who(bearer(canary.key), url),
    await who({}, `/v1/nothing/${canary.key}`),
    await who({}, `/v1/%E0%A4/${canary.key}`),
    await who({}, `/${canary.key}`),
    await one.app.inject({ url: '/v1/keys', headers: asAdmin }),
  ];
  for (const answer of answers) expect(JSON.stringify(answer.headers) + answer.body).not.toContain(secret);
  const logged = one.logText();
  expect(logged).toContain('a request failed');
  expect(logged).not.toContain(secret);
  expect(logged).not.toContain(ADMIN_KEY.slice(-35));
  expect(logged.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toEqual([]);
  expect(await metrics.metrics()).not.toContain(secret);
});
