/**
 * Cores: the server under test has cpu 0 to itself; load, Redis, Postgres and this program share the others. Without `taskset`, or with one
 * core, nothing is pinned, and the results say so.
 */
import { execFile, spawnSync } from 'node:child_process';
import os from 'node:os';
import { promisify } from 'node:util';
import { processTree } from './cpu.ts';

const execute = promisify(execFile);

/**
 * `server`: what is measured. `others`: everything else. `pacer`: on the cores of the others, but before them where this user may (root): a
 * load at a steady pace needs little, and what it measures must not be its own waiting for the core.
 */
export type Core = 'server' | 'others' | 'pacer';

const CPUS = os.availableParallelism();

export const canPin: boolean = CPUS >= 2 && spawnSync('taskset', ['--version']).status === 0;

function cpuListOf(core: Core): string {
  if (core === 'server') return '0';
  return CPUS === 2 ? '1' : `1-${CPUS - 1}`;
}

/** A command line that runs there, with the command's own process id. */
export function pinned(core: Core, command: readonly string[]): [string, ...string[]] {
  const [file = '', ...args] = command;
  const first = core === 'pacer' && process.getuid?.() === 0 ? ['nice', '-n', '-10'] : [];
  const all = [...first, ...(canPin ? ['taskset', '-c', cpuListOf(core)] : []), file, ...args];
  return [all[0] ?? '', ...all.slice(1)];
}

/** Moves a running process there, with its threads and children. */
export async function pinProcess(core: Core, pid: number): Promise<void> {
  if (!canPin) return;
  for (const each of processTree(pid)) {
    // One of the children may have ended meanwhile.
    await execute('taskset', ['-a', '-c', '-p', cpuListOf(core), String(each)]).catch(() => undefined);
  }
}

/** One sentence for the results. */
export function pinningNote(): string {
  return canPin
    ? `Server on cpu ${cpuListOf('server')}; load, Redis, Postgres and the bench on cpu ${cpuListOf('others')}.`
    : 'Nothing was pinned (no taskset, or one core): the sides disturb each other.';
}
