import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Environment } from '../infra/config.ts';
import { OperatorFault } from '../infra/failures.ts';
import { findFreePort } from './free-port.ts';
import type { LocalService, LocalServiceOptions } from './local-postgres.ts';
import { makeFolderFor, writePrivateFile } from './placement.ts';
import type { Placement } from './placement.ts';
import { commandLineOf, isRunning, signalProcess, startDaemon, stopProcess } from './processes.ts';
import type { Daemon } from './processes.ts';
import { findRedisProgram, redisEnvironment } from './redis-program.ts';
import { lastLines, startLogFile } from './service-log.ts';

const PORT_ATTEMPTS = 5;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 25;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;
/** Test files run beside each other, each in a logical database of its own. */
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

/** A value in redis.conf: paths may hold spaces and quotes. */
function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`;
}

/** An acknowledged write is on disk (AOF, always), nothing is ever evicted, and nobody without the password gets in. */
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
    // Its command line stays as we gave it, which is how a later start knows it for ours.
    'set-proc-title no',
  ];
  return `${lines.join('\n')}\n`;
}

/** Stops the Redis of a daihuo that died, after making sure that it is the one of this folder. */
export async function stopStaleRedis(placement: Placement): Promise<void> {
  const files = filesOf(placement);
  if (!existsSync(files.pid)) return;
  const pid = Number((await readFile(files.pid, 'utf8')).trim());
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isRunning(pid)) return;
  if (commandLineOf(pid)?.includes(files.config) === true) await stopProcess(pid, [...STOP_STEPS]);
}

/** Asks until Redis answers a PING, which it does when its data is loaded. False: it ended, or said nothing for too long. */
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
 * @throws OperatorFault where there is no Redis to be had, or with the end of its log where it does not start
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
    // Another process may have taken the port between asking for it and using it; nothing else is worth a second try.
    if (!(await lastLines(files.log)).includes('Address already in use')) break;
  }
  throw new OperatorFault(`The private Redis did not start. The end of ${files.log}:\n${await lastLines(files.log)}`);
}
