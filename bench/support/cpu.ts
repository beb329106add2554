/** CPU time and memory of processes, from /proc (Linux; elsewhere everything reads as 0 and the tables say NaN or 0). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: fixed on Linux, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
/** Parent of all kernel threads. */
const KTHREADD = 2;

function readProc(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, 'utf8');
  } catch {
    return '';
  }
}

interface ProcessStat {
  parent: number;
  /** User and system, of itself. */
  ownTicks: number;
  /** Of children that ended and were waited for. */
  reapedTicks: number;
}

function readStat(pid: number): ProcessStat | undefined {
  const text = readProc(`${pid}/stat`);
  if (text === '') return undefined;
  // The command in front may hold spaces and brackets. From the state on: 1 is the parent, 11–14 are utime, stime, cutime, cstime.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const at = (index: number): number => Number(fields[index] ?? 0);
  return { parent: at(1), ownTicks: at(11) + at(12), reapedTicks: at(13) + at(14) };
}

function readAllStats(): Map<number, ProcessStat> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.flatMap((name) => {
      const stat = readStat(Number(name));
      return stat === undefined ? [] : [[Number(name), stat] as const];
    }),
  );
}

function treeIn(stats: ReadonlyMap<number, ProcessStat>, root: number): number[] {
  const tree = [root];
  for (const parent of tree) {
    for (const [pid, stat] of stats) if (stat.parent === parent && !tree.includes(pid)) tree.push(pid);
  }
  return tree;
}

/** A process and all its descendants. */
export function processTree(pid: number): number[] {
  return treeIn(readAllStats(), pid);
}

/** CPU seconds that a process, its descendants and those of them that ended have used since they began. */
export function cpuSecondsOf(pid: number): number {
  const stats = readAllStats();
  const ticks = treeIn(stats, pid).map((each) => {
    const stat = stats.get(each);
    return stat === undefined ? 0 : stat.ownTicks + stat.reapedTicks;
  });
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}

/** The parent of a process; 0 where there is none. */
export function parentOf(pid: number): number {
  return readStat(pid)?.parent ?? 0;
}

export interface Memory {
  residentMb: number;
  /** The most it was since the process began. */
  peakMb: number;
}

/** Of one process, without its children. */
export function memoryOf(pid: number): Memory {
  const status = readProc(`${pid}/status`);
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { residentMb: kilobytes('VmRSS') / 1_024, peakMb: kilobytes('VmHWM') / 1_024 };
}

interface MachineSample {
  atMs: number;
  /** User, nice, system and stolen time of all cores. Not the interrupts: those of our own traffic on the loopback are there. */
  busyTicks: number;
  ourTicks: number;
}

function sampleMachine(roots: readonly number[]): MachineSample {
  const [, user = 0, nice = 0, system = 0, , , , , steal = 0] =
    /^cpu .*$/m.exec(readProc('stat'))?.[0].split(/\s+/).map(Number) ?? [];
  const stats = readAllStats();
  const ours = new Set(roots.flatMap((root) => treeIn(stats, root)));
  let ourTicks = 0;
  for (const [pid, stat] of stats) {
    // Kernel threads write our files and move our packets.
    if (ours.has(pid) || stat.parent === KTHREADD) ourTicks += stat.ownTicks + stat.reapedTicks;
  }
  return { atMs: performance.now(), busyTicks: user + nice + system + steal, ourTicks };
}

/**
 * Watches what others use of the machine while something of ours runs.
 *
 * @param roots  our processes, beside this one and its descendants
 * @returns asked at the end: cores used by others, on average (0.1 is a tenth of one core)
 */
export function watchForeignCpu(roots: readonly number[] = []): () => number {
  const all = [process.pid, ...roots];
  const before = sampleMachine(all);
  return () => {
    const after = sampleMachine(all);
    const foreignTicks = after.busyTicks - before.busyTicks - (after.ourTicks - before.ourTicks);
    const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000);
    return Math.max(0, foreignTicks / TICKS_PER_SECOND / seconds);
  };
}
