import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stopProcess } from '../../src/local/processes.ts';
import { BenchFault } from '../subject.ts';
import { onEnd } from './cleanup.ts';
import { pinned } from './pin.ts';
import type { Core } from './pin.ts';

/** Of this bench. */
export const CHECKOUT: string = path.resolve(import.meta.dirname, '..', '..');
/** The Node that runs the bench runs every side of it. */
export const NODE: string = process.execPath;

const READY_MS = 30_000;
const POLL_MS = 10;
const KEPT_OUTPUT = 20_000;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 12_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
] as const;

export interface ProgramOptions {
  /** The whole environment; PATH is added. */
  env?: Record<string, string>;
  core: Core;
  cwd?: string;
}

/** A process of its own under test, or one that makes load. */
export interface Program {
  pid: number;
  /** Waits for a line on standard output and returns it; a BenchFault with the end of its output where it ends before, or takes 30 s. */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>;
  output(): string;
  hasEnded(): boolean;
  /** Resolves to the exit code; null where a signal ended it. */
  ended: Promise<number | null>;
  /** SIGTERM, and SIGKILL where that was not enough. */
  stop(): Promise<void>;
}

/** Starts a command on a core. It is stopped at the end of the bench at the latest. */
export function startProgram(command: readonly string[], { env = {}, core, cwd = CHECKOUT }: ProgramOptions): Program {
  const [file, ...args] = pinned(core, command);
  const child = spawn(file, args, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches the bench alone, which then stops everything in order.
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-KEPT_OUTPUT)));
  }
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.once('error', (error) => {
    output += String(error);
    resolve(null);
  });
  child.once('close', resolve);
  let isOver = false;
  void ended.then(() => (isOver = true));
  const pid = child.pid ?? 0;
  const stop = onEnd(async () => {
    if (!isOver && pid > 0) await stopProcess(pid, [...STOP_STEPS]);
    await ended;
  });
  const line = async (pattern: RegExp, timeoutMs = READY_MS): Promise<string> => {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const found = output.split('\n').find((each) => pattern.test(each));
      if (found !== undefined) return found;
      if (isOver || performance.now() > deadlineMs)
        throw new BenchFault(`'${command.join(' ')}' did not say ${pattern.source}. It said:\n${output}`);
      await sleep(POLL_MS);
    }
  };
  return { pid, line, output: () => output, hasEnded: () => isOver, ended, stop };
}
