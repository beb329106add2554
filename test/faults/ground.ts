/** What all scenarios of one run stand on: a folder, the programs, and a database that is prepared once and copied for each. */
import { chmod, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { newApiKey } from '../../src/access/api-key.ts';
import { createApi } from '../../src/local/demo/api.ts';
import type { ApiRequest, Send } from '../../src/local/demo/api.ts';
import { startLocalPostgres } from '../../src/local/local-postgres.ts';
import { placeServices } from '../../src/local/placement.ts';
import type { Placement } from '../../src/local/placement.ts';
import { findPostgresBinaries } from '../../src/local/postgres-binaries.ts';
import { findRedisProgram } from '../../src/local/redis-program.ts';
import type { RedisProgram } from '../../src/local/debian-redis.ts';
import { processEnvironment } from '../../src/infra/config.ts';
import { openBusyMarket } from '../journey/sales-plan.ts';
import type { BusyMarket } from '../journey/sales-plan.ts';
import { DaihuoProcess } from './daihuo-process.ts';
import { exchange } from './driver/exchange.ts';
import { createRedisServer } from './stores/redis-server.ts';
import { findFixedPort } from './stores/fixed-port.ts';

/** 100 links, so that the hot one of a hundred is one. */
export const MARKET_SIZE = { products: 10, influencers: 10 };
/** Of the runs of this harness, and of nothing else. */
export const SECRET = 'a secret of the fault tests, and of nothing else';

export interface Ground {
  folder: string;
  placement: Placement;
  /** Folder of the programs of Postgres. */
  bin: string;
  redisProgram: RedisProgram;
  prepared: { data: string; password: string };
  market: BusyMarket;
  /** Where the market's `finance` sends its questions; set by each scenario. */
  finance: { port: number };
  adminKey: string;
  remove(): Promise<void>;
}

/** What every process of daihuo gets, whatever it does. */
export function environmentFor(ground: Pick<Ground, 'folder' | 'adminKey'>, urls: { database: string; redis: string }) {
  return {
    PATH: processEnvironment()['PATH'] ?? '/usr/bin:/bin',
    HOME: os.homedir(),
    DAIHUO_HOME: path.join(ground.folder, 'home'),
    DATABASE_URL: urls.database,
    REDIS_URL: urls.redis,
    DAIHUO_SECRET: SECRET,
    DAIHUO_ADMIN_KEY: ground.adminKey,
    LOG_LEVEL: 'warn',
    PORT: '0',
    OUTGOING_REQUESTS: 'off',
  };
}

function sendTo(target: { port: number }): Send {
  return async (request: ApiRequest) => {
    const answer = await exchange({ ...request, port: target.port, timeoutMs: 30_000 });
    if (answer.kind !== 'answer') throw new Error(`${request.method} ${request.path}: ${answer.kind}`);
    return { status: answer.status, text: answer.text };
  };
}

function cacheFolder(): string | undefined {
  const env = processEnvironment();
  const base = env['XDG_CACHE_HOME'] ?? (env['HOME'] === undefined ? undefined : path.join(env['HOME'], '.cache'));
  return base === undefined ? undefined : path.join(base, 'daihuo');
}

/** Migrates an empty database and fills in a brand, a store, products, influencers and the links between them, over the API. */
async function prepare(
  ground: Pick<Ground, 'folder' | 'placement' | 'redisProgram' | 'adminKey' | 'finance'>,
  signal: AbortSignal,
): Promise<BusyMarket> {
  const { placement, folder } = ground;
  const postgres = await startLocalPostgres({ placement, signal, isDurable: false });
  const redis = await createRedisServer({ folder, placement, program: ground.redisProgram, appendfsync: 'everysec' });
  const port = await findFixedPort();
  const env = { ...environmentFor(ground, { database: postgres.url, redis: redis.url }), PORT: String(port) };
  const logFile = path.join(folder, 'prepare.log');
  const app = new DaihuoProcess({ name: 'app', args: ['serve'], env, logFile });
  try {
    await redis.start();
    const migration = new DaihuoProcess({ name: 'migration', args: ['migrate'], env, logFile });
    migration.spawn();
    await migration.endsByItself();
    await app.start();
    ground.finance.port = port;
    const send = sendTo(ground.finance);
    const connect = (key: string) => createApi(send, key);
    return await openBusyMarket(connect(ground.adminKey), connect, MARKET_SIZE);
  } finally {
    await app.kill();
    await redis.stop();
    await postgres.stop();
  }
}

/** Makes the ground in a folder of its own under the system's temporary folder. */
export async function prepareGround(options: {
  print: (sentence: string) => void;
  signal: AbortSignal;
}): Promise<Ground> {
  const { print, signal } = options;
  const folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'daihuo-faults-')));
  const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    // The unprivileged user of the databases passes through it.
    await chmod(folder, 0o711);
    const placement = await placeServices(folder, cacheFolder());
    const redisProgram = await findRedisProgram({ placement, env: processEnvironment(), signal, print });
    const { key: adminKey } = newApiKey('admin');
    const common = { folder, placement, redisProgram, adminKey, finance: { port: 0 } };
    const market = await prepare(common, signal);
    const password = (await readFile(path.join(placement.folder, 'postgres.password'), 'utf8')).trim();
    const prepared = { data: path.join(placement.folder, 'postgres'), password };
    return { ...common, bin: path.join(await findPostgresBinaries(placement)), prepared, market, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
