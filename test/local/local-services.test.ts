import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { processEnvironment } from '../../src/infra/config.ts';
import { findRunningServices, keepSecret } from '../../src/local/home.ts';
import type { ServiceUrls } from '../../src/local/home.ts';
import { removeHome, startLocalServices } from '../../src/local/local-services.ts';
import type { LocalServices } from '../../src/local/local-services.ts';
import { isRunning } from '../../src/local/processes.ts';
import { CHECKOUT, processesWith, runProgram } from '../support/child-program.ts';
import { makeSmallCheckout } from '../support/small-checkout.ts';
import { waitUntil } from '../support/timing.ts';

const SCRIPT = path.join(CHECKOUT, 'test', 'support', 'run-local-services.ts');
const TIMEOUT_MS = 240_000;
let folder: string;
let home: string;

beforeEach(async () => {
  // Open to pass, closed to look: with root, the servers' user can reach the home.
  folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo local 带货 '));
  await chmod(folder, 0o711);
  home = path.join(folder, 'home');
});
afterEach(async () => {
  if (existsSync(home)) await removeHome(home);
  await rm(folder, { recursive: true });
});

async function start(where = home, signal?: AbortSignal): Promise<LocalServices> {
  return startLocalServices({
    home: where,
    env: processEnvironment(),
    print: () => undefined,
    isDurable: false,
    ...(signal === undefined ? {} : { signal }),
  });
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function leaveSomething(urls: ServiceUrls): Promise<void> {
  await query(urls.databaseUrl, "create table kept (text text); insert into kept values ('这里')");
  await withRedis(urls.redisUrl, async (redis) => redis.set('kept', 'here'));
}

async function whatIsLeft(urls: ServiceUrls): Promise<unknown> {
  const rows = await query(urls.databaseUrl, 'select k.text as "text" from kept k');
  return [rows, await withRedis(urls.redisUrl, async (redis) => redis.get('kept'))];
}

const LEFT = [[{ text: '这里' }], 'here'];

async function pidIn(file: string): Promise<number> {
  return Number((await readFile(path.join(home, file), 'utf8')).split('\n')[0]);
}

describe('private services', () => {
  test(
    'are a UTF-8 Postgres 18 and a Redis that keeps every acknowledged write and evicts nothing',
    async () => {
      const services = await start();
      const [settings] = await query(
        services.databaseUrl,
        `select current_setting('server_encoding') as "encoding", current_setting('listen_addresses') as "addresses",
         current_setting('server_version_num')::int / 10000 as "major", current_setting('lc_collate', true) as "none",
         (select d.datcollate from pg_database d where d.datname = current_database()) as "collation"`,
      );
      expect(settings).toEqual({ encoding: 'UTF8', addresses: '127.0.0.1', major: 18, none: null, collation: 'C' });
      const config = await withRedis(services.redisUrl, async (redis) =>
        Promise.all(
          ['appendonly', 'appendfsync', 'maxmemory-policy', 'save', 'bind'].map(async (name) =>
            redis.config('GET', name),
          ),
        ),
      );
      expect(config.map((each) => (Array.isArray(each) ? each[1] : Object.values(each as object)[0]))).toEqual([
        'yes',
        'always',
        'noeviction',
        '',
        '127.0.0.1',
      ]);
      await services.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'keep their data over a restart, and are gone after the stop',
    async () => {
      const first = await start();
      await leaveSomething(first);
      const pids = [await pidIn('postgres/postmaster.pid'), await pidIn('redis/redis.pid')];
      expect(pids.map(isRunning)).toEqual([true, true]);
      await first.stop();
      expect(pids.map(isRunning)).toEqual([false, false]);
      const second = await start();
      expect(await whatIsLeft(second)).toEqual(LEFT);
      await second.stop();
      expect(processesWith(folder)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'need their passwords',
    async () => {
      const services = await start();
      const withoutPassword = services.databaseUrl.replace(/:[^:@]+@/, ':wrong@');
      await expect(query(withoutPassword, 'select 1')).rejects.toMatchObject({ code: '28P01' });
      const { port } = new URL(services.redisUrl);
      await expect(withRedis(`redis://127.0.0.1:${port}`, async (redis) => redis.get('kept'))).rejects.toThrow(
        /NOAUTH/,
      );
      await services.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'run for two homes at the same time, and refuse a second start of one home',
    async () => {
      const [one, two] = await Promise.all([start(), start(path.join(folder, 'other'))]);
      expect(
        new Set([one.databaseUrl, two.databaseUrl, one.redisUrl, two.redisUrl].map((url) => new URL(url).port)).size,
      ).toBe(4);
      await expect(start()).rejects.toThrow(/already runs with/);
      expect(await query(one.databaseUrl, 'select 1 as "one"')).toEqual([{ one: 1 }]);
      await Promise.all([one.stop(), two.stop()]);
      await removeHome(path.join(folder, 'other'));
    },
    TIMEOUT_MS,
  );

  test(
    'two starts of one home in the same moment: one wins, one is refused',
    async () => {
      const results = await Promise.allSettled([start(), start()]);
      expect(results.map((result) => result.status).toSorted((a, b) => a.localeCompare(b))).toEqual([
        'fulfilled',
        'rejected',
      ]);
      for (const result of results) if (result.status === 'fulfilled') await result.value.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'of a daihuo that was killed are stopped at the next start, and nothing acknowledged is lost',
    async () => {
      const program = runProgram(SCRIPT, [home], { PATH: process.env['PATH'] ?? '', HOME: os.homedir() });
      const urls = JSON.parse(await program.line(/databaseUrl/)) as ServiceUrls;
      await leaveSomething(urls);
      const orphans = [await pidIn('postgres/postmaster.pid'), await pidIn('redis/redis.pid')];
      program.child.kill('SIGKILL');
      await program.ended;
      expect(orphans.map(isRunning)).toEqual([true, true]);
      const next = await start();
      expect(orphans.map(isRunning)).toEqual([false, false]);
      expect(await whatIsLeft(next)).toEqual(LEFT);
      await next.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'killed with everything else, they start again with what was acknowledged',
    async () => {
      const first = await start();
      await leaveSomething(first);
      const pids = [await pidIn('postgres/postmaster.pid'), await pidIn('redis/redis.pid')];
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await waitUntil(() => !pids.some(isRunning));
      await first.stop();
      const second = await start();
      expect(await whatIsLeft(second)).toEqual(LEFT);
      await second.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a pid file that names a process of somebody else neither stops that process nor the start',
    async () => {
      const first = await start();
      const postmaster = await readFile(path.join(home, 'postgres/postmaster.pid'), 'utf8');
      await first.stop();
      const stranger = spawn('sleep', ['60']);
      const pid = stranger.pid ?? 0;
      await writeFile(path.join(home, 'postgres/postmaster.pid'), postmaster.replace(/^\d+/, String(pid)));
      await writeFile(path.join(home, 'redis/redis.pid'), `${pid}\n`);
      await writeFile(path.join(home, 'running.lock'), JSON.stringify({ pid, identity: 'another boot 1' }));
      const second = await start();
      expect(isRunning(pid)).toBe(true);
      stranger.kill();
      await second.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a start that is called off leaves nothing running and nothing half made',
    async () => {
      for (const afterMs of [0, 150, 500]) {
        await expect(start(home, AbortSignal.timeout(afterMs))).rejects.toThrow(/aborted/);
        expect(processesWith(folder)).toEqual([]);
      }
      const services = await start();
      expect(await query(services.databaseUrl, 'select 1 as "one"')).toEqual([{ one: 1 }]);
      await services.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a server that dies unasked is reported once; a stop is not',
    async () => {
      const lost: string[] = [];
      const services = await startLocalServices({
        home,
        env: processEnvironment(),
        print: () => undefined,
        isDurable: false,
        onLost: (name) => lost.push(name),
      });
      process.kill(await pidIn('redis/redis.pid'), 'SIGKILL');
      await waitUntil(() => lost.length > 0);
      await services.stop();
      expect(lost).toEqual(['redis']);
    },
    TIMEOUT_MS,
  );

  test(
    'other commands of the home find them while they run, and only then',
    async () => {
      expect(await findRunningServices(home)).toBeUndefined();
      const services = await start();
      expect(await findRunningServices(home)).toEqual({
        databaseUrl: services.databaseUrl,
        redisUrl: services.redisUrl,
      });
      await services.stop();
      expect(await findRunningServices(home)).toBeUndefined();
    },
    TIMEOUT_MS,
  );
});

describe('folders that others cannot enter', () => {
  test(
    'a home that only its owner can enter works, for root and for anybody else',
    async () => {
      await chmod(folder, 0o700);
      const first = await start();
      await leaveSomething(first);
      await first.stop();
      const second = await start();
      expect(await whatIsLeft(second)).toEqual(LEFT);
      await second.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'an ordinary user can run them from a checkout that nobody else can enter, without install scripts and without a home of its own',
    async () => {
      const isRoot = process.getuid?.() === 0;
      const owner = isRoot ? { uid: 65_534, gid: 65_534 } : { uid: os.userInfo().uid, gid: os.userInfo().gid };
      const checkout = path.join(folder, 'checkout');
      await mkdir(checkout);
      const { node } = await makeSmallCheckout(checkout, owner);
      const inside = path.join(checkout, '.daihuo');
      const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent' };
      const script = path.join(checkout, 'test', 'support', 'run-local-services.ts');
      const program = runProgram(script, [inside], env, { node, cwd: checkout, ...(isRoot ? owner : {}) });
      const urls = JSON.parse(await program.line(/databaseUrl/)) as ServiceUrls;
      await leaveSomething(urls);
      expect(await whatIsLeft(urls)).toEqual(LEFT);
      expect(readdirSync(inside)).toContain('postgres');
      program.child.stdin.end();
      expect(await program.ended).toBe(0);
      expect(processesWith(checkout)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test('a home that cannot be written is said in one sentence', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(start(path.join(folder, 'file', 'home'))).rejects.toThrow(
      /cannot be written by this user\. Set DAIHUO_HOME/,
    );
  });
});

test('the secret of a home is made once, also by processes that race', async () => {
  const secrets = await Promise.all(Array.from({ length: 8 }, async () => keepSecret(home)));
  expect(new Set(secrets.map((secret) => secret.toString())).size).toBe(1);
  expect(secrets[0]?.length).toBeGreaterThanOrEqual(32);
});
