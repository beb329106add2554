/** Real daihuo processes on the database and Redis of one test file. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { newApiKey } from '../../src/access/api-key.ts';
import { type Api, createApi, sendOver } from '../../src/local/demo/api.ts';
import { CHECKOUT, type Program, runProgram } from '../support/child-program.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestRedis, type TestRedis } from '../support/redis.ts';

export interface Installation {
  database: TestDatabase;
  redis: TestRedis;
  home: string;
  /** Of DAIHUO_ADMIN_KEY, good on every process. */
  adminKey: string;
  /** Runs `./daihuo <args>`. */
  run(args: string[], env?: Record<string, string>): Program;
  /** Runs a server and waits until it is ready. */
  serve(command: 'start' | 'serve'): Promise<RunningServer>;
  /** Stops whatever still runs, and removes everything. */
  remove(): Promise<void>;
}

export interface RunningServer {
  program: Program;
  origin: string;
  admin: Api;
  connect: (key: string) => Api;
}

/** A database, a Redis and a home of their own. */
export async function install(): Promise<Installation> {
  const [database, redis, home] = await Promise.all([
    createTestDatabase(),
    createTestRedis(),
    mkdtemp(path.join(os.tmpdir(), 'daihuo-journey-')),
  ]);
  const { key: adminKey } = newApiKey('admin');
  const programs: Program[] = [];
  const run: Installation['run'] = (args, env = {}) => {
    const program = runProgram(
      path.join(CHECKOUT, 'daihuo'),
      args,
      {
        PATH: process.env['PATH'] ?? '',
        HOME: os.homedir(),
        DAIHUO_HOME: home,
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        DAIHUO_SECRET: 'a secret of the journey tests, and of nothing else',
        DAIHUO_ADMIN_KEY: adminKey,
        LOG_LEVEL: 'error',
        PORT: '0',
        OUTGOING_REQUESTS: 'off',
        ...env,
      },
      { node: '/bin/sh' },
    );
    programs.push(program);
    return program;
  };
  return {
    database,
    redis,
    home,
    adminKey,
    run,
    serve: async (command) => {
      const program = run([command]);
      const origin = (await program.line(/^daihuo ready on /)).split(' ').at(-1) ?? '';
      const connect = (key: string): Api => createApi(sendOver(origin), key);
      return { program, origin, connect, admin: connect(adminKey) };
    },
    remove: async () => {
      for (const { child } of programs) if (child.exitCode === null) child.kill('SIGKILL');
      await Promise.all(programs.map(({ ended }) => ended));
      await database.drop();
      await redis.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export async function outcomeOf(program: Program): Promise<Outcome> {
  return { code: await program.ended, stdout: program.stdout(), stderr: program.stderr() };
}

/** What the database keeps of clicks: id → how many rows and the verdicts. */
export async function readClicks({ database }: Installation): Promise<{ clickId: string; verdict: string }[]> {
  const { rows } = await database.db.query<{ clickId: string; verdict: string }>(
    'select c.click_id as "clickId", c.verdict from clicks c',
  );
  return rows;
}
