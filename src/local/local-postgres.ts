import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { OperatorFault } from '../infra/failures.ts';
import { findFreePort } from './free-port.ts';
import { makeFolderFor, writePrivateFile } from './placement.ts';
import type { Placement } from './placement.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import {
  commandLineOf,
  hasNumber,
  isRunning,
  runCommand,
  signalProcess,
  startDaemon,
  stopProcess,
} from './processes.ts';
import type { Daemon } from './processes.ts';
import { lastLines, startLogFile } from './service-log.ts';

export interface LocalService {
  name: string;
  url: string;
  exited: Promise<unknown>;
  stop(): Promise<void>;
  /** Ends it at once, without waiting. Nothing acknowledged is lost; the next start recovers. */
  kill(): void;
}

export interface LocalServiceOptions {
  placement: Placement;
  signal: AbortSignal;
  /** False: never waits for the disk. What was committed survives the death of every process, not that of the machine. For tests. */
  isDurable: boolean;
}

const ROLE = 'daihuo';
const DATABASE = 'daihuo';
const PORT_ATTEMPTS = 5;
/** Recovery after a crash may have much to read. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
// Fast shutdown, then immediate (recovers at the next start), then by force.
const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 5_000 },
  { signal: 'SIGQUIT', waitMs: 1_500 },
  { signal: 'SIGKILL', waitMs: 500 },
] as const;

// Nothing of our own environment: PGDATA, PGPORT, LANG or TZ of the person who starts daihuo must not reach its Postgres.
const CHILD_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

interface Folders {
  data: string;
  password: string;
  log: string;
}

function foldersOf(placement: Placement): Folders {
  return {
    data: path.join(placement.folder, 'postgres'),
    password: path.join(placement.folder, 'postgres.password'),
    log: path.join(placement.folder, 'postgres.log'),
  };
}

/** Makes the database cluster, once. It appears under its name only when complete: a start that was cut short leaves nothing behind. */
async function initialise(bin: string, folders: Folders, options: LocalServiceOptions): Promise<void> {
  const { folder, user } = options.placement;
  for (const name of await readdir(folder)) {
    if (name.startsWith('postgres.draft')) await rm(path.join(folder, name), { recursive: true, force: true });
  }
  const draft = path.join(folder, `postgres.draft-${process.pid}`);
  const passwordForInit = path.join(folder, `postgres.draft-${process.pid}.password`);
  const password = randomBytes(24).toString('base64url');
  await makeFolderFor(user, draft);
  await writePrivateFile(passwordForInit, password, user);
  const { code, stderr } = await runCommand(
    path.join(bin, 'initdb'),
    [
      '--pgdata',
      draft,
      '--username',
      ROLE,
      '--pwfile',
      passwordForInit,
      '--auth',
      'scram-sha-256',
      '--encoding',
      'UTF8',
    ]
      .concat(['--no-locale', '--no-instructions'])
      .concat(options.isDurable ? [] : ['--no-sync']),
    { env: CHILD_ENV, timeoutMs: START_TIMEOUT_MS, user, signal: options.signal },
  );
  await rm(passwordForInit, { force: true });
  if (code !== 0) throw new OperatorFault(`The private Postgres could not be set up in ${folder}: ${stderr.trim()}`);
  await writePrivateFile(folders.password, password);
  await rename(draft, folders.data);
}

async function checkVersion(bin: string, data: string): Promise<void> {
  const made = (await readFile(path.join(data, 'PG_VERSION'), 'utf8')).trim();
  const { stdout } = await runCommand(path.join(bin, 'postgres'), ['--version'], { env: CHILD_ENV, timeoutMs: 10_000 });
  const runs = /\s(\d+)/.exec(stdout)?.[1];
  if (made !== runs) {
    throw new OperatorFault(
      `The data in ${data} was made by Postgres ${made}, and this daihuo brings Postgres ${runs}. Set DAIHUO_HOME to a new folder and copy the data over with pg_dump.`,
    );
  }
}

