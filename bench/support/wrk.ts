import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { BenchFault } from '../subject.ts';
import { pinned } from './pin.ts';

const execute = promisify(execFile);
const SCRIPT = path.join(import.meta.dirname, 'replay.lua');
/** wrk waits this long for what is under way when its time is over, and some more to print. */
const GRACE_MS = 20_000;

const result = z.object({
  requests: z.int(),
  durationUs: z.int(),
  p50Us: z.number(),
  p99Us: z.number(),
  p999Us: z.number(),
  maxUs: z.number(),
  badStatus: z.int(),
  socketErrors: z.int(),
});

export interface LoadResult {
  /** Answers, of whatever status. Up to one a connection was sent by the server and not read any more. */
  answered: number;
  seconds: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
  /** Statuses outside 2xx and 3xx. */
  badStatus: number;
  socketErrors: number;
}

/** @throws BenchFault that says how to get wrk */
export function requireWrk(): void {
  if (spawnSync('wrk', ['--version']).error === undefined) return;
  throw new BenchFault(
    "This subject makes its load with wrk, which is not installed: 'apt-get install wrk' or 'brew install wrk'.",
  );
}

/** As many requests as the server takes, over so many connections, from one thread on the cores of the others. */
export async function runWrk(load: {
  origin: string;
  visitsFile: string;
  connections: number;
  seconds: number;
}): Promise<LoadResult> {
  const [file, ...args] = pinned('others', [
    'wrk',
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '-s',
    SCRIPT,
    load.origin,
    '--',
    load.visitsFile,
  ]);
  const { stdout } = await execute(file, args, { timeout: load.seconds * 1_000 + GRACE_MS });
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new BenchFault(`wrk printed no result:\n${stdout}`);
  const read = result.parse(JSON.parse(line));
  const seconds = read.durationUs / 1e6;
  return {
    answered: read.requests,
    seconds,
    perSecond: read.requests / seconds,
    p50Ms: read.p50Us / 1e3,
    p99Ms: read.p99Us / 1e3,
    p999Ms: read.p999Us / 1e3,
    maxMs: read.maxUs / 1e3,
    badStatus: read.badStatus,
    socketErrors: read.socketErrors,
  };
}
