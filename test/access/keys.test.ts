import {
  assert,
  asyncProperty,
  constant,
  constantFrom,
  json,
  jsonValue,
  oneof,
  record,
  string,
  tuple,
} from 'fast-check';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeKey } from '../support/make-key.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { asAdmin, bearer, createTestServer } from '../http/test-server.ts';
import type { TestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertBrand, insertInfluencer } from '../support/market.ts';

interface KeyAnswer {
  id: string;
  key: string;
  prefix: string;
  role: string;
}

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await createTestServer(database.db);
  await insertBrand(database.db, { brandId: 'brd_one', name: 'One' });
  await insertInfluencer(database.db, { influencerId: 'inf_one', payeeId: 'pye_one', name: 'One', code: 'one2345' });
});

afterAll(async () => {
  await server.app.close();
  await database.drop();
});

async function create(payload: object) {
  return server.app.inject({ method: 'POST', url: '/v1/keys', headers: asAdmin, payload });
}

async function rowCounts(): Promise<{ keys: bigint; audits: bigint }> {
  const { rows } = await database.db.query<{ keys: bigint; audits: bigint }>(
    'select (select count(*) from api_keys) as "keys", (select count(*) from audit_log) as "audits"',
  );
  return rows[0] ?? { keys: -1n, audits: -1n };
}

describe('a new key', () => {
  it.each([
    [{ role: 'admin' }],
    [{ role: 'brand', brandId: 'brd_one' }],
    [{ role: 'influencer', influencerId: 'inf_one' }],
    [{ role: 'finance' }],
    [{ role: 'finance', brandId: 'brd_one' }],
  ])('%j is shown once, and only its hash and 8 characters are kept', async (subject) => {
    const answer = await create({ ...subject, label: 'a key' });
    expect(answer.statusCode).toBe(201);
    const created = answer.json<KeyAnswer>();
    expect(created.key).toMatch(new RegExp(`^dh_${subject.role}_[A-Za-z0-9_-]{43}$`));
    expect(created.prefix).toBe(created.key.slice(`dh_${subject.role}_`.length).slice(0, 8));
    const { rows } = await database.db.query<{ hash: Buffer; all: string }>(
      'select k.hash, k::text as "all" from api_keys k where k.id = $1',
      [created.id],
    );
    expect(rows[0]?.hash).toEqual(createHash('sha256').update(created.key).digest());
    expect(rows[0]?.all).not.toContain(created.key.slice(-35));
    const list = await server.app.inject({ url: '/v1/keys', headers: asAdmin });
    expect(list.body).toContain(created.id);
    expect(list.body).not.toContain(created.key.slice(-35));
  });

  it.each([
    [{ role: 'brand' }, ['brandId']],
    [{ role: 'influencer', brandId: 'brd_one' }, ['brandId', 'influencerId']],
    [{ role: 'admin', brandId: 'brd_one' }, ['brandId']],
    [{ role: 'finance', influencerId: 'inf_one' }, ['influencerId']],
    [{ role: 'brand', brandId: 'brd_none' }, ['brandId']],
    [{ role: 'influencer', influencerId: 'inf_none' }, ['influencerId']],
    [{ role: 'owner' }, ['role']],
    [{ role: 'finance', expiresAt: '2020-01-01T00:00:00Z' }, ['expiresAt']],
    [{ role: 'finance', id: 'key_mine' }, ['id']],
  ])('%j is refused, and nothing is written', async (body, paths) => {
    const before = await rowCounts();
    const answer = await create({ ...body, label: 'a key' });
    expect(answer.statusCode).toBe(400);
    const { errors } = answer.json<{ errors: { path: string }[] }>();
    expect(errors.map((error) => error.path).toSorted()).toEqual(paths);
    expect(await rowCounts()).toEqual(before);
  });

  it('leaves who, what and when in the audit log, and never the key', async () => {
    const { id, key } = (await create({ role: 'finance', brandId: 'brd_one', label: '财务' })).json<KeyAnswer>();
    await server.app.inject({ method: 'DELETE', url: `/v1/keys/${id}`, headers: asAdmin });
    await server.app.inject({ method: 'DELETE', url: `/v1/keys/${id}`, headers: asAdmin });
    const { rows } = await database.db.query(
      `select a.actor, a.action, a.brand_id as "brandId", a.detail from audit_log a where a.subject = $1 order by a.id`,
      [id],
    );
    const who = { actor: 'admin:key_environment', brandId: 'brd_one' };
    expect(rows).toEqual([
      { ...who, action: 'key.created', detail: { role: 'finance', label: '财务', prefix: key.slice(11, 19) } },
      { ...who, action: 'key.revoked', detail: {} },
    ]);
  });

  it('is not replayed by an Idempotency-Key', async () => {
    const request = {
      method: 'POST',
      url: '/v1/keys',
      headers: { ...asAdmin, 'idempotency-key': 'new-key' },
      payload: { role: 'finance', label: 'once' },
    } as const;
    const first = (await server.app.inject(request)).json<KeyAnswer>();
    const { key, ...withoutKey } = first;
    expect(key).toMatch(/^dh_finance_/);
    expect((await server.app.inject(request)).json()).toEqual(withoutKey);
  });

  it('rolls back with the transaction that made it', async () => {
    const making = inTransaction(database.db, async (tx) => {
      const made = await makeKey(tx, { role: 'admin', label: 'undone', actor: 'test' });
      throw new Error(made.key);
    });
    const key = await making.then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
    expect(key).toMatch(/^dh_admin_/);
    expect((await server.app.inject({ url: '/v1/keys', headers: bearer(key) })).statusCode).toBe(401);
  });
});

