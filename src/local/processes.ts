import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../infra/config.ts';

/** Who a program runs as. Without ids: as we do. */
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

function idsOf(user: ServiceUser | undefined): { uid?: number; gid?: number } {
  return {
    ...(user?.uid === undefined ? {} : { uid: user.uid }),
    ...(user?.gid === undefined ? {} : { gid: user.gid }),
  };
}

/**
 * Runs a program to its end and returns what it said. A program that cannot be started, or ran too long, has the code null and says why
 * in `stderr`; only an aborted `signal` throws. Either way nothing that it started is left when this returns.
 */
export async function runCommand(file: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const child = spawn(file, args, {
    // The folder we stand in may be closed to the other user.
    cwd: options.cwd ?? '/',
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that its children can be ended with it, and Ctrl-C reaches only us.
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
    // 'close' comes when every process that holds the pipes is gone, the program's children included.
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
  /** Resolves when the process has ended, however. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  hasExited(): boolean;
}

/**
 * Starts a server in a session of its own, so that Ctrl-C in the terminal reaches us and not the server, which has to outlive our drain.
 *
 * @param options.logFile  takes what it prints
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

/** The fields of /proc/<pid>/stat from the state on; the command in front of them may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether the system knows a process of this number, be it a zombie. */
export function hasNumber(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is one, and it belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process works: a zombie, whose parent has not noticed its end, does not. */
export function isRunning(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return hasNumber(pid) && state !== 'Z' && state !== 'X';
}

function askPs(pid: number, column: string): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' });
  const answer = status === 0 ? stdout.trim() : '';
  return answer === '' ? undefined : answer;
}

/** The command line of a process, its arguments joined by spaces; undefined where there is none. */
export function commandLineOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return askPs(pid, 'command');
  return readIfThere(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
}

/** A text that no other process had or will have, on this machine and since its last boot; undefined where there is no such process. */
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
    // It has ended meanwhile, which is what a signal asks for.
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
 * Stops a process by signals of growing insistence, each with the time it gets to work.
 *
 * @returns the signal after which it was gone; undefined where it outlived them all
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
