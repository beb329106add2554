import { readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Outcome } from './scenario.ts';

/** What of one part of the long tier is done. */
export interface Progress {
  seed: number;
  outcomes: Outcome[];
}

function fileOf(part: number): string {
  return path.join(os.tmpdir(), `daihuo-faults-part-${part}.json`);
}

/** Undefined where that part was not begun, or finished. */
export async function readProgress(part: number): Promise<Progress | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(part), 'utf8')) as Progress;
  } catch {
    return undefined;
  }
}

export async function writeProgress(part: number, progress: Progress): Promise<void> {
  await writeFile(fileOf(part), JSON.stringify(progress));
}

export async function clearProgress(part: number): Promise<void> {
  await rm(fileOf(part), { force: true });
}
