import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../infra/config.ts';

/** The user a program runs as. Without ids: the user of this process. */
export interface ServiceUser {
  name: string;
  uid?: number;
  gid?: number;
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  env: Environment;
  timeoutMs: number;
  user?: ServiceUser;
  cwd?: string;
  argv0?: string;
  signal?: AbortSignal;
}

const POLL_MS = 20;
const TAIL_LINES = 12;

function idsOf(user: ServiceUser | undefined): { uid?: number; gid?: number } {
  return {
    ...(user?.uid === undefined ? {} : { uid: user.uid }),
    ...(user?.gid === undefined ? {} : { gid: user.gid }),
  };
}

/**
 * Runs a program to its end and returns its output. Where the program cannot be started or runs too long, `code` is null and `stderr` holds
 * the reason; only an aborted `signal` throws. In every case all processes that the program started have ended when this returns.
 */
export async function runCommand(file: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const child = spawn(file, args, {
    // The other user may not be able to enter the current folder.
    cwd: options.cwd ?? '/',
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A separate process group: the program's children can be ended with it, and Ctrl-C does not reach it.
    detached: true,
    ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
    ...idsOf(options.user),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const endGroup = (): void => {
    if (child.pid !== undefined) signalProcess(-child.pid, 'SIGKILL');
  };
  const timer = setTimeout(endGroup, options.timeoutMs);
  options.signal?.addEventListener('abort', endGroup);
  try {
    // 'close' comes when every process that holds the pipes has ended, the program's children included.
    const [code, signal] = await closeOf(child);
    options.signal?.throwIfAborted();
    return { code, stdout, stderr: signal === null ? stderr : `${stderr}ended by ${signal}` };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { code: null, stdout, stderr: stderr + String(error) };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', endGroup);
  }
}

function closeOf(child: ChildProcess): Promise<[code: number | null, signal: NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
}

export interface Daemon {
  pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  hasExited(): boolean;
}

/**
 * Starts a server in a separate session: Ctrl-C in the terminal must not reach it, because this process needs it until it has drained.
 *
 * @param options.logFile  receives the server's output
 * @throws the system's error where the program cannot be started
 */
export async function startDaemon(
  file: string,
  args: string[],
  options: { env: Environment; user: ServiceUser; logFile: string; argv0?: string },
): Promise<Daemon> {
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(file, args, {
      cwd: '/',
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
      ...idsOf(options.user),
    });
    const ended = Promise.withResolvers<Awaited<Daemon['exited']>>();
    let hasExited = false;
    child.on('exit', (code, signal) => {
      hasExited = true;
      ended.resolve({ code, signal });
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return { pid: child.pid ?? 0, exited: ended.promise, hasExited: () => hasExited };
  } finally {
    closeSync(log);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** The fields of /proc/<pid>/stat from the state on. Skips the command before them, which may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether the system has a process with this number, zombies included. */
export function hasNumber(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process runs. A zombie, whose parent has not collected it yet, does not. */
export function isRunning(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return hasNumber(pid) && state !== 'Z' && state !== 'X';
}

function askPs(pid: number, column: string): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' });
  const answer = status === 0 ? stdout.trim() : '';
  return answer === '' ? undefined : answer;
}

/** The command line of a process, arguments joined by spaces; undefined where there is no such process. */
export function commandLineOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return askPs(pid, 'command');
  return readIfThere(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
}

/** A text that identifies a process among all processes of this machine since its last boot; undefined where there is no such process. */
export function processIdentity(pid: number): string | undefined {
  if (!isRunning(pid)) return undefined;
  if (process.platform !== 'linux') return askPs(pid, 'lstart');
  const startedAtTicks = statFields(pid)?.[19];
  const boot = readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return startedAtTicks === undefined ? undefined : `${boot} ${startedAtTicks}`;
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended meanwhile, which is the aim of the signal.
  }
}

async function waitForEnd(pid: number, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (isRunning(pid)) {
    if (performance.now() > deadlineMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/**
 * Stops a process with one signal after the other; each gets its time to work.
 *
 * @returns the signal that ended the process; undefined where the process survived all of them
 */
export async function stopProcess(
  pid: number,
  steps: { signal: NodeJS.Signals; waitMs: number }[],
): Promise<NodeJS.Signals | undefined> {
  for (const { signal, waitMs } of steps) {
    signalProcess(pid, signal);
    if (await waitForEnd(pid, waitMs)) return signal;
  }
  return undefined;
}

/**
 * A TCP port on 127.0.0.1 without a listener. Another process may take the port before the caller uses it, so the caller must be able to
 * try again.
 */
export async function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('the system gave no port'));
        else resolve(address.port);
      });
    });
  });
}

/** Begins a new log file that only its owner can read; keeps the previous file as `<file>.1`. */
export async function startLogFile(file: string): Promise<void> {
  if (existsSync(file)) await rename(file, `${file}.1`);
  await writeFile(file, '', { mode: 0o600 });
}

/** The last lines of a log, for the message about a failed start. */
export async function lastLines(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.slice(-TAIL_LINES).join('\n');
}
