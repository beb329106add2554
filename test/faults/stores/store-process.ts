import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, signalProcess, startDaemon } from '../../../src/local/processes.ts';
import type { Daemon, ServiceUser } from '../../../src/local/processes.ts';
import { endWithUs, hold } from '../last-resort.ts';
import type { Environment } from '../../../src/infra/config.ts';

export interface StoreProgram {
  file: string;
  args: string[];
  env: Environment;
  user: ServiceUser;
  logFile: string;
  argv0?: string;
}

const POLL_MS = 10;
/** What a killed server leaves behind ends by itself, once it notices. */
const GONE_WITHIN_MS = 15_000;

/** Pids of processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => {
      if (!(candidate > 0)) return false;
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

/** A database server as a direct child: killed, stopped, continued and started again on the same data, and reaped each time. */
export class StoreProcess {
  readonly #program: (further: readonly string[]) => StoreProgram;
  #daemon: Daemon | undefined;

  constructor(program: (further: readonly string[]) => StoreProgram) {
    this.#program = program;
    endWithUs(() => this.pid);
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#daemon === undefined || this.#daemon.hasExited() ? undefined : this.#daemon.pid;
  }

  async spawn(further: readonly string[]): Promise<void> {
    const { file, args, ...options } = this.#program(further);
    this.#daemon = await startDaemon(file, args, options);
  }

  /** SIGKILL, to the server alone or to its children too; resolves when all of them are gone. */
  async kill(whom: 'server' | 'all' = 'server'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.hasExited()) return;
    const children = childrenOf(daemon.pid);
    signalProcess(daemon.pid, 'SIGKILL');
    if (whom === 'all') for (const child of children) signalProcess(child, 'SIGKILL');
    await hold(daemon.exited);
    await this.#gone(children);
  }

  /** Asks it to stop in order and waits; by force after the time it usually takes. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.hasExited()) return;
    this.resume();
    signalProcess(daemon.pid, signal);
    const force = setTimeout(() => signalProcess(daemon.pid, 'SIGKILL'), 10_000);
    await daemon.exited;
    clearTimeout(force);
  }

  /** Stops it in its tracks, with every process it has: the machine still accepts connections for it, and nothing answers. */
  pause(): void {
    this.#signalAll('SIGSTOP');
  }

  resume(): void {
    this.#signalAll('SIGCONT');
  }

  #signalAll(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this;
    if (pid === undefined) return;
    signalProcess(pid, signal);
    for (const child of childrenOf(pid)) signalProcess(child, signal);
  }

  async #gone(pids: readonly number[]): Promise<void> {
    const deadlineMs = performance.now() + GONE_WITHIN_MS;
    while (pids.some(isRunning)) {
      if (performance.now() > deadlineMs) throw new Error('children of a killed server live on');
      await sleep(POLL_MS);
    }
  }
}
