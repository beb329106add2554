import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const CHECKOUT = path.resolve(import.meta.dirname, '..', '..');

export interface ProgramOptions {
  node?: string;
  cwd?: string;
  uid?: number;
  gid?: number;
}

/** A TypeScript file that runs as a process of its own. */
export interface Program {
  child: ChildProcessWithoutNullStreams;
  /** What it printed so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when it has printed a line that matches; rejects with all it said if it ends before, or within 120 s. */
  line(pattern: RegExp): Promise<string>;
  /** Resolves to its exit code; null if a signal ended it. */
  ended: Promise<number | null>;
}

/** Starts `file` with exactly this environment. */
export function runProgram(
  file: string,
  args: string[],
  env: Record<string, string>,
  options?: ProgramOptions,
): Program {
  const { node = process.execPath, ...rest } = options ?? {};
  const child = spawn(node, [file, ...args], { env, cwd: CHECKOUT, ...rest, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const line = async (pattern: RegExp): Promise<string> => {
    const deadlineMs = performance.now() + 120_000;
    for (;;) {
      const found = stdout.split('\n').find((each) => pattern.test(each));
      if (found !== undefined) return found;
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (isOver || performance.now() > deadlineMs)
        throw new Error(`no line ${pattern.source} in:\n${stdout}\n${stderr}`);
      await sleep(20);
    }
  };
  return { child, stdout: () => stdout, stderr: () => stderr, line, ended };
}

/** Processes of this machine whose command line holds `text`. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}
