import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CopyRows, copyRows, copyText } from '../../src/infra/copy-rows.ts';
import { createDb } from '../../src/infra/db.ts';
import type { Db, Tx } from '../../src/infra/db.ts';
import { createPipelinedTransactions } from '../../src/infra/pipelined-transactions.ts';
import type { PipelinedTransactions } from '../../src/infra/pipelined-transactions.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const COPY_NOTES = 'copy notes (id, text) from stdin';
let database: TestDatabase;
/** One connection: it must be given back after whatever happened on it. */
let single: Db;
let transactions: PipelinedTransactions;

beforeAll(async () => {
  database = await createTestDatabase({ isEmpty: true });
  single = createDb({ url: database.url, max: 1, applicationName: 'single', onError: () => undefined });
  transactions = createPipelinedTransactions(single);
  await database.db.query('create table notes (id bigint not null, text text, constraint notes_pkey primary key (id))');
});
afterAll(async () => {
  await single.end();
  await database.drop();
});
beforeEach(async () => {
  await database.db.query('truncate table notes');
});

const add = (tx: Tx, id: number): Promise<unknown> => tx.query('insert into notes (id) values ($1)', [id]);

function copy(tx: Tx, notes: readonly [id: number, text: string][]): Promise<number> {
  const rows = new CopyRows();
  for (const [id, text] of notes) rows.add(`${id}\t${copyText(text)}`);
  return copyRows(tx, COPY_NOTES, rows);
}

async function listIds(): Promise<number[]> {
  const { rows } = await database.db.query<{ id: bigint }>('select n.id from notes n order by n.id');
  return rows.map(({ id }) => Number(id));
}

describe('pipelined transactions', () => {
  test('run in the order given, and each sees those before it', async () => {
    const counts = await Promise.all(
      [1, 2, 3, 4].map((id) =>
        transactions.run((tx) => [
          add(tx, id),
          tx.query<{ count: bigint }>('select count(*) as "count" from notes n').then(({ rows }) => rows[0]?.count),
        ]),
      ),
    );
    expect(counts.map(([, count]) => count)).toEqual([1n, 2n, 3n, 4n]);
  });

  // Without this a batch of clicks that failed would be stored by half, or take the one behind it with it.
  test('a transaction of which one statement fails is undone with its reason, and the next one is carried out', async () => {
    const [first, second, third] = await Promise.allSettled([
      transactions.run((tx) => [add(tx, 1), copy(tx, [[2, 'two']])]),
      transactions.run((tx) => [
        add(tx, 3),
        copy(tx, [
          [4, 'four'],
          [1, 'there already'],
        ]),
        add(tx, 5),
      ]),
      transactions.run((tx) => [copy(tx, [[6, 'six']]), add(tx, 7)]),
    ]);
    expect([first.status, second.status, third.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(second).toMatchObject({ reason: { code: '23505', constraint: 'notes_pkey' } });
    expect(await listIds()).toEqual([1, 2, 6, 7]);
  });

  test('the server reads over the rows of a COPY that comes into a transaction already failed', async () => {
    await transactions.run((tx) => [add(tx, 1)]);
    const failed = transactions.run((tx) => [add(tx, 1), copy(tx, [[2, 'two']])]);
    const next = transactions.run((tx) => [copy(tx, [[3, 'three']])]);
    await expect(failed).rejects.toMatchObject({ code: '23505' });
    expect(await next).toEqual([1]);
    expect(await listIds()).toEqual([1, 3]);
  });

  test('the connection goes back to the pool, also after a failure, and a broken one is replaced', async () => {
    await expect(transactions.run((tx) => [tx.query('select 1 / 0')])).rejects.toMatchObject({ code: '22012' });
    // The pool has one connection: this would wait for ever.
    await single.query('select 1');
    const [broken, behind] = await Promise.allSettled([
      transactions.run((tx) => [add(tx, 1), tx.query('select pg_terminate_backend(pg_backend_pid())')]),
      transactions.run((tx) => [add(tx, 2)]),
    ]);
    expect([broken.status, behind.status]).toEqual(['rejected', 'rejected']);
    await transactions.run((tx) => [add(tx, 3)]);
    expect(await listIds()).toEqual([3]);
    expect(single.totalCount - single.idleCount).toBe(0);
  });
});

describe('rows by COPY', () => {
  test('arrive as they were, however many and whatever is in them', async () => {
    const texts = [
      '',
      '\\N',
      String.raw`back\slash\t`,
      '带货 😀',
      'x'.repeat(100_000),
      ...Array.from({ length: 5_000 }, String),
    ];
    await transactions.run((tx) => [
      copy(
        tx,
        texts.map((text, id): [number, string] => [id, text]),
      ),
    ]);
    const { rows } = await database.db.query<{ text: string }>('select n.text from notes n order by n.id');
    expect(rows.map(({ text }) => text)).toEqual(texts);
  });
});
