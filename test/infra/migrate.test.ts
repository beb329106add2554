import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate, pendingMigrations } from '../../src/infra/migrate.ts';
import { OperatorFault } from '../../src/infra/failures.ts';
import { findWorkQueueVersion, WORK_QUEUE_MIGRATION, WORK_QUEUE_VERSION } from '../../src/infra/work-queue.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase({ isEmpty: true });
  folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo-migrations-'));
  await write('0001_first.sql', 'create table first (id bigint);\ninsert into first (id) values (1);\n');
  await write('0002_second.sql', 'create table second (id bigint);\nselect pg_sleep(0.2);\n');
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

async function write(name: string, sql: string): Promise<void> {
  await writeFile(path.join(folder, name), sql);
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof OperatorFault) return error.message;
    throw error;
  }
  return 'no fault';
}

async function tables(): Promise<string[]> {
  const { rows } = await database.db.query<{ name: string }>(
    `select t.tablename as "name" from pg_tables t where t.schemaname = 'public' order by t.tablename`,
  );
  return rows.map(({ name }) => name);
}

test('applies what is missing in order, once', async () => {
  const all = [WORK_QUEUE_MIGRATION, '0001_first.sql', '0002_second.sql'];
  expect(await pendingMigrations(database.db, folder)).toEqual(all);
  expect(await migrate(database.db, folder)).toEqual({ applied: all });
  expect(await pendingMigrations(database.db, folder)).toEqual([]);
  expect(await migrate(database.db, folder)).toEqual({ applied: [] });
  await write('0003_third.sql', 'create table third (id bigint)');
  expect(await migrate(database.db, folder)).toEqual({ applied: ['0003_third.sql'] });
  expect(await tables()).toEqual(['first', 'schema_migrations', 'second', 'third']);
});

test('a file that fails changes nothing, keeps those before it, and is named with its line', async () => {
  await write('0003_third.sql', 'create table third (id bigint);\n\ncreate tabel oops ();\n');
  expect(await messageOf(migrate(database.db, folder))).toMatch(
    /^The migration 0003_third\.sql failed at line 3: syntax error/,
  );
  expect(await tables()).toEqual(['first', 'schema_migrations', 'second']);
  expect(await pendingMigrations(database.db, folder)).toEqual(['0003_third.sql']);
});

test('a file changed after it was applied is refused; other line ends are no change', async () => {
  await migrate(database.db, folder);
  await write('0001_first.sql', 'create table first (id bigint);\r\ninsert into first (id) values (1);\r\n');
  expect(await migrate(database.db, folder)).toEqual({ applied: [] });
  await write('0001_first.sql', 'create table first (id integer);\n');
  expect(await messageOf(migrate(database.db, folder))).toContain('0001_first.sql was changed');
  expect(await messageOf(pendingMigrations(database.db, folder))).toContain('0001_first.sql was changed');
});

test('a file numbered below an applied one is refused: it would run in another order elsewhere', async () => {
  await rm(path.join(folder, '0001_first.sql'));
  await migrate(database.db, folder);
  await write('0001_late.sql', 'create table late (id bigint)');
  expect(await messageOf(migrate(database.db, folder))).toContain('0001_late.sql comes too late');
});

test('two files of one number, or a file that is not numbered, are refused', async () => {
  await write('0002_twice.sql', 'select 1');
  expect(await messageOf(migrate(database.db, folder))).toContain('number 0002');
  await rm(path.join(folder, '0002_twice.sql'));
  await write('third.sql', 'select 1');
  expect(await messageOf(migrate(database.db, folder))).toContain('third.sql must be named');
});

test('a version that only the database knows is a newer daihuo beside this one, and no fault', async () => {
  await migrate(database.db, folder);
  await rm(path.join(folder, '0002_second.sql'));
  expect(await migrate(database.db, folder)).toEqual({ applied: [] });
});

test('a database from before the first release is refused with what to do, and left as it is', async () => {
  await write('0001_older.sql', 'create table older (id bigint)');
  await rm(path.join(folder, '0001_first.sql'));
  await migrate(database.db, folder);
  await rm(path.join(folder, '0001_older.sql'));
  await write('0001_first.sql', 'create table first (id bigint)');
  await write('0003_third.sql', 'create table third (id bigint)');
  const sentence =
    'This database was made by a version before the first release (it has 0001_older.sql), and cannot be brought up to date: start with a new DAIHUO_HOME or remove the old one, or name an empty database in DATABASE_URL.';
  expect(await messageOf(migrate(database.db, folder))).toBe(sentence);
  expect(await messageOf(pendingMigrations(database.db, folder))).toBe(sentence);
  expect(await tables()).toEqual(['older', 'schema_migrations', 'second']);
});

test('the dump beside the migrations is no migration', async () => {
  await write('schema.sql', 'no SQL at all');
  expect(await migrate(database.db, folder)).toEqual({
    applied: [WORK_QUEUE_MIGRATION, '0001_first.sql', '0002_second.sql'],
  });
});

test('the schema of the work queue that is missing or old is noticed, and installed', async () => {
  await migrate(database.db, folder);
  expect(await findWorkQueueVersion(database.db)).toBe(WORK_QUEUE_VERSION);
  // The newest migration only replaces functions, so it can be applied twice.
  await database.db.query('delete from graphile_worker.migrations where id = $1', [WORK_QUEUE_VERSION]);
  expect(await pendingMigrations(database.db, folder)).toEqual([WORK_QUEUE_MIGRATION]);
  expect(await migrate(database.db, folder)).toEqual({ applied: [WORK_QUEUE_MIGRATION] });
  await database.db.query('drop schema graphile_worker cascade');
  expect(await pendingMigrations(database.db, folder)).toEqual([WORK_QUEUE_MIGRATION]);
  expect(await migrate(database.db, folder)).toEqual({ applied: [WORK_QUEUE_MIGRATION] });
  expect(await pendingMigrations(database.db, folder)).toEqual([]);
});

test('a work queue of a newer daihuo is no fault', async () => {
  await migrate(database.db, folder);
  await database.db.query('insert into graphile_worker.migrations (id) values ($1)', [WORK_QUEUE_VERSION + 1]);
  expect(await pendingMigrations(database.db, folder)).toEqual([]);
  expect(await migrate(database.db, folder)).toEqual({ applied: [] });
});

test('processes that race apply each file once between them, and all succeed', async () => {
  const script = path.resolve(import.meta.dirname, '..', 'support', 'run-migrate.ts');
  const run = async (): Promise<string[]> => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, database.url, folder]);
    return JSON.parse(stdout) as string[];
  };
  const applied = await Promise.all([run(), run(), run()]);
  expect(applied.flat().toSorted()).toEqual(['0001_first.sql', '0002_second.sql', WORK_QUEUE_MIGRATION]);
  expect((await database.db.query('select f.id as "id" from first f')).rows).toEqual([{ id: 1n }]);
});