/** Stops the Postgres of a daihuo that died, after making sure that it is the one of this folder. */
export async function stopStalePostgres(placement: Placement): Promise<void> {
  const { data } = foldersOf(placement);
  const pidFile = path.join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const command = commandLineOf(pid) ?? '';
  if (isRunning(pid) && command.includes(data)) {
    await stopProcess(pid, [...STOP_STEPS]);
  } else if (hasNumber(pid) && (!command.includes('postgres') || command.includes(' -D '))) {
    // The number belongs to a zombie or, after a restart of the machine or container, to something else, perhaps the Postgres of another
    // folder; ours would refuse to start for each of them. Where it belongs to nobody, Postgres clears the file itself, after its checks.
    await rm(pidFile, { force: true });
  }
}

function urlFor(port: number, password: string, database: string): string {
  // PGSSLMODE of whoever starts daihuo must not apply to its own Postgres, which has no certificate.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** Asks until Postgres answers, and makes our database where it is new. False: it ended, or said nothing for too long. */
async function isReady(daemon: Daemon, url: string, signal: AbortSignal): Promise<boolean> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs && !daemon.hasExited()) {
    signal.throwIfAborted();
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rowCount } = await client.query('select 1 from pg_catalog.pg_database d where d.datname = $1', [
        DATABASE,
      ]);
      if (rowCount === 0) await client.query('create database daihuo');
      return true;
    } catch {
      await sleep(POLL_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return false;
}

function serverArguments(data: string, port: number, isDurable: boolean): string[] {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    // A socket's path may be 107 bytes long at most, which a deep checkout exceeds.
    unix_socket_directories: '',
    max_connections: 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Its log may be read by whoever runs daihuo; statements can hold what was sealed for a reason.
    log_min_error_statement: 'panic',
    // Commits still reach the system before they are acknowledged, so they outlive a killed process; only the disk is not waited for.
    ...(isDurable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * Starts the private Postgres of a home on a free port of 127.0.0.1, making its data folder the first time.
 *
 * @throws OperatorFault with the end of its log where it does not start
 */
export async function startLocalPostgres(options: LocalServiceOptions): Promise<LocalService> {
  const { placement } = options;
  const folders = foldersOf(placement);
  const bin = await findPostgresBinaries(placement);
  await stopStalePostgres(placement);
  if (!existsSync(path.join(folders.data, 'PG_VERSION'))) await initialise(bin, folders, options);
  await checkVersion(bin, folders.data);
  const password = (await readFile(folders.password, 'utf8')).trim();
  await startLogFile(folders.log);
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt += 1) {
    const service = await startOnFreePort(path.join(bin, 'postgres'), folders, password, options);
    if (service !== undefined) return service;
    // Another process may have taken the port between asking for it and using it; nothing else is worth a second try.
    if (!(await lastLines(folders.log)).includes('Address already in use')) break;
  }
  throw new OperatorFault(
    `The private Postgres did not start. The end of ${folders.log}:\n${await lastLines(folders.log)}`,
  );
}

async function startOnFreePort(
  program: string,
  folders: Folders,
  password: string,
  options: LocalServiceOptions,
): Promise<LocalService | undefined> {
  options.signal.throwIfAborted();
  const port = await findFreePort();
  const daemon = await startDaemon(program, serverArguments(folders.data, port, options.isDurable), {
    env: CHILD_ENV,
    user: options.placement.user,
    logFile: folders.log,
  });
  const service = serviceFor(daemon, urlFor(port, password, DATABASE));
  try {
    if (await isReady(daemon, urlFor(port, password, 'postgres'), options.signal)) return service;
  } catch (error) {
    await service.stop();
    throw error;
  }
  await service.stop();
  return undefined;
}

function serviceFor(daemon: Daemon, url: string): LocalService {
  return {
    name: 'postgres',
    url,
    exited: daemon.exited,
    stop: async () => {
      await stopProcess(daemon.pid, [...STOP_STEPS]);
    },
    kill: () => signalProcess(daemon.pid, 'SIGQUIT'),
  };
}
