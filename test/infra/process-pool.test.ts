import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { ProcessPool } from '../../src/cli/process-pool.ts';
import { CHECKOUT } from '../support/child-program.ts';
import { waitUntil } from '../support/timing.ts';

type Plan = 'ready' | 'ready, stubborn' | 'ready and ends' | 'ends';

let pool: ProcessPool;
let forkedAtMs: number[];
let ended: number[];
let lost: string[];

afterEach(async () => {
  pool.kill();
  await pool.stop().catch(() => undefined);
});

/** A pool of real processes; the n-th that is forked does what `plan` says of n, and those after the last the last. */
function openPool(count: number, plan: readonly [Plan, ...Plan[]], options?: { firstDelayMs: number }): ProcessPool {
  cluster.setupPrimary({ exec: path.join(CHECKOUT, 'test', 'support', 'run-pool-member.ts'), args: [], execArgv: [] });
  [forkedAtMs, ended, lost] = [[], [], []];
  pool = new ProcessPool({
    count,
    ...options,
    log: pino({ level: 'silent' }),
    fork: () => {
      const member = plan[Math.min(forkedAtMs.length, plan.length - 1)] ?? plan[0];
      forkedAtMs.push(performance.now());
      const worker = cluster.fork({ MEMBER: member });
      // A member ends only after the pool has read its message, however slow the machine is.
      if (member === 'ready and ends') worker.once('message', () => worker.send('end'));
      return worker;
    },
    onEnd: (worker: Worker) => ended.push(worker.process.pid ?? 0),
    onLost: ({ message }) => lost.push(message),
  });
  return pool;
}

test('all of them run, each in a process of its own, and stop at a signal', async () => {
  await openPool(3, ['ready']).start();
  expect(pool.readyCount).toBe(3);
  expect(new Set(pool.pids).size).toBe(3);
  pool.forwardSignal('SIGTERM');
  await pool.stop();
  expect([pool.pids, ended]).toEqual([[], []]);
});

test('when the first one does not get ready no other is tried, and the start fails with a sentence', async () => {
  await expect(openPool(3, ['ends']).start()).rejects.toThrow(
    'No process of daihuo gets ready; the last one ended with 3.',
  );
  expect(forkedAtMs).toHaveLength(1);
});

test('stopped while it starts, the start fails instead of waiting for ever', async () => {
  const started = openPool(2, ['ready']).start();
  pool.forwardSignal('SIGTERM');
  await expect(started).rejects.toThrow('stopped while starting');
  await pool.stop();
});

test('one that ends is replaced: those that end at once after 0.5 s, 1 s, 2 s', async () => {
  await openPool(1, ['ready and ends', 'ends', 'ends', 'ready']).start();
  await waitUntil(() => expect(pool.readyCount === 1 && forkedAtMs.length === 4).toBe(true));
  const pausesMs = forkedAtMs.slice(1).map((atMs, index) => atMs - (forkedAtMs[index] ?? 0));
  for (const [index, leastMs] of [500, 1_000, 2_000].entries()) expect(pausesMs[index]).toBeGreaterThanOrEqual(leastMs);
  expect(ended).toHaveLength(3);
  expect(lost).toEqual([]);
});

test('a process that was killed is replaced while the others go on', async () => {
  await openPool(2, ['ready']).start();
  const [first = 0, second = 0] = pool.pids;
  process.kill(first, 'SIGKILL');
  await waitUntil(() => expect(pool.readyCount === 2 && !pool.pids.includes(first)).toBe(true));
  expect(pool.pids).toContain(second);
  expect(ended).toEqual([first]);
});

test.each([
  { when: 'once all were ready', count: 1, plan: ['ready and ends', 'ends'] as const },
  { when: 'while the rest of them start', count: 2, plan: ['ready and ends', 'ends'] as const },
])('with none ready any more, five in a row that do not get ready are the end, $when', async ({ count, plan }) => {
  const failed: string[] = [];
  const started = openPool(count, plan, { firstDelayMs: 20 }).start();
  started.catch((error: Error) => failed.push(error.message));
  await waitUntil(() => expect([...lost, ...failed]).toHaveLength(1));
  expect([...lost, ...failed]).toEqual(['No process of daihuo gets ready; the last one ended with 3.']);
  expect(lost).toHaveLength(count === 1 ? 1 : 0);
});

test('one that does not stop in order makes the stop fail', async () => {
  await openPool(2, ['ready', 'ready, stubborn']).start();
  await expect(pool.stop()).rejects.toThrow('1 processes did not stop in order');
});
