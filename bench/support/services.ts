/** A private Postgres and Redis for one subject, set up as `daihuo start` sets them up: durable, untuned. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { escapeIdentifier } from 'pg';
import { processEnvironment } from '../../src/infra/config.ts';
import { createDb } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';
import { startLocalServices } from '../../src/local/local-services.ts';
import { migrate } from '../../src/infra/migrate.ts';
import { onEnd } from './cleanup.ts';
import { parentOf } from './cpu.ts';
import { pinProcess } from './pin.ts';
import { makeScratch, sweepScratch } from './scratch.ts';

export interface BenchDatabase {
  url: string;
  /** For the bench itself: no statement timeout to speak of. */
  db: Db;
  drop(): Promise<void>;
}

/** `always`: on disk before the acknowledgement. `everysec`: on disk within a second or two. */
export type AppendFsync = 'always' | 'everysec';

export interface BenchServices {
  /** The database of this subject, migrated and empty. */
  databaseUrl: string;
  db: Db;
  redisUrl: string;
  /** For the bench itself. */
  redis: Redis;
  redisPid: number;
  /** The postmaster; its backends are its children. */
  postgresPid: number;
  /** A further migrated, empty database. */
  createDatabase(): Promise<BenchDatabase>;
  setAppendFsync(mode: AppendFsync): Promise<void>;
  /** Removes every key and brings the append-only file to nothing, so that each run starts alike. */
  emptyRedis(): Promise<void>;
  stop(): Promise<void>;
}

const STATEMENT_MS = 600_000;
const POLL_MS = 20;

function openDb(url: string): Db {
  return createDb({
    url,
    applicationName: 'daihuo-bench',
    statementTimeoutMs: STATEMENT_MS,
    // A subject may stop Postgres on purpose, and notices by itself.
    onError: () => undefined,
  });
}

async function openDatabase(url: string): Promise<Db> {
  const db = openDb(url);
  try {
    await migrate(db);
    return db;
  } catch (error) {
    await db.end();
    throw error;
  }
}

async function createDatabase(admin: Db, baseUrl: string, number: number): Promise<BenchDatabase> {
  const name = `bench_${number}`;
  await admin.query(`create database ${escapeIdentifier(name)}`);
  const url = new URL(baseUrl);
  url.pathname = `/${name}`;
  const db = await openDatabase(url.href);
  return {
    url: url.href,
    db,
    drop: async () => {
      await db.end();
      await admin.query(`drop database if exists ${escapeIdentifier(name)} with (force)`);
    },
  };
}

/** The server names its own process, so this holds wherever it came from. */
async function redisPidOf(redis: Redis): Promise<number> {
  return Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1] ?? 0);
}

async function postgresPidOf(db: Db): Promise<number> {
  const { rows } = await db.query<{ pid: number }>('select pg_backend_pid() as "pid"');
  return parentOf(rows[0]?.pid ?? 0);
}

async function emptyRedis(redis: Redis): Promise<void> {
  await redis.flushall();
  await redis.bgrewriteaof();
  while (/aof_rewrite_(?:in_progress|scheduled):1/.test(await redis.info('persistence'))) await sleep(POLL_MS);
}

/**
 * Starts both servers, migrates, and moves them to the cores of the others. Everything is stopped and removed by `stop`, and at the end of
 * the bench however it comes.
 */
export async function startServices(): Promise<BenchServices> {
  await sweepScratch();
  const { folder: home, remove: removeAll } = await makeScratch('services');
  const local = await startLocalServices({ home, env: processEnvironment(), print: console.error });
  const stopServers = onEnd(async () => local.stop());
  const db = await openDatabase(local.databaseUrl);
  const redis = new Redis(local.redisUrl);
  redis.on('error', () => undefined);
  const [redisPid, postgresPid] = [await redisPidOf(redis), await postgresPidOf(db)];
  await pinProcess('others', redisPid);
  await pinProcess('others', postgresPid);
  let databases = 0;
  return {
    databaseUrl: local.databaseUrl,
    db,
    redisUrl: local.redisUrl,
    redis,
    redisPid,
    postgresPid,
    createDatabase: async () => createDatabase(db, local.databaseUrl, (databases += 1)),
    setAppendFsync: async (mode) => {
      await redis.config('SET', 'appendfsync', mode);
    },
    emptyRedis: async () => emptyRedis(redis),
    stop: async () => {
      redis.disconnect();
      await db.end();
      await stopServers();
      await removeAll();
    },
  };
}

/** Runs `work` with servers of its own, and stops them whatever becomes of it. */
export async function withServices<T>(work: (services: BenchServices) => Promise<T>): Promise<T> {
  const services = await startServices();
  try {
    return await work(services);
  } finally {
    await services.stop();
  }
}
