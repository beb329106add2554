/** A database from before the first release, whose migrations were replaced by a new baseline. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { install, type Installation, outcomeOf } from './daihuo-process.ts';

const TIMEOUT_MS = 240_000;
const REFUSAL =
  'This database was made by a version before the first release (it has 0001_access_and_catalog.sql), and cannot be brought up to date: start with a new DAIHUO_HOME or remove the old one, or name an empty database in DATABASE_URL.\n';

let installation: Installation;
let older: TestDatabase;

beforeAll(async () => {
  [installation, older] = await Promise.all([install(), createTestDatabase({ isEmpty: true })]);
  await older.db.query(
    `create table schema_migrations (
       version integer not null, name text not null, checksum text not null, applied_at timestamptz not null default now(),
       constraint schema_migrations_pkey primary key (version))`,
  );
  await older.db.query(
    `insert into schema_migrations (version, name, checksum) values
       (1, '0001_access_and_catalog.sql', 'a'), (2, '0002_links.sql', 'b'), (13, '0013_told_visit_ways.sql', 'c')`,
  );
}, TIMEOUT_MS);
afterAll(async () => {
  await installation.remove();
  await older.drop();
});

it.each(['start', 'serve', 'redirect', 'worker', 'migrate'])(
  'is refused by daihuo %s with one sentence that says what to do, and left as it is',
  async (command) => {
    const { code, stdout, stderr } = await outcomeOf(installation.run([command], { DATABASE_URL: older.url }));
    expect([code, stdout, stderr]).toEqual([1, '', REFUSAL]);
    const { rows } = await older.db.query(`select tablename as "name" from pg_tables where schemaname = 'public'`);
    expect(rows).toEqual([{ name: 'schema_migrations' }]);
  },
  TIMEOUT_MS,
);
