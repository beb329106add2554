import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AUDIT_ACTIONS, AUDIT_ACTION_NAMES, objectKindOf } from '../../src/audit/actions.ts';
import { changesBetween, recordAudit } from '../../src/audit/record-audit.ts';
import { auditRoutes } from '../../src/audit/routes.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { asAdmin, bearer, createTestServer } from '../http/test-server.ts';
import type { TestServer } from '../http/test-server.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { makeKey } from '../support/make-key.ts';

interface Row {
  id: string;
  at: string;
  actor: string;
  actorLabel: string | null;
  action: string;
  object: string;
  objectKind: string;
  brandId: string | null;
  brandName: string | null;
  detail: unknown;
}
interface Page {
  data: Row[];
  nextCursor: string | null;
}

let test: TestDatabase;
let server: TestServer;
let brandKey: string;
let brandActor: string;

beforeAll(async () => {
  test = await createTestDatabase();
  server = await createTestServer(test.db, (app) => auditRoutes(app, { db: test.db }));
  await test.db.query("insert into brands (id, name) values ('brd_one', '一号'), ('brd_two', '二号')");
  const made = await inTransaction(test.db, (tx) =>
    makeKey(tx, { role: 'brand', brandId: 'brd_one', label: '运营后台', actor: 'daihuo key create' }),
  );
  brandKey = made.key;
  brandActor = `brand:${made.id}`;
});
afterAll(async () => {
  await server.app.close();
  await test.drop();
});

async function list(query: Record<string, string> = {}, headers: object = asAdmin): Promise<Page> {
  const answer = await server.app.inject({ url: '/v1/audit', query, headers: { ...headers } });
  expect([answer.statusCode, answer.body]).toEqual([200, answer.body]);
  return answer.json();
}

/** Rows of one instant, so that only the id orders them; `at` is given as text to keep the microseconds. */
async function insertRows(count: number, { at, brandId }: { at: string; brandId: string | null }): Promise<void> {
  await test.db.query(
    `insert into audit_log (at, actor, action, brand_id, subject, detail)
    select $1::timestamptz, 'admin:key_environment', 'store.changed', $3, 'str_' || n, '{}' from generate_series(1, $2) n`,
    [at, count, brandId],
  );
}

describe('an entry', () => {
  it('names actor, action, object and brand with their names, and holds amounts and times as the API writes them', async () => {
    await inTransaction(test.db, async (tx) => {
      await recordAudit(tx, {
        actor: brandActor,
        action: 'product.changed',
        objectId: 'prd_one',
        brandId: 'brd_one',
        detail: { before: { priceFen: 19_900n }, after: { priceFen: 17_900n } },
      });
      await recordAudit(tx, {
        actor: brandActor,
        action: 'coupon.end_moved',
        objectId: 'cpn_one',
        brandId: 'brd_one',
        detail: { validTo: new Date('2027-01-01T00:00:00Z') },
      });
    });
    const [coupon, product] = (await list({ actor: brandActor })).data;
    expect(product).toEqual({
      id: expect.stringMatching(/^\d+$/),
      at: expect.stringMatching(/Z$/),
      actor: brandActor,
      actorLabel: '运营后台',
      action: 'product.changed',
      object: 'prd_one',
      objectKind: 'product',
      brandId: 'brd_one',
      brandName: '一号',
      detail: { before: { priceFen: 19_900 }, after: { priceFen: 17_900 } },
    });
    expect(coupon).toMatchObject({ objectKind: 'coupon', detail: { validTo: '2027-01-01T00:00:00.000Z' } });
  });

  it('is undone together with the change it records', async () => {
    const acting = inTransaction(test.db, async (tx) => {
      await recordAudit(tx, { actor: 'test', action: 'link.paused', objectId: 'lnk_undone', detail: {} });
      throw new Error('the change failed');
    });
    await expect(acting).rejects.toThrow('the change failed');
    expect((await list({ object: 'lnk_undone' })).data).toEqual([]);
  });

  it('cannot be changed or deleted', async () => {
    await expect(test.db.query("update audit_log set actor = 'me'")).rejects.toThrow('audit_log');
    await expect(test.db.query('delete from audit_log')).rejects.toThrow('audit_log');
    await expect(test.db.query('truncate audit_log')).rejects.toThrow('audit_log');
  });
});

