import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseError } from 'pg';
import type { QueryConfig } from 'pg';
import { inTransaction } from './db.ts';
import type { Db, Queryable, Tx } from './db.ts';
import { OperatorFault } from './failures.ts';
import { findWorkQueueVersion, WORK_QUEUE_MIGRATION, WORK_QUEUE_VERSION } from './work-queue.ts';

export const MIGRATIONS_FOLDER = path.resolve(import.meta.dirname, '..', '..', 'migrations');

/** The dump of the schema that the migrations create; it stands beside them and is never run. */
const DUMP = 'schema.sql';

interface Migration {
  version: number;
  name: string;
  checksum: string;
  sql: string;
}

/** The advisory lock of migrations: "daihuo" and 1, as bytes. */
const MIGRATION_LOCK = 0x6461_6968_756f_01n;

/** A migration may rewrite a table, and may wait for the migration of another process: longer than ordinary statements may take. */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;

// For this transaction only.
const EXTEND_LIMITS = `
  select
    set_config('lock_timeout', '900s', true),
    set_config('statement_timeout', '900s', true),
    set_config('idle_in_transaction_session_timeout', '900s', true)`;
// Waits for the process that migrates at the moment; the lock ends with the transaction.
const TAKE_LOCK = 'select pg_advisory_xact_lock($1)';

// The one table that no migration creates. The lock is held, so two processes never race for it.
const CREATE_LIST = `
  create table if not exists schema_migrations (
    version integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    constraint schema_migrations_pkey primary key (version)
  )`;

// Whether a migration was ever applied here. `to_regclass` answers null where there is no such table, so the transaction goes on.
const FIND_LIST = `select to_regclass('schema_migrations') is not null as "isThere"`;

// Every version applied so far, oldest first; served by schema_migrations_pkey.
const LIST_APPLIED = `
  select m.version as "version", m.name as "name", m.checksum as "checksum"
  from schema_migrations m
  order by m.version`;

// First in its transaction: should two processes hold the lock by mistake, the second one fails here, before it changes the schema.
const INSERT_APPLIED = 'insert into schema_migrations (version, name, checksum) values ($1, $2, $3)';

/** `query_timeout` of one query overrides that of the connection; the driver's types leave it out. */
interface LongQuery extends QueryConfig {
  query_timeout: number;
}

function longQuery(text: string, values?: unknown[]): LongQuery {
  return { text, ...(values === undefined ? {} : { values }), query_timeout: MIGRATION_TIMEOUT_MS };
}

type Applied = Pick<Migration, 'version' | 'name' | 'checksum'>;

/** Reads `0001_name.sql`, `0002_name.sql`, … in order. The checksum leaves out line ends: a checkout on Windows may change them. */
async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql') && name !== DUMP).toSorted();
  const migrations: Migration[] = [];
  for (const name of names) {
    const version = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1];
    if (version === undefined)
      throw new OperatorFault(`The migration ${name} must be named like 0001_what_it_does.sql.`);
    if (migrations.at(-1)?.version === Number(version))
      throw new OperatorFault(`Two migrations have the number ${version}.`);
    const sql = await readFile(path.join(folder, name), 'utf8');
    const checksum = createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex');
    migrations.push({ version: Number(version), name, checksum, sql });
  }
  return migrations;
}

async function listApplied(db: Queryable): Promise<Applied[]> {
  const { rows } = await db.query<{ isThere: boolean }>(FIND_LIST);
  if (rows[0]?.isThere !== true) return [];
  return (await db.query<Applied>(LIST_APPLIED)).rows;
}

/**
 * Refuses a database whose migrations have other names than those of this program. A new baseline replaced the migrations
 * before the first release, so such a database has other tables, and its data cannot be converted.
 */
function refuseOlderThanFirstRelease(migrations: Migration[], applied: Applied[]): void {
  const nameOf = new Map(migrations.map(({ version, name }) => [version, name]));
  const unknown = applied.find(({ version, name }) => nameOf.has(version) && nameOf.get(version) !== name);
  if (unknown === undefined) return;
  throw new OperatorFault(
    `This database was made by a version before the first release (it has ${unknown.name}), and cannot be brought up to date: start with a new DAIHUO_HOME or remove the old one, or name an empty database in DATABASE_URL.`,
  );
}

/**
 * The migrations that are not applied yet, oldest first. A version that only the database has belongs to a newer daihuo, beside which this one
 * can still run.
 *
 * @throws OperatorFault where the database is older than the first release, an applied file was changed since, or a file that is not applied
 *   stands before an applied one
 */
