import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { OperatorFault } from '../infra/failures.ts';
import { makeFolderFor, writePrivateFile } from './placement.ts';
import type { Placement } from './placement.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import {
  commandLineOf,
  findFreePort,
  hasNumber,
  isRunning,
  lastLines,
  runCommand,
  signalProcess,
  startDaemon,
  startLogFile,
  stopProcess,
} from './processes.ts';
import type { Daemon } from './processes.ts';

export interface LocalService {
  name: string;
  url: string;
  exited: Promise<unknown>;
  stop(): Promise<void>;
  /** Ends the server at once, without waiting. Acknowledged writes survive; the next start recovers. */
  kill(): void;
}

export interface LocalServiceOptions {
  placement: Placement;
  signal: AbortSignal;
  /** False, for tests: commits do not wait for the disk. They survive the end of every process, but not a crash of the machine. */
  isDurable: boolean;
}

const ROLE = 'daihuo';
const DATABASE = 'daihuo';
const PORT_ATTEMPTS = 5;
/** Recovery after a crash may have to read much. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
// Fast shutdown, then immediate shutdown (the next start recovers), then by force.
const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 5_000 },
  { signal: 'SIGQUIT', waitMs: 1_500 },
  { signal: 'SIGKILL', waitMs: 500 },
] as const;

// The child gets no variable of this process: PGDATA, PGPORT, LANG or TZ of the user must not reach the private Postgres.
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

/** Makes the database cluster once, in a draft folder that is renamed when complete, so that an aborted start leaves no half of one. */
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

/** Stops a Postgres that a killed daihuo left running, after checking that it belongs to this folder. */
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
    // The number belongs to a zombie or, after a restart of the machine or container, to another process, perhaps the Postgres of another
    // folder. Postgres would refuse to start in each of these cases. Where no process has the number, Postgres removes the file itself.
    await rm(pidFile, { force: true });
  }
}

function urlFor(port: number, password: string, database: string): string {
  // PGSSLMODE of the user's environment must not apply to the private Postgres, which has no certificate.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** Connects until Postgres answers, and creates the database where it is missing. @returns false where Postgres ended or did not answer in time */
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
    // No Unix socket: its path may have 107 bytes at most, and a deep checkout exceeds that.
    unix_socket_directories: '',
    max_connections: 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Statements can hold values that are stored sealed, so they must not appear in the log.
    log_min_error_statement: 'panic',
    // Commits still reach the operating system before the acknowledgement, so they survive a killed process; only the disk is not awaited.
    ...(isDurable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * Starts the private Postgres of a home on a free port of 127.0.0.1; makes its data folder the first time.
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
    // Try again only when another process took the port between the search and its use.
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
