import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { problems } from '../../src/http/problem.ts';
import { claimRequest, deleteExpiredAnswers, keepAnswer, releaseRequest } from '../../src/http/queries.ts';
import type { Server } from '../../src/http/server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { asAdmin, bearer, comparable, createTestServer } from './test-server.ts';

let database: TestDatabase;
let servers: Server[];
let runs: string[];
/** What the handler does after it was counted. */
let outcome: (name: string) => Promise<void>;

async function registerThings(app: Server): Promise<void> {
  const body = z.strictObject({ name: z.string() });
  for (const [url, keepAnswersForEver] of [
    ['/v1/things', false],
    ['/v1/payments', true],
  ] as const) {
    app.route({
      method: 'POST',
      url,
      config: { roles: ['admin', 'finance'], secretFields: ['secret'], keepAnswersForEver },
      schema: { body },
      handler: async (request, reply) => {
        runs.push(request.body.name);
        await outcome(request.body.name);
        return reply.code(201).send({ name: request.body.name, run: runs.length, secret: 's3cret' });
      },
    });
  }
}

beforeAll(async () => {
  database = await createTestDatabase();
  const made = [
    await createTestServer(database.db, registerThings),
    await createTestServer(database.db, registerThings),
  ];
  servers = made.map((each) => each.app);
});

beforeEach(async () => {
  runs = [];
  outcome = async () => {};
  await database.db.query('delete from idempotency_keys');
});

afterAll(async () => {
  for (const app of servers) await app.close();
  await database.drop();
});

interface Sent {
  key?: string;
  name?: string;
  url?: string;
  as?: { authorization: string };
  server?: number;
}

async function send({ key = 'k1', name = 'a', url = '/v1/things', as = asAdmin, server = 0 }: Sent = {}) {
  const app = servers[server];
  if (app === undefined) throw new Error('no such server');
  return app.inject({ method: 'POST', url, headers: { ...as, 'idempotency-key': key }, payload: { name } });
}

describe('a repeated request', () => {
  it('runs once and replays the answer, on every process, without the secret', async () => {
    const first = await send();
    const second = await send({ server: 1 });
    expect(runs).toEqual(['a']);
    expect([first.statusCode, first.json()]).toEqual([201, { name: 'a', run: 1, secret: 's3cret' }]);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    expect([second.statusCode, second.json()]).toEqual([201, { name: 'a', run: 1 }]);
    expect(second.headers['idempotency-replayed']).toBe('true');
    const { rows } = await database.db.query<{ body: string }>('select k.body from idempotency_keys k');
    expect(JSON.stringify(rows)).not.toContain('s3cret');
  });

  it('40 copies at once on two processes run once; each copy gets the answer or 409', async () => {
    const work = Promise.withResolvers<void>();
    outcome = async () => work.promise;
    const sent = Array.from({ length: 40 }, (_, index) => send({ server: index % 2 }));
    // The copy that runs answers last: the first answer is a refusal.
    await Promise.race(sent);
    work.resolve();
    const answers = await Promise.all(sent);
    expect(runs).toEqual(['a']);
    const statuses = answers.map((answer) => answer.statusCode);
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThanOrEqual(1);
    expect(new Set(statuses).isSubsetOf(new Set([201, 409]))).toBe(true);
    const refused = answers.find((answer) => answer.statusCode === 409);
    expect(refused?.json()).toMatchObject({ code: 'idempotency_in_progress' });
    expect((await send()).headers['idempotency-replayed']).toBe('true');
  });

  it('with another body is refused, and changes nothing', async () => {
    await send();
    const other = await send({ name: 'b' });
    expect([other.statusCode, other.json<{ code: string }>().code]).toEqual([422, 'idempotency_key_reused']);
    const otherQuery = await send({ url: '/v1/things?x=1' });
    expect(otherQuery.statusCode).toBe(422);
    expect(runs).toEqual(['a']);
  });

  it('replays a refusal byte for byte', async () => {
    outcome = async () => {
      throw problems.conflict('there is one already');
    };
    const first = await send();
    const second = await send();
    expect(runs).toEqual(['a']);
    expect([second.statusCode, second.body]).toEqual([409, first.body]);
    expect(second.headers['content-type']).toBe(first.headers['content-type']);
  });

  it('runs again after a 5xx', async () => {
    outcome = async () => {
      throw new Error('a bug');
    };
    expect((await send()).statusCode).toBe(500);
    outcome = async () => {};
    expect((await send()).statusCode).toBe(201);
    expect(runs).toEqual(['a', 'a']);
  });

  it('is another request for another path, key or caller', async () => {
    const finance = await servers[0]?.inject({
      method: 'POST',
      url: '/v1/keys',
      headers: asAdmin,
      payload: { role: 'finance', label: 'finance' },
    });
    await send();
    await send({ url: '/v1/payments' });
    await send({ key: 'k2' });
    await send({ as: bearer(finance?.json<{ key: string }>().key ?? '') });
    expect(runs).toHaveLength(4);
  });
});

