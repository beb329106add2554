import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Placement } from '../../../src/local/placement.ts';
import { makeFolderFor, writePrivateFile } from '../../../src/local/placement.ts';
import { redisEnvironment } from '../../../src/local/redis-program.ts';
import type { RedisProgram } from '../../../src/local/debian-redis.ts';
import { findFixedPort } from './fixed-port.ts';
import { StoreProcess } from './store-process.ts';

export interface RedisServer {
  url: string;
  process: StoreProcess;
  /** Starts it and waits until it takes commands. @param further  settings as on its command line. @returns how long that took, ms */
  start(further?: readonly string[]): Promise<number>;
  /** Starts it and waits for nothing. */
  spawn(further?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
  /** A connection that waits for answers as long as it takes, for looking and for faults done by command. Rejects while it is down. */
  ask<T>(work: (redis: Redis) => Promise<T>): Promise<T>;
}

const READY_WITHIN_MS = 30_000;
const POLL_MS = 10;

/** A Redis of one scenario, set up as the product demands: AOF always and nothing evicted, unless said otherwise. */
export async function createRedisServer(options: {
  folder: string;
  placement: Placement;
  program: RedisProgram;
  appendfsync: 'always' | 'everysec';
}): Promise<RedisServer> {
  const { placement, program } = options;
  const data = path.join(options.folder, 'redis');
  await makeFolderFor(placement.user, data);
  const port = await findFixedPort();
  const password = randomBytes(18).toString('base64url');
  const config = path.join(data, 'redis.conf');
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `masterauth ${password}`,
    `dir ${data}`,
    'daemonize no',
    'appendonly yes',
    `appendfsync ${options.appendfsync}`,
    'save ""',
    'maxmemory-policy noeviction',
    'set-proc-title no',
  ];
  await writePrivateFile(config, `${lines.join('\n')}\n`, placement.user);
  const process = new StoreProcess((further) => ({
    file: program.executable,
    args: [config, ...further],
    env: redisEnvironment(program),
    user: placement.user,
    logFile: path.join(options.folder, 'redis.log'),
    argv0: 'redis-server',
  }));
  const url = `redis://:${password}@127.0.0.1:${port}/0`;
  const ask = async <T>(work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(url, {
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: 2_000,
      commandTimeout: 20_000,
      enableReadyCheck: false,
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };
  const start = async (further: readonly string[] = []): Promise<number> => {
    const startedAtMs = performance.now();
    await process.spawn(further);
    while (performance.now() - startedAtMs < READY_WITHIN_MS) {
      try {
        if ((await ask(async (redis) => redis.ping())) === 'PONG') return Math.round(performance.now() - startedAtMs);
      } catch {
        if (process.pid === undefined) throw new Error(`redis ended; see ${options.folder}/redis.log`);
      }
      await sleep(POLL_MS);
    }
    throw new Error('redis was not ready in time');
  };
  return {
    url,
    process,
    start,
    spawn: async (further = []) => process.spawn(further),
    stop: async () => process.stop('SIGTERM'),
    ask,
  };
}
