import type { QueryConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CommitLostError, createDb, inTransaction, withAdvisoryLock } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { waitUntil } from '../support/timing.ts';

const BACKEND = 'select pg_backend_pid() as "pid"';
let database: TestDatabase;
/** One connection: whoever asks next gets the very client that the test before has used, if it was handed on. */
let single: Db;
const errors: Error[] = [];

beforeAll(async () => {
  database = await createTestDatabase({ isEmpty: true });
  single = createDb({ url: database.url, max: 1, applicationName: 'single', onError: (error) => errors.push(error) });
  await database.db.query(
    'create table notes (id bigint not null, constraint notes_pkey primary key (id) deferrable initially deferred)',
  );
});
afterAll(async () => {
  await single.end();
  await database.drop();
});
beforeEach(async () => {
  await database.db.query('truncate table notes');
});

async function backend(db: Db): Promise<number> {
  return (await db.query<{ pid: number }>(BACKEND)).rows[0]?.pid ?? 0;
}

async function countNotes(): Promise<bigint> {
  return (await database.db.query<{ count: bigint }>('select count(*) as "count" from notes n')).rows[0]?.count ?? -1n;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('values', () => {
  test('int8 reads as bigint, numeric and date as text, timestamptz as Date, also in arrays', async () => {
    const { rows } = await single.query(`
      select 9007199254740993::int8 as "id", 0.10::numeric as "rate", date '2026-11-22' as "day",
        timestamptz '2026-11-22T00:00:00+08' as "at", array[1, null, 9007199254740993]::int8[] as "ids",
        array[0.1, 0.20]::numeric[] as "rates", array[date '2026-11-22'] as "days", '{{1,2},{3,4}}'::int8[] as "grid"`);
    expect(rows[0]).toEqual({
      id: 9_007_199_254_740_993n,
      rate: '0.10',
      day: '2026-11-22',
      at: new Date('2026-11-21T16:00:00Z'),
      ids: [1n, null, 9_007_199_254_740_993n],
      rates: ['0.1', '0.20'],
      days: ['2026-11-22'],
      grid: [
        [1n, 2n],
        [3n, 4n],
      ],
    });
  });

  test('a bigint goes in as it came out', async () => {
    const { rows } = await single.query('select $1::int8 as "one", $2::int8[] as "many"', [
      2n ** 62n,
      [2n ** 62n, -1n],
    ]);
    expect(rows[0]).toEqual({ one: 2n ** 62n, many: [2n ** 62n, -1n] });
  });

  test('every wait on the server has a limit', async () => {
    const { rows } = await single.query<{ name: string; setting: string }>(
      `select s.name as "name", s.setting as "setting" from pg_settings s
       where s.name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')`,
    );
    expect(rows.map(({ setting }) => Number(setting) > 0)).toEqual([true, true, true]);
  });
});

describe('inTransaction', () => {
  test('returns what the work returned, after it is committed', async () => {
    const answer = await inTransaction(single, async (tx) => {
      await tx.query('insert into notes (id) values (1)');
      return 'done';
    });
    expect({ answer, count: await countNotes() }).toEqual({ answer: 'done', count: 1n });
  });

  test('throws what the work threw, keeps nothing of it, and hands the connection on', async () => {
    const before = await backend(single);
    const failure = await failureOf(
      inTransaction(single, async (tx) => {
        await tx.query('insert into notes (id) values (1)');
        throw new RangeError('no');
      }),
    );
    expect(failure).toBeInstanceOf(RangeError);
    expect({ count: await countNotes(), pid: await backend(single) }).toEqual({ count: 0n, pid: before });
  });

  test('a transaction that a swallowed error had aborted is reported as lost, not as committed', async () => {
    const failure = await failureOf(
      inTransaction(single, async (tx) => {
        await tx.query('insert into notes (id) values (1)');
        await failureOf(tx.query('select 1 / 0'));
      }),
    );
    expect(failure).toBeInstanceOf(CommitLostError);
    expect(await countNotes()).toBe(0n);
    // The next user of the connection starts outside of any transaction.
    expect(await inTransaction(single, async (tx) => (await tx.query('select 1 as "one"')).rows)).toEqual([{ one: 1 }]);
  });

  test('a deferred constraint that fails at COMMIT throws its own error', async () => {
    const failure = await failureOf(
      inTransaction(single, async (tx) => tx.query('insert into notes (id) values (1), (1)')),
    );
    expect(failure).toMatchObject({ code: '23505', constraint: 'notes_pkey' });
    expect(await countNotes()).toBe(0n);
  });

  test('a connection that died in the middle is not handed on, the pool goes on, and the process survives', async () => {
    let doomed = 0;
    const failure = await failureOf(
      inTransaction(single, async (tx) => {
        doomed = (await tx.query<{ pid: number }>(BACKEND)).rows[0]?.pid ?? 0;
        await tx.query('insert into notes (id) values (1)');
        await database.db.query('select pg_terminate_backend($1)', [doomed]);
        await tx.query('insert into notes (id) values (2)');
      }),
    );
    expect(failure).toBeInstanceOf(Error);
    expect(await backend(single)).not.toBe(doomed);
    expect(await countNotes()).toBe(0n);
  });

  test('a COMMIT without an answer is reported as lost', async () => {
    const failure = await failureOf(
      inTransaction(single, async (tx) => {
        const { rows } = await tx.query<{ pid: number }>(BACKEND);
        await database.db.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      }),
    );
    expect(failure).toBeInstanceOf(CommitLostError);
  });

  test('a connection whose statement the client gave up on is destroyed, because the statement may still run', async () => {
    const impatient = createDb({ url: database.url, max: 1, applicationName: 'impatient', onError: () => undefined });
    const before = await backend(impatient);
    const slow = { text: 'select pg_sleep(2)', query_timeout: 100 } as QueryConfig;
    const failure = await failureOf(inTransaction(impatient, async (tx) => tx.query(slow)));
    expect(failure).toMatchObject({ message: 'Query read timeout' });
    expect(await backend(impatient)).not.toBe(before);
    await impatient.end();
  });

  test('repeatable read sees one snapshot', async () => {
    const counts = await inTransaction(
      single,
      async (tx) => {
        const count = async () =>
          (await tx.query<{ count: bigint }>('select count(*) as "count" from notes n')).rows[0]?.count;
        const before = await count();
        await database.db.query('insert into notes (id) values (1)');
        return [before, await count()];
      },
      { isolation: 'repeatable read' },
    );
    expect(counts).toEqual([0n, 0n]);
  });
});

test('an idle connection that dies is reported and replaced', async () => {
  const doomed = await backend(single);
  errors.length = 0;
  await database.db.query('select pg_terminate_backend($1)', [doomed]);
  await waitUntil(() => expect(errors).toHaveLength(1));
  expect(await backend(single)).not.toBe(doomed);
});

test('withAdvisoryLock runs the work of one process at a time and tells the other so', async () => {
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const first = withAdvisoryLock(database.db, 77n, async () => {
    held.resolve();
    await release.promise;
    return 'first';
  });
  await held.promise;
  expect(await withAdvisoryLock(single, 77n, async () => Promise.resolve('second'))).toBeUndefined();
  expect(await withAdvisoryLock(single, 78n, async () => Promise.resolve('other key'))).toBe('other key');
  release.resolve();
  expect(await first).toBe('first');
  expect(await withAdvisoryLock(single, 77n, async () => Promise.resolve('second'))).toBe('second');
});