describe('the Idempotency-Key', () => {
  it('is optional', async () => {
    const plain = { method: 'POST', url: '/v1/things', headers: asAdmin, payload: { name: 'a' } } as const;
    await servers[0]?.inject(plain);
    await servers[0]?.inject(plain);
    expect(runs).toHaveLength(2);
  });

  it.each(['', ' ', 'a b', 'ü', 'x'.repeat(256)])('%j is refused', async (key) => {
    expect((await send({ key })).statusCode).toBe(400);
    expect(runs).toEqual([]);
  });

  it('leaves no trace of a request that was refused before it ran', async () => {
    const headers = { ...asAdmin, 'idempotency-key': 'k1' };
    const invalid = await servers[0]?.inject({ method: 'POST', url: '/v1/things', headers, payload: { name: 1 } });
    const unknownKey = await send({ as: bearer(`dh_admin_${'X'.repeat(43)}`) });
    expect([invalid?.statusCode, unknownKey.statusCode]).toEqual([400, 401]);
    expect((await database.db.query('select from idempotency_keys')).rowCount).toBe(0);
  });
});

async function leaveUnanswered(ageSeconds: number): Promise<void> {
  await send();
  await database.db.query(
    `update idempotency_keys set status = null, body = null, created_at = now() - make_interval(secs => $1)`,
    [ageSeconds],
  );
  runs = [];
}

describe('a request whose process died', () => {
  const request = { keyId: 'key_environment', method: 'POST', path: '/v1/things', idempotencyKey: 'k1' };

  it('is under way for 60 s, then taken over', async () => {
    await leaveUnanswered(55);
    expect((await send()).statusCode).toBe(409);
    await leaveUnanswered(65);
    expect((await send()).statusCode).toBe(201);
    expect(runs).toEqual(['a']);
  });

  it('is not taken over by another body', async () => {
    await leaveUnanswered(3600);
    expect((await send({ name: 'b' })).statusCode).toBe(422);
    expect(runs).toEqual([]);
  });

  it('is taken over by one of many copies', async () => {
    await leaveUnanswered(65);
    outcome = async () => new Promise((resolve) => void setTimeout(resolve, 50));
    await Promise.all(Array.from({ length: 20 }, (_, index) => send({ server: index % 2 })));
    expect(runs).toEqual(['a']);
  });

  it('cannot write or remove the answer of who took it over, should it wake up', async () => {
    const bodySha256 = Buffer.alloc(32, 1);
    const old = await claimRequest(database.db, { ...request, bodySha256, keepForEver: false });
    await database.db.query(`update idempotency_keys set created_at = now() - interval '65 seconds'`);
    const { rows } = await database.db.query<{ at: string }>('select k.created_at::text as at from idempotency_keys k');
    const sleeper = { ...request, claimedAt: rows[0]?.at ?? '' };
    const winner = await claimRequest(database.db, { ...request, bodySha256, keepForEver: false });
    expect(old).toBeDefined();
    expect(winner).toBeDefined();
    await keepAnswer(database.db, sleeper, { status: 201, body: 'of the sleeper' });
    await releaseRequest(database.db, sleeper);
    if (winner !== undefined) await keepAnswer(database.db, winner, { status: 201, body: 'of the winner' });
    const kept = await database.db.query('select k.body as "body" from idempotency_keys k');
    expect(kept.rows).toEqual([{ body: 'of the winner' }]);
  });
});

describe('retention', () => {
  it('answers are kept 7 days, those of payouts for ever', async () => {
    await send();
    await send({ url: '/v1/payments' });
    const { rows } = await database.db.query(
      `select k.path as "path", k.expires_at - k.created_at = interval '7 days' as "isWeek" from idempotency_keys k order by k.path`,
    );
    expect(rows).toEqual([
      { path: '/v1/payments', isWeek: null },
      { path: '/v1/things', isWeek: true },
    ]);
  });

  it('an expired answer is not replayed, and is deleted; others stay', async () => {
    await send();
    await send({ url: '/v1/payments' });
    await send({ key: 'k2' });
    await database.db.query(
      `update idempotency_keys set expires_at = now() where idempotency_key = 'k1' and expires_at is not null`,
    );
    expect((await send()).headers).not.toHaveProperty('idempotency-replayed');
    expect(runs).toHaveLength(4);
    await database.db.query(
      `update idempotency_keys set expires_at = now() where idempotency_key = 'k1' and expires_at is not null`,
    );
    expect(await deleteExpiredAnswers(database.db)).toBe(1);
    expect((await send({ url: '/v1/payments' })).headers['idempotency-replayed']).toBe('true');
    expect((await send({ key: 'k2' })).headers['idempotency-replayed']).toBe('true');
  });
});

it('a replay differs from the answer in nothing but the header that says so', async () => {
  outcome = async () => {
    throw problems.conflict('no');
  };
  const [first, second] = [comparable(await send()), comparable(await send())] as {
    headers: Record<string, unknown>;
  }[];
  delete second?.headers['idempotency-replayed'];
  expect(second).toEqual(first);
});
