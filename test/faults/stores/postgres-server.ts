import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Placement } from '../../../src/local/placement.ts';
import { runCommand } from '../../../src/local/processes.ts';
import { findFixedPort } from './fixed-port.ts';
import { StoreProcess } from './store-process.ts';

export interface PostgresServer {
  url: string;
  process: StoreProcess;
  /** Starts it, again where what a killed one left is still in the way, and waits for its first COMMIT. @returns how long that took, ms */
  start(): Promise<number>;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const POLL_MS = 20;
const CHILD_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** A Postgres of one scenario on a copy of prepared data. Durable as in production: every COMMIT waits for the disk. */
export async function createPostgresServer(options: {
  folder: string;
  placement: Placement;
  /** Folder of the programs. */
  bin: string;
  /** A data folder of a Postgres that was stopped in order. */
  prepared: { data: string; password: string };
}): Promise<PostgresServer> {
  const data = path.join(options.folder, 'postgres');
  const copied = await runCommand('cp', ['-a', options.prepared.data, data], { env: CHILD_ENV, timeoutMs: 60_000 });
  if (copied.code !== 0) throw new Error(`the prepared database cannot be copied: ${copied.stderr}`);
  const port = await findFixedPort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 100,
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_error_statement: 'panic',
  };
  const process = new StoreProcess((further) => ({
    file: path.join(options.bin, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]), ...further],
    env: CHILD_ENV,
    user: options.placement.user,
    logFile: path.join(options.folder, 'postgres.log'),
  }));
  const url = `postgres://daihuo:${options.prepared.password}@127.0.0.1:${port}/daihuo?sslmode=disable`;
  const start = async (): Promise<number> => {
    const startedAtMs = performance.now();
    while (performance.now() - startedAtMs < READY_WITHIN_MS) {
      if (process.pid === undefined) await process.spawn([]);
      if (await canCommit(url)) return Math.round(performance.now() - startedAtMs);
      await sleep(POLL_MS);
    }
    throw new Error(`postgres was not ready in time; see ${options.folder}/postgres.log`);
  };
  return { url, process, start, stop: async () => process.stop('SIGINT') };
}

async function canCommit(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('begin');
    await client.query('select pg_current_xact_id()');
    return (await client.query('commit')).command === 'COMMIT';
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
