import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';

const TAIL_LINES = 12;

/** Begins a new log file for a service, readable by its owner only; keeps the one before as `<file>.1`. */
export async function startLogFile(file: string): Promise<void> {
  if (existsSync(file)) await rename(file, `${file}.1`);
  await writeFile(file, '', { mode: 0o600 });
}

/** The end of a log, for the message of a start that failed. */
export async function lastLines(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.slice(-TAIL_LINES).join('\n');
}
