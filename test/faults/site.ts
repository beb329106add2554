/** One installation for one scenario: own database, own Redis, processes, and a link with a fault switch between each of them. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createDb } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';
import { makeFolder } from '../../src/local/placement.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { DaihuoProcess } from './daihuo-process.ts';
import type { Door } from './driver/visits.ts';
import { environmentFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { findFixedPort } from './stores/fixed-port.ts';
import { createPostgresServer } from './stores/postgres-server.ts';
import type { PostgresServer } from './stores/postgres-server.ts';
import { createRedisServer } from './stores/redis-server.ts';
import type { RedisServer } from './stores/redis-server.ts';

export interface SiteOptions {
  /** 1 where it is left out. */
  apps?: number;
  workers?: number;
  appendfsync?: 'always' | 'everysec';
  /** Further settings of the apps. */
  appEnv?: Record<string, string>;
}

export interface Links {
  appRedis: TcpProxy;
  appPostgres: TcpProxy;
  workerRedis: TcpProxy;
  workerPostgres: TcpProxy;
}

export interface App extends Door {
  process: DaihuoProcess;
  metricsPort: number;
}

export interface Worker {
  process: DaihuoProcess;
  metricsPort: number;
}

export interface Site {
  ground: Ground;
  folder: string;
  /** Holds the spools of all apps. */
  spoolFolder: string;
  postgres: PostgresServer;
  redis: RedisServer;
  links: Links;
  apps: App[];
  workers: Worker[];
  /** Straight to Postgres, past every fault of a link. */
  db: Db;
  /** Every process of daihuo there is or was. */
  processes(): DaihuoProcess[];
  /** A further process; of a worker's kind unless another program is named. */
  addProcess(launch: { name: string; args: string[]; file?: string; env?: Record<string, string> }): DaihuoProcess;
  /** Lets everything pass and run again: links, stopped stores, stopped processes. */
  heal(): Promise<void>;
  /** Ends everything at once. */
  destroy(): Promise<void>;
}

/** Proofs at the end read whole tables. */
const STATEMENT_TIMEOUT_MS = 120_000;

async function openLinks(urls: { database: string; redis: string }): Promise<Links> {
  const [appRedis, appPostgres, workerRedis, workerPostgres] = await Promise.all(
    [urls.redis, urls.database, urls.redis, urls.database].map(createTcpProxy),
  );
  if (!appRedis || !appPostgres || !workerRedis || !workerPostgres) throw new Error('there are four links');
  return { appRedis, appPostgres, workerRedis, workerPostgres };
}

/** Lays out a site and starts its stores; daihuo itself does not run yet. */
export async function openSite(ground: Ground, name: string, options: SiteOptions): Promise<Site> {
  const folder = path.join(ground.folder, name);
  await makeFolder(folder, 0o711);
  const spoolFolder = path.join(folder, 'spool');
  await mkdir(spoolFolder);
  const { placement, bin, prepared, redisProgram: program } = ground;
  const postgres = await createPostgresServer({ folder, placement, bin, prepared });
  const redis = await createRedisServer({ folder, placement, program, appendfsync: options.appendfsync ?? 'always' });
  await Promise.all([postgres.start(), redis.start()]);
  const links = await openLinks({ database: postgres.url, redis: redis.url });
  const db = createDb({
    url: postgres.url,
    max: 3,
    applicationName: 'daihuo-faults',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError: () => undefined,
  });
  const further: DaihuoProcess[] = [];
  const logFile = path.join(folder, 'daihuo.log');
  const appEnv = environmentFor(ground, { database: links.appPostgres.url, redis: links.appRedis.url });
  const workerEnv = environmentFor(ground, { database: links.workerPostgres.url, redis: links.workerRedis.url });
  const apps: App[] = [];
  for (let number = 1; number <= (options.apps ?? 1); number += 1) {
    const [port, metricsPort] = [await findFixedPort(), await findFixedPort()];
    const ports = { PORT: String(port), METRICS_PORT: String(metricsPort) };
    const env = { ...appEnv, ...ports, DAIHUO_SPOOL_DIR: spoolFolder, ...options.appEnv };
    apps.push({
      process: new DaihuoProcess({ name: `app ${number}`, args: ['serve'], env, logFile }),
      port,
      metricsPort,
    });
  }
  const workers: Worker[] = [];
  for (let number = 1; number <= (options.workers ?? 1); number += 1) {
    const metricsPort = await findFixedPort();
    const env = { ...workerEnv, METRICS_PORT: String(metricsPort) };
    workers.push({
      process: new DaihuoProcess({ name: `worker ${number}`, args: ['worker'], env, logFile }),
      metricsPort,
    });
  }
  ground.finance.port = apps[0]?.port ?? 0;
  const processes = (): DaihuoProcess[] => [...apps, ...workers].map((each) => each.process).concat(further);
  return {
    ground,
    folder,
    spoolFolder,
    postgres,
    redis,
    links,
    apps,
    workers,
    db,
    processes,
    addProcess: ({ env, ...launch }) => {
      const added = new DaihuoProcess({ ...launch, env: { ...workerEnv, ...env }, logFile });
      further.push(added);
      return added;
    },
    heal: async () => {
      await Promise.all(Object.values(links).map((link: TcpProxy) => link.heal()));
      redis.process.resume();
      postgres.process.resume();
      for (const process of processes()) process.signal('SIGCONT');
    },
    destroy: async () => {
      await Promise.all(processes().map((process) => process.kill()));
      await Promise.all(Object.values(links).map((link: TcpProxy) => link.cut()));
      await Promise.all([redis.process.kill('all'), postgres.process.kill('all')]);
      await db.end();
    },
  };
}
