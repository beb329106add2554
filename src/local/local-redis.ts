import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Environment } from '../infra/config.ts';
import { OperatorFault } from '../infra/failures.ts';
import type { LocalService, LocalServiceOptions } from './local-postgres.ts';
import { makeFolderFor, writePrivateFile } from './placement.ts';
import type { Placement } from './placement.ts';
import {
  commandLineOf,
  findFreePort,
  isRunning,
  lastLines,
  signalProcess,
  startDaemon,
  startLogFile,
  stopProcess,
} from './processes.ts';
import type { Daemon } from './processes.ts';
import { findRedisProgram, redisEnvironment } from './redis-program.ts';

const PORT_ATTEMPTS = 5;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 25;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;
/** Test files run in parallel, each in its own logical database. */
const DATABASES = 256;

interface Files {
  data: string;
  config: string;
  pid: string;
  log: string;
}

function filesOf(placement: Placement): Files {
  const data = path.join(placement.folder, 'redis');
  return {
    data,
    config: path.join(data, 'redis.conf'),
    pid: path.join(data, 'redis.pid'),
    log: path.join(placement.folder, 'redis.log'),
  };
}

/** Quotes a value for redis.conf, because paths may hold spaces and quotes. */
function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`;
}

/** The configuration: acknowledged writes are on disk (AOF, always), no key is evicted, and every client needs the password. */
function writeConfig(files: Files, port: number, password: string): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${quote(files.data)}`,
    `pidfile ${quote(files.pid)}`,
    'daemonize no',
    `databases ${DATABASES}`,
    'appendonly yes',
    'appendfsync always',
    'save ""',
    'maxmemory-policy noeviction',
    // Keep the command line unchanged: a later start recognises this process by it.
    'set-proc-title no',
  ];
  return `${lines.join('\n')}\n`;
}

/** Stops a Redis that a killed daihuo left running, after checking that it belongs to this folder. */
export async function stopStaleRedis(placement: Placement): Promise<void> {
  const files = filesOf(placement);
  if (!existsSync(files.pid)) return;
  const pid = Number((await readFile(files.pid, 'utf8')).trim());
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isRunning(pid)) return;
  if (commandLineOf(pid)?.includes(files.config) === true) await stopProcess(pid, [...STOP_STEPS]);
}

/** Sends PING until Redis answers, which it does once its data is loaded. @returns false where Redis ended or did not answer in time */
async function isReady(daemon: Daemon, url: string, signal: AbortSignal): Promise<boolean> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs && !daemon.hasExited()) {
    signal.throwIfAborted();
    const client = new Redis(url, {
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: 1_000,
      enableReadyCheck: false,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      if ((await client.ping()) === 'PONG') return true;
    } catch {
      await sleep(POLL_MS);
    } finally {
      client.disconnect();
    }
  }
  return false;
}

async function startOnFreePort(
  start: (port: number, password: string) => Promise<Daemon>,
  signal: AbortSignal,
): Promise<LocalService | undefined> {
  signal.throwIfAborted();
  const port = await findFreePort();
  const password = randomBytes(24).toString('base64url');
  const daemon = await start(port, password);
  const url = `redis://:${password}@127.0.0.1:${port}/0`;
  const stop = async (): Promise<void> => {
    await stopProcess(daemon.pid, [...STOP_STEPS]);
  };
  try {
    if (await isReady(daemon, url, signal)) {
      return { name: 'redis', url, exited: daemon.exited, stop, kill: () => signalProcess(daemon.pid, 'SIGKILL') };
    }
  } catch (error) {
    await stop();
    throw error;
  }
  await stop();
  return undefined;
}

/**
 * Starts the private Redis of a home on a free port of 127.0.0.1.
 *
 * @throws OperatorFault where no Redis can be found, or with the end of its log where it does not start
 */
export async function startLocalRedis(
  options: LocalServiceOptions & { env: Environment; print: (sentence: string) => void },
): Promise<LocalService> {
  const { placement, signal } = options;
  const files = filesOf(placement);
  const program = await findRedisProgram(options);
  await stopStaleRedis(placement);
  await makeFolderFor(placement.user, files.data);
  await startLogFile(files.log);
  const start = async (port: number, password: string): Promise<Daemon> => {
    await writePrivateFile(files.config, writeConfig(files, port, password), placement.user);
    return startDaemon(program.executable, [files.config], {
      env: redisEnvironment(program),
      user: placement.user,
      logFile: files.log,
      argv0: 'redis-server',
    });
  };
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt += 1) {
    const service = await startOnFreePort(start, signal);
    if (service !== undefined) return service;
    // Try again only when another process took the port between the search and its use.
    if (!(await lastLines(files.log)).includes('Address already in use')) break;
  }
  throw new OperatorFault(`The private Redis did not start. The end of ${files.log}:\n${await lastLines(files.log)}`);
}
