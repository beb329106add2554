/** Hurts the private Redis of a subject, and brings it back. */
import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { stopProcess } from '../../src/local/processes.ts';
import { BenchFault } from '../subject.ts';
import { onEnd } from './cleanup.ts';
import { pinProcess } from './pin.ts';
import type { BenchServices } from './services.ts';

/** `hang`: it keeps its connections and answers nothing (SIGSTOP). `kill`: it is gone (SIGKILL), and started again on its data. */
export type OutageKind = 'hang' | 'kill';

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;

function listOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\0').filter(Boolean);
}

/** Everything it takes to start the same server on the same data once more. */
function captureProcess(pid: number) {
  const [argv0 = '', ...args] = listOf(`/proc/${pid}/cmdline`);
  const environment = listOf(`/proc/${pid}/environ`).map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  const { uid, gid } = statSync(`/proc/${pid}`);
  return { file: readlinkSync(`/proc/${pid}/exe`), argv0, args, env: Object.fromEntries(environment), uid, gid };
}

async function waitUntilReady(url: string): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.ping();
      return;
    } catch {
      await sleep(POLL_MS);
    } finally {
      client.disconnect();
    }
  }
  throw new BenchFault('Redis did not come back');
}

async function hang(pid: number, outageMs: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const wake = onEnd(() => void process.kill(pid, 'SIGCONT'));
  await sleep(outageMs);
  await wake();
}

async function killAndRestart({ redisPid, redisUrl }: BenchServices, outageMs: number): Promise<void> {
  const { file, args, ...rest } = captureProcess(redisPid);
  process.kill(redisPid, 'SIGKILL');
  await sleep(outageMs);
  const child = spawn(file, args, { ...rest, cwd: '/', detached: true, stdio: 'ignore' });
  child.unref();
  const pid = child.pid ?? 0;
  onEnd(async () => void (await stopProcess(pid, [...STOP_STEPS])));
  await pinProcess('others', pid);
  await waitUntilReady(redisUrl);
}

/**
 * Takes Redis away for so long. After `kill`, `services.redisPid` names a process that is gone: such a subject starts services anew.
 *
 * @returns when Redis answers again
 */
export async function takeRedisAway(services: BenchServices, kind: OutageKind, outageMs: number): Promise<void> {
  await (kind === 'hang' ? hang(services.redisPid, outageMs) : killAndRestart(services, outageMs));
}
