import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

import { processEnvironment } from '../../src/infra/config.ts';
import { findFreePort } from '../../src/local/processes.ts';
import { makeFolderFor, openHome, placeServices } from '../../src/local/placement.ts';
import { startDaemon, stopProcess } from '../../src/local/processes.ts';
import { findRedisProgram, redisEnvironment } from '../../src/local/redis-program.ts';

export interface ClusterMaster {
  port: number;
  pid: number;
}

export interface RedisCluster {
  /** As REDIS_URL takes it. */
  urls: string;
  masters: ClusterMaster[];
  /** SIGKILL: what was acknowledged is on disk, nothing else is promised. */
  kill(master: ClusterMaster): Promise<void>;
  /** On its old port, with what it has on disk; resolves when the cluster is whole again. */
  restart(master: ClusterMaster): Promise<void>;
  stop(): Promise<void>;
}

const MASTERS = 3;
const SLOTS = 16_384;
const READY_WITHIN_MS = 20_000;
const POLL_MS = 25;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 3_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;

async function askOnce<T>(port: number, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadlineMs) throw new Error(`${what} took too long`);
    await sleep(POLL_MS);
  }
}

async function isWhole(masters: readonly ClusterMaster[]): Promise<boolean> {
  for (const { port } of masters) {
    const info = await askOnce(port, (redis) => redis.cluster('INFO'));
    if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${MASTERS}`)) return false;
  }
  return true;
}

/** Three real masters on loopback, joined to one cluster, each with its part of the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const home = await openHome(await mkdtemp(path.join(os.tmpdir(), 'daihuo-test-cluster-')));
  const env = processEnvironment();
  const placement = await placeServices(home, undefined);
  const { signal } = new AbortController();
  const program = await findRedisProgram({ placement, env, signal, print: console.error });

  const start = async (port: number): Promise<number> => {
    const data = path.join(placement.folder, `redis-${port}`);
    await makeFolderFor(placement.user, data);
    const settings = {
      bind: '127.0.0.1',
      port,
      dir: data,
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      // A master that is killed is missed, and soon back; half a cluster goes on meanwhile.
      'cluster-node-timeout': '2000',
      'cluster-require-full-coverage': 'no',
      appendonly: 'yes',
      appendfsync: 'always',
      'maxmemory-policy': 'noeviction',
      'protected-mode': 'no',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const logFile = path.join(home, `redis-${port}.log`);
    const daemon = await startDaemon(program.executable, [...args, '--save', ''], {
      env: redisEnvironment(program),
      user: placement.user,
      logFile,
      argv0: 'redis-server',
    });
    await until(`Redis on port ${port}`, async () => (await askOnce(port, (redis) => redis.ping())) === 'PONG');
    return daemon.pid;
  };

  const masters: ClusterMaster[] = [];
  const stop = async (): Promise<void> => {
    for (const { pid } of masters) await stopProcess(pid, [...STOP_STEPS]);
    await rm(home, { recursive: true, force: true });
    await rm(placement.folder, { recursive: true, force: true });
  };
  try {
    for (let number = 0; number < MASTERS; number += 1) {
      const port = await findFreePort();
      masters.push({ port, pid: await start(port) });
      const [from, to] = [number, number + 1].map((each) => Math.floor((each * SLOTS) / MASTERS));
      await askOnce(port, async (redis) => {
        await redis.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? 0) - 1));
        const [first] = masters;
        if (first !== undefined && first.port !== port) await redis.cluster('MEET', '127.0.0.1', first.port);
      });
    }
    await until('the cluster', () => isWhole(masters));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    urls: masters.map(({ port }) => `redis://127.0.0.1:${port}`).join(','),
    masters,
    kill: async ({ pid }) => {
      await stopProcess(pid, [{ signal: 'SIGKILL', waitMs: 5_000 }]);
    },
    restart: async (master) => {
      master.pid = await start(master.port);
      await until('the cluster', () => isWhole(masters));
    },
    stop,
  };
}
