import { appendFileSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { signalProcess } from '../../src/local/processes.ts';
import { endWithUs } from './last-resort.ts';
import { CHECKOUT, runProgram } from '../support/child-program.ts';
import type { Program } from '../support/child-program.ts';

export interface Launch {
  /** How it is called in reports: `app 1`. */
  name: string;
  /** Arguments of `./daihuo`, or of another TypeScript file. */
  args: string[];
  /** A TypeScript file; `./daihuo` where it is left out. */
  file?: string;
  env: Record<string, string>;
  /** Takes what it prints, all lives after each other. */
  logFile: string;
}

export interface Ended {
  code: number | null;
  tookMs: number;
}

/** What must never stand in a log: a state nobody foresaw. */
const FORBIDDEN_IN_LOG = /uncaughtException|unhandledRejection|MaxListenersExceededWarning|"level":"fatal"/;
/** A second signal or a longer wait would hide that a stop hangs. */
const STOP_WITHIN_MS = 15_000;

/** One process of daihuo that is killed and started again, always in the same place. */
export class DaihuoProcess {
  readonly name: string;
  readonly #launch: Launch;
  readonly #faults: string[] = [];
  #program: Program | undefined;
  #isExpectedToEnd = false;
  lives = 0;

  constructor(launch: Launch) {
    this.name = launch.name;
    this.#launch = launch;
    endWithUs(() => this.pid);
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    const child = this.#program?.child;
    return child === undefined || child.exitCode !== null || child.signalCode !== null ? undefined : child.pid;
  }

  /** Starts it without waiting. */
  spawn(): Program {
    const { file, args, env } = this.#launch;
    const [program, rest] = file === undefined ? [path.join(CHECKOUT, 'daihuo'), args] : [file, args];
    const started = runProgram(program, rest, env, file === undefined ? { node: '/bin/sh' } : {});
    this.#isExpectedToEnd = false;
    this.#program = started;
    this.lives += 1;
    void this.#watch(started);
    return started;
  }

  /** Starts it and waits until it says that it is ready. @returns how long that took, ms */
  async start(): Promise<number> {
    const startedAtMs = performance.now();
    await this.spawn().line(/^daihuo .*ready/);
    return Math.round(performance.now() - startedAtMs);
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM. Resolves when it has stopped by itself; one that does not is a fault and is killed. */
  async terminate(): Promise<Ended> {
    return this.#end('SIGTERM');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.pid !== undefined) signalProcess(this.pid, signal);
  }

  /** From now on it may end by itself, as a program that kills itself at a named point does. @returns when it has ended */
  async endsByItself(): Promise<void> {
    this.#isExpectedToEnd = true;
    await this.#program?.ended;
  }

  /** Resident memory; undefined while it does not run. */
  rssBytes(): number | undefined {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
    } catch {
      return undefined;
    }
  }

  openFiles(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return undefined;
    }
  }

  /** Ends nobody asked for, stops that hung, and lines that must not stand in a log, of all its lives. */
  faults(): readonly string[] {
    const running = this.#program === undefined ? [] : this.#logFaults(this.#program);
    return [...this.#faults, ...running];
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Ended> {
    const program = this.#program;
    if (program === undefined || this.pid === undefined) return { code: null, tookMs: 0 };
    this.#isExpectedToEnd = true;
    const startedAtMs = performance.now();
    signalProcess(this.pid, signal);
    // A stopped process takes no signal but this one.
    if (signal === 'SIGTERM') signalProcess(this.pid, 'SIGCONT');
    const force = setTimeout(() => {
      this.#faults.push(`${this.name} did not stop within ${STOP_WITHIN_MS} ms`);
      program.child.kill('SIGKILL');
    }, STOP_WITHIN_MS);
    const code = await program.ended;
    clearTimeout(force);
    return { code, tookMs: Math.round(performance.now() - startedAtMs) };
  }

  async #watch(program: Program): Promise<void> {
    const code = await program.ended;
    if (!this.#isExpectedToEnd) {
      const last = program.stderr().trimEnd().split('\n').at(-1) ?? '';
      this.#faults.push(`${this.name} ended by itself (code ${code}): ${last.slice(0, 300)}`);
    }
    this.#faults.push(...this.#logFaults(program));
    if (this.#program === program) this.#program = undefined;
    appendFileSync(
      this.#launch.logFile,
      `--- ${this.name}, life ${this.lives}\n${program.stdout()}${program.stderr()}`,
    );
  }

  #logFaults(program: Program): string[] {
    const lines = program
      .stderr()
      .split('\n')
      .filter((line) => FORBIDDEN_IN_LOG.test(line));
    return lines.map((line) => `${this.name} logged ${line.slice(0, 300)}`);
  }
}