async function listPage(cursor: string | null): Promise<{ data: { id: string }[]; nextCursor: string | null }> {
  const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  return (await server.app.inject({ url: `/v1/keys?limit=2${query}`, headers: asAdmin })).json();
}

describe('the list', () => {
  it('has every key once, newest first, page by page, also where many have one time', async () => {
    await database.db.query(`
      insert into api_keys (id, role, label, prefix, hash, created_at)
      select 'key_same' || n, 'finance', 'same', 'x', decode(lpad(n::text, 64, '0'), 'hex'), timestamptz '2026-01-01 00:00:00.123456+00'
      from generate_series(1, 7) n`);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await listPage(cursor);
      seen.push(...page.data.map((each) => each.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const { rows } = await database.db.query<{ id: string }>(
      'select k.id from api_keys k order by k.created_at desc, k.id desc',
    );
    expect(seen).toEqual(rows.map((row) => row.id));
    const csv = await server.app.inject({ url: '/v1/keys?limit=2', headers: { ...asAdmin, accept: 'text/csv' } });
    expect(csv.headers).toMatchObject({ 'content-type': 'text/csv; charset=utf-8' });
    expect(csv.headers).toHaveProperty('next-cursor');
    expect(csv.body.split('\r\n').map((line) => line.split(',')[0])).toEqual(['\ufeffid', ...seen.slice(0, 2), '']);
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'limit=1&limit=2', 'cursor=', 'cursor=abc', 'unknown=1'])(
    '?%s is refused',
    async (query) => {
      const answer = await server.app.inject({ url: `/v1/keys?${query}`, headers: asAdmin });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'validation_failed']);
    },
  );
});

it('whatever is sent, nothing fails, and a refusal writes nothing', async () => {
  const valid = { role: 'finance', label: 'fuzz' };
  const bodies = oneof(
    json(),
    string({ unit: 'binary' }),
    record({
      role: oneof(constant('finance'), jsonValue()),
      label: oneof(string({ unit: 'binary' }), jsonValue()),
    }).map((body) => JSON.stringify(body)),
    tuple(constantFrom('role', 'label', 'brandId', 'influencerId', 'expiresAt', '__proto__'), jsonValue()).map(
      ([field, value]) => JSON.stringify({ ...valid, [field]: value }),
    ),
  );
  await assert(
    asyncProperty(bodies, async (payload) => {
      const before = await rowCounts();
      const headers = { ...asAdmin, 'content-type': 'application/json' };
      const answer = await server.app.inject({ method: 'POST', url: '/v1/keys', headers, payload });
      expect([201, 400]).toContain(answer.statusCode);
      const written = answer.statusCode === 201 ? 1n : 0n;
      expect(await rowCounts()).toEqual({ keys: before.keys + written, audits: before.audits + written });
    }),
    { numRuns: 300 },
  );
});

it('a key that is not there cannot be revoked', async () => {
  const answer = await server.app.inject({ method: 'DELETE', url: '/v1/keys/key_nothing', headers: asAdmin });
  expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([404, 'not_found']);
});