function findPending(migrations: Migration[], applied: Applied[]): Migration[] {
  refuseOlderThanFirstRelease(migrations, applied);
  const known = new Map(applied.map((each) => [each.version, each]));
  const newest = applied.at(-1)?.version ?? 0;
  return migrations.filter((migration) => {
    const before = known.get(migration.version);
    if (before === undefined && migration.version < newest) {
      throw new OperatorFault(
        `The migration ${migration.name} comes too late: the database is already at ${newest}. Give it a higher number.`,
      );
    }
    if (before !== undefined && before.checksum !== migration.checksum) {
      throw new OperatorFault(
        `The migration ${migration.name} was changed after it had been applied. Restore the file and put the change into a new migration.`,
      );
    }
    return before === undefined;
  });
}

/** Names the file and the line at which a statement failed. */
function describeFailure(migration: Migration, error: unknown): OperatorFault {
  const reason = error instanceof Error ? error.message : String(error);
  const position = error instanceof DatabaseError ? Number(error.position ?? 0) : 0;
  const place = position > 0 ? ` at line ${migration.sql.slice(0, position).split('\n').length}` : '';
  return new OperatorFault(`The migration ${migration.name} failed${place}: ${reason}.`, { cause: error });
}

async function applyNext(tx: Tx, migrations: Migration[]): Promise<string | undefined> {
  await tx.query(EXTEND_LIMITS);
  await tx.query(longQuery(TAKE_LOCK, [MIGRATION_LOCK]));
  await tx.query(CREATE_LIST);
  const [next] = findPending(migrations, await listApplied(tx));
  if (next === undefined) return undefined;
  await tx.query(INSERT_APPLIED, [next.version, next.name, next.checksum]);
  try {
    await tx.query(longQuery(next.sql));
  } catch (error) {
    throw describeFailure(next, error);
  }
  return next.name;
}

/**
 * Installs the schema of the work queue, which our own triggers call. The library keeps its own list of migrations, each in a transaction of its
 * own; our lock is held on a second connection meanwhile, so that one process does it and the others wait.
 *
 * @returns whether there was something to do
 * @throws OperatorFault where the database is older than the first release: it stays as it is
 */
async function installWorkQueue(db: Db, migrations: Migration[]): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    await tx.query(EXTEND_LIMITS);
    await tx.query(longQuery(TAKE_LOCK, [MIGRATION_LOCK]));
    findPending(migrations, await listApplied(tx));
    // Not in this transaction: it may still hold the cached answer that there is no such schema.
    if ((await findWorkQueueVersion(db)) >= WORK_QUEUE_VERSION) return false;
    // Loaded here, because servers read this file to check the schema and need none of the library.
    const { Logger, runMigrations } = await import('graphile-worker');
    const silent = new Logger(() => () => undefined);
    await runMigrations({ pgPool: db, schema: 'graphile_worker', logger: silent });
    const version = await findWorkQueueVersion(db);
    assert.equal(version, WORK_QUEUE_VERSION, 'WORK_QUEUE_VERSION must name the newest migration of graphile-worker');
    return true;
  });
}

/**
 * Brings the schema up to date: that of the work queue, then our files, forward only, one transaction a file. Any number of processes may call it
 * at once; each file is applied by one of them, and all return when it is done. Needs two connections of `db`.
 *
 * @returns what this call applied
 * @throws OperatorFault naming the file that failed or was changed; files before it stay applied
 */
export async function migrate(db: Db, folder: string = MIGRATIONS_FOLDER): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(folder);
  const applied: string[] = (await installWorkQueue(db, migrations)) ? [WORK_QUEUE_MIGRATION] : [];
  for (;;) {
    const name = await inTransaction(db, async (tx) => applyNext(tx, migrations));
    if (name === undefined) return { applied };
    applied.push(name);
  }
}

/** What `migrate` would apply, in its order. Empty: the schema is at least as new as this daihuo. */
export async function pendingMigrations(db: Queryable, folder: string = MIGRATIONS_FOLDER): Promise<string[]> {
  const migrations = await readMigrations(folder);
  const files = findPending(migrations, await listApplied(db)).map((migration) => migration.name);
  const isQueueCurrent = (await findWorkQueueVersion(db)) >= WORK_QUEUE_VERSION;
  return isQueueCurrent ? files : [WORK_QUEUE_MIGRATION, ...files];
}
