import { mkdir, readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import type { TestProject } from 'vitest/node';
import { processEnvironment } from '../../src/infra/config.ts';
import { createDb } from '../../src/infra/db.ts';
import { removeHome, startLocalServices } from '../../src/local/local-services.ts';
import { migrate } from '../../src/infra/migrate.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of a database on the test server from which others can be created. */
    adminDatabaseUrl: string;
    /** Migrated and empty; `createTestDatabase` clones it. */
    templateDatabase: string;
    redisUrl: string;
  }
}

interface Servers {
  databaseUrl: string;
  redisUrl: string;
  stop(): Promise<void>;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Removes the homes, and stops the servers, of test runs that were killed. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!isAlive(Number(name))) await removeHome(path.join(folder, name));
  }
}

/** The same private servers that `daihuo start` runs, in a home of this run. Their disk is not waited for: tests kill processes, not machines. */
async function startPrivateServers(): Promise<Servers> {
  const folder = path.join(os.tmpdir(), `daihuo-test-${process.getuid?.() ?? 'user'}`);
  await mkdir(folder, { recursive: true });
  await sweep(folder);
  const home = path.join(folder, String(process.pid));
  const services = await startLocalServices({ home, env: processEnvironment(), print: console.log, isDurable: false });
  return {
    databaseUrl: services.databaseUrl,
    redisUrl: services.redisUrl,
    stop: async () => {
      await services.stop();
      await removeHome(home);
    },
  };
}

async function runAdmin(databaseUrl: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function createTemplate(databaseUrl: string, name: string): Promise<void> {
  await runAdmin(databaseUrl, `create database ${escapeIdentifier(name)}`);
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  const db = createDb({
    url: url.href,
    applicationName: 'daihuo-test-setup',
    onError: (error) => console.error('the template database:', error),
  });
  try {
    await migrate(db);
  } finally {
    await db.end();
  }
}

/**
 * Once a run: uses the servers of TEST_DATABASE_URL and TEST_REDIS_URL, else starts private ones, and makes the migrated template. Where only
 * one of the two is given, private ones stand in for the other.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const env = processEnvironment();
  const given = { databaseUrl: env['TEST_DATABASE_URL'], redisUrl: env['TEST_REDIS_URL'] };
  const servers = given.databaseUrl && given.redisUrl ? undefined : await startPrivateServers();
  const databaseUrl = given.databaseUrl || (servers?.databaseUrl ?? '');
  const template = `daihuo_test_template_${process.pid}_${Date.now().toString(36)}`;
  try {
    await createTemplate(databaseUrl, template);
  } catch (error) {
    await servers?.stop();
    throw error;
  }
  project.provide('adminDatabaseUrl', databaseUrl);
  project.provide('templateDatabase', template);
  project.provide('redisUrl', given.redisUrl || (servers?.redisUrl ?? ''));
  return async () => {
    if (servers === undefined || given.databaseUrl)
      await runAdmin(databaseUrl, `drop database if exists ${escapeIdentifier(template)}`);
    await servers?.stop();
  };
}
