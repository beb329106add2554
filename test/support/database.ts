import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError, escapeIdentifier } from 'pg';
import { inject } from 'vitest';
import { createDb } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';

export interface TestDatabase {
  /** For another process, or a pool of its own. */
  url: string;
  db: Db;
  /** Ends the pool and drops the database, also under the feet of whoever is still connected. */
  drop(): Promise<void>;
}

const CLONE_ATTEMPTS = 1_000;
const CLONE_RETRY_MS = 50;

/** Postgres refuses to clone a template while anyone is connected to it, be it its own vacuum: then again a moment later. */
async function clone(admin: Client, name: string, template: string): Promise<void> {
  const sql = `create database ${escapeIdentifier(name)} template ${escapeIdentifier(template)}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await admin.query(sql);
      return;
    } catch (error) {
      const isBusy = error instanceof DatabaseError && error.code === '55006';
      if (!isBusy || attempt === CLONE_ATTEMPTS) throw error;
      await sleep(CLONE_RETRY_MS);
    }
  }
}

async function withAdmin(work: (admin: Client) => Promise<void>): Promise<void> {
  const admin = new Client({ connectionString: inject('adminDatabaseUrl') });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

/**
 * A database of its own for a test file, with the whole schema and no rows but those of the migrations. Call it in `beforeAll`, `drop` in
 * `afterAll`. A run that is killed in between leaves it behind, under a name that says whose it was.
 *
 * @param options.isEmpty  true: without the schema, for tests of the migrations themselves
 */
export async function createTestDatabase(options?: { isEmpty?: boolean; max?: number }): Promise<TestDatabase> {
  const name = `daihuo_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await withAdmin(async (admin) =>
    clone(admin, name, options?.isEmpty === true ? 'template0' : inject('templateDatabase')),
  );
  const url = new URL(inject('adminDatabaseUrl'));
  url.pathname = `/${name}`;
  let isDropping = false;
  const db = createDb({
    url: url.href,
    max: options?.max ?? 10,
    applicationName: 'daihuo-test',
    onError: (error) => {
      if (!isDropping) console.error(`database ${name}:`, error);
    },
  });
  return {
    url: url.href,
    db,
    drop: async () => {
      isDropping = true;
      await db.end();
      await withAdmin(async (admin) => {
        await admin.query(`drop database if exists ${escapeIdentifier(name)} with (force)`);
      });
    },
  };
}