describe('secrets', () => {
  it('cannot enter a detail: a field that an action does not list is refused, and the change with it', async () => {
    const spread = { before: {}, after: { name: 'new' }, clientSecret: 'leaked' };
    const acting = inTransaction(test.db, (tx) =>
      recordAudit(tx, { actor: 'test', action: 'store.changed', objectId: 'str_leak', detail: spread }),
    );
    await expect(acting).rejects.toThrow('clientSecret');
    expect((await list({ object: 'str_leak' })).data).toEqual([]);
  });

  it('have no field in any detail, at any depth', () => {
    const text = JSON.stringify(
      Object.values(AUDIT_ACTIONS).map((schema) => z.toJSONSchema(schema, { unrepresentable: 'any' })),
    );
    const names = [...text.matchAll(/"(\w+)":\{"type"/g)].map((match) => match[1] ?? '');
    expect(names).toContain('youzanClientId');
    expect(names.filter((name) => /secret|password|token|hash|sealed|^key$/i.test(name))).toEqual([]);
    expect(text.match(/"additionalProperties":false/g)?.length).toBeGreaterThan(AUDIT_ACTION_NAMES.length - 1);
  });
});

describe('the closed list of actions', () => {
  it('names a kind of object and a deed in each', () => {
    expect(AUDIT_ACTION_NAMES.filter((name) => !/^[a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*$/.test(name))).toEqual([]);
    expect(objectKindOf('store.rating_recorded')).toBe('store');
    // Of a newer version, whose rows an older process may read.
    expect(objectKindOf('payout.locked')).toBe('payout');
  });

  it('refuses an unknown action in the filter', async () => {
    const answer = await server.app.inject({ url: '/v1/audit?action=store.burnt', headers: asAdmin });
    expect(answer.statusCode).toBe(400);
  });
});

describe('the list', () => {
  it('has every row once, newest first, page by page, also where many have one instant', async () => {
    await insertRows(7, { at: '2026-01-01 00:00:00.123456+00', brandId: 'brd_one' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page = await list({ limit: '3', ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const { rows } = await test.db.query<{ id: bigint }>('select a.id from audit_log a order by a.at desc, a.id desc');
    expect(seen).toEqual(rows.map(({ id }) => id.toString()));
  });

  it('is filtered by object, action, brand and half-open time', async () => {
    await insertRows(2, { at: '2026-02-01 00:00:00+08', brandId: 'brd_two' });
    const objects = async (query: Record<string, string>) => (await list(query)).data.map(({ object }) => object);
    expect(await objects({ brandId: 'brd_two' })).toEqual(['str_2', 'str_1']);
    expect(await objects({ object: 'str_2', brandId: 'brd_two', action: 'store.changed' })).toEqual(['str_2']);
    expect(await objects({ from: '2026-02-01', to: '2026-02-02' })).toHaveLength(2);
    expect(await objects({ from: '2026-01-31', to: '2026-02-01' })).toEqual([]);
    expect(await objects({ brandId: 'brd_two', action: 'key.created' })).toEqual([]);
    const answer = await server.app.inject({ url: '/v1/audit?from=2026-02-02&to=2026-02-01', headers: asAdmin });
    expect(answer.statusCode).toBe(400);
  });

  it('shows a brand its own rows, and no label of a key that is not its own', async () => {
    const operator = await inTransaction(test.db, (tx) =>
      makeKey(tx, { role: 'admin', label: '老板的手机', actor: 'daihuo key create' }),
    );
    const entry = { actor: `admin:${operator.id}`, action: 'link.paused', detail: {} } as const;
    await inTransaction(test.db, async (tx) => {
      await recordAudit(tx, { ...entry, objectId: 'lnk_one', brandId: 'brd_one' });
      await recordAudit(tx, { ...entry, objectId: 'lnk_two', brandId: 'brd_two' });
      await recordAudit(tx, { ...entry, objectId: 'lnk_none' });
    });
    const own = await list({ limit: '200' }, bearer(brandKey));
    expect([...new Set(own.data.map(({ brandId }) => brandId))]).toEqual(['brd_one']);
    expect(own.data.find(({ object }) => object === 'lnk_one')).toMatchObject({ actor: entry.actor, actorLabel: null });
    expect(own.data.find(({ actor }) => actor === brandActor)).toMatchObject({ actorLabel: '运营后台' });
    expect((await list({ brandId: 'brd_two' }, bearer(brandKey))).data).toEqual([]);
    expect((await list({ object: 'lnk_none' })).data[0]).toMatchObject({
      actorLabel: '老板的手机',
      brandId: null,
      brandName: null,
    });
  });

  it('is CSV where the caller asks for it', async () => {
    const answer = await server.app.inject({
      url: '/v1/audit?limit=1&object=prd_one',
      headers: { ...asAdmin, accept: 'text/csv' },
    });
    const [heading, row] = answer.body.split('\r\n');
    expect(heading).toBe('\ufeffid,at,actor,actorLabel,action,object,objectKind,brandId,brandName,detail');
    expect(row).toContain('"{""after"":{""priceFen"":17900},""before"":{""priceFen"":19900}}"');
  });
});

describe('the fields of a change', () => {
  it('are those that were given and differ; none leaves no entry', () => {
    const before = { name: 'a', fallbacks: ['x'], pageUrl: null as string | null };
    expect(changesBetween(before, { name: 'b', fallbacks: ['x'], pageUrl: undefined })).toEqual({
      before: { name: 'a' },
      after: { name: 'b' },
    });
    expect(changesBetween(before, { pageUrl: 'https://p' })?.before).toEqual({ pageUrl: null });
    expect(changesBetween(before, { name: 'a', fallbacks: ['x'] })).toBeUndefined();
  });
});
