import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { runWorkQueue, type WorkQueueDeps } from '../../src/infra/run-work-queue.ts';
import { enqueue, handleTask, RetryLater, type Task } from '../../src/infra/work-queue.ts';
import { type Program, runProgram } from '../support/child-program.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';

const PRINT: Task<{ number: number }> = { name: 'print', payload: z.object({ number: z.number() }) };
const WAIT = { timeout: 20_000, interval: 20 };

let database: TestDatabase;
let programs: Program[];
let queues: { stop(): Promise<void> }[];
let numbers: number[];
/** Lines of the log at warn and above. */
let logged: { level: number; msg: string; err?: { message: string } }[];

beforeEach(async () => {
  database = await createTestDatabase();
  [programs, queues, numbers, logged] = [[], [], [], []];
});
afterEach(async () => {
  for (const { child } of programs) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(programs.map(async ({ ended }) => ended));
  await Promise.all(queues.map(async (queue) => queue.stop()));
  await database.drop();
});

const PROGRAM = path.resolve(import.meta.dirname, '..', 'support', 'run-work-queue.ts');

async function startProgram(...more: string[]): Promise<Program> {
  const program = runProgram(PROGRAM, [database.url, ...more], {});
  programs.push(program);
  await program.line(/^running$/);
  return program;
}

interface Opened {
  metrics: () => Promise<string>;
  stop(): Promise<void>;
}

function open(
  run: (number: number, signal: AbortSignal) => Promise<void>,
  { databaseUrl = database.url, ...limits }: WorkQueueDeps['limits'] & { databaseUrl?: string } = {},
): Opened {
  const registry = createMetricsRegistry();
  const queue = runWorkQueue({
    databaseUrl,
    tasks: [handleTask(PRINT, async ({ number }, signal) => run(number, signal))],
    concurrency: 4,
    log: pino({ level: 'warn' }, { write: (line) => void logged.push(JSON.parse(line)) }),
    metrics: registry,
    limits: { beatMs: 50, deadAfterMs: 60_000, pollMs: 50, ...limits },
  });
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => (stopping ??= queue.stop());
  queues.push({ stop });
  return { metrics: async () => registry.metrics(), stop };
}

const note = async (number: number): Promise<void> => void numbers.push(number);

async function add(number: number, options?: Parameters<typeof enqueue>[3]): Promise<void> {
  await inTransaction(database.db, async (tx) => enqueue(tx, PRINT, { number }, options));
}

interface Job {
  attempts: number;
  isLocked: boolean;
  lastError: string | null;
  pauseSeconds: number;
}

async function listJobs(): Promise<Job[]> {
  const { rows } = await database.db.query<Job>(
    `select j.attempts, j.locked_at is not null as "isLocked", j.last_error as "lastError",
       extract(epoch from j.run_at - now())::float8 as "pauseSeconds"
     from graphile_worker.jobs j order by j.id`,
  );
  return rows;
}

async function makeAllDue(): Promise<void> {
  await database.db.query(
    'select from graphile_worker.reschedule_jobs(array(select j.id from graphile_worker.jobs j), run_at => now())',
  );
}

test('a job exists exactly when its transaction is committed, and runs once', async () => {
  const [first, second] = await Promise.all([startProgram(), startProgram()]);
  const rolledBack = inTransaction(database.db, async (tx) => {
    await enqueue(tx, PRINT, { number: 1 });
    throw new Error('changed its mind');
  });
  await expect(rolledBack).rejects.toThrow('changed its mind');
  expect(await listJobs()).toEqual([]);
  const tx = await database.db.connect();
  await tx.query('begin');
  await enqueue(tx, PRINT, { number: 2 });
  await sleep(500);
  const lines = (): string[] => [first, second].flatMap((each) => each.stdout().match(/^(?:began|ended).*$/gm) ?? []);
  expect(lines()).toEqual([]);
  await tx.query('commit');
  tx.release();
  await vi.waitFor(() => expect(lines()).toEqual(['began 2', 'ended 2']), WAIT);
  await vi.waitFor(async () => expect(await listJobs()).toEqual([]), WAIT);
  await sleep(500);
  expect(lines()).toEqual(['began 2', 'ended 2']);
});

test('two workers share many jobs and never run one twice', async () => {
  const both = await Promise.all([startProgram(), startProgram()]);
  await inTransaction(database.db, async (tx) => {
    for (let number = 0; number < 200; number += 1) await enqueue(tx, PRINT, { number });
  });
  await vi.waitFor(async () => expect(await listJobs()).toEqual([]), WAIT);
  const began = both.map((each) => each.stdout().match(/^began \d+$/gm) ?? []);
  expect(new Set(began.flat()).size).toBe(200);
  expect(began.flat()).toHaveLength(200);
  expect(Math.min(...began.map((lines) => lines.length))).toBeGreaterThan(0);
});

test('the job of a worker that was killed runs again on another one, after the time without a heartbeat', async () => {
  const killed = await startProgram('hangs');
  await add(1);
  await killed.line(/^began 1$/);
  // It holds its job for as long as it lives, also beyond the time that counts as dead.
  open(note, { deadAfterMs: 2_000 });
  await sleep(3_000);
  expect(numbers).toEqual([]);
  killed.child.kill('SIGKILL');
  await killed.ended;
  const killedAtMs = performance.now();
  await vi.waitFor(() => expect(numbers).toEqual([1]), WAIT);
  expect(performance.now() - killedAtMs).toBeGreaterThan(1_500);
  await vi.waitFor(async () => expect(await listJobs()).toEqual([]), WAIT);
  expect(logged.map(({ msg }) => msg)).toEqual(['unlocked the jobs of a dead worker']);
});

test('a worker that is stopped gives its jobs back: another one runs them at once, and no attempt is counted', async () => {
  const stopped = await startProgram('hangs');
  await add(1);
  await stopped.line(/^began 1$/);
  stopped.child.kill('SIGTERM');
  expect(await stopped.ended).toBe(0);
  expect(await listJobs()).toMatchObject([{ attempts: 0, isLocked: false }]);
  open(note);
  await vi.waitFor(() => expect(numbers).toEqual([1]), WAIT);
});

test('a job that a newer one replaced while it ran does not run again after the newer one', async () => {
  let aborted = false;
  const began: number[] = [];
  const first = open(async (number, signal) => {
    began.push(number);
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(new Error('stopped'));
      });
    });
  });
  await add(1, { key: 'same' });
  await vi.waitFor(() => expect(began).toEqual([1]), WAIT);
  await add(2, { key: 'same', runAt: new Date(Date.now() + 3_600_000) });
  await first.stop();
  expect(aborted).toBe(true);
  open(note);
  await makeAllDue();
  await vi.waitFor(() => expect(numbers).toContain(2), WAIT);
  await sleep(500);
  expect(numbers).toEqual([2]);
});

test('a failing job is tried again with growing pauses, is counted, and in the end stays as failed', async () => {
  let fault: Error = new RetryLater('the server elsewhere is down');
  const queue = open(async () => {
    throw fault;
  });
  await add(1, { maxAttempts: 3 });
  const failed = async (attempts: number, pauseSeconds: number): Promise<void> => {
    await vi.waitFor(async () => expect(await listJobs()).toMatchObject([{ attempts, isLocked: false }]), WAIT);
    const [job] = await listJobs();
    expect(job?.lastError).toBe(fault.message);
    expect(job?.pauseSeconds).toBeLessThan(pauseSeconds + 0.1);
    expect(job?.pauseSeconds).toBeGreaterThan(pauseSeconds - 2);
    expect(await queue.metrics()).toContain(`work_queue_failures_total{task="print"} ${attempts}`);
  };
  await failed(1, 2.7);
  await vi.waitFor(async () => expect(await queue.metrics()).toContain('work_queue_jobs{task="print"} 1'), WAIT);
  // An expected failure is no line of the log, an unexpected one is.
  expect(logged).toEqual([]);
  fault = new Error('a bug');
  await makeAllDue();
  await failed(2, 7.4);
  await makeAllDue();
  await failed(3, 20.1);
  await makeAllDue();
  await vi.waitFor(async () => expect(await queue.metrics()).toContain('work_queue_jobs{task="print"} 0'), WAIT);
  expect(await queue.metrics()).toContain('work_queue_failures_total{task="print"} 3');
  expect(logged).toMatchObject([
    { level: 40, msg: 'a job failed; it will be tried again', err: { message: 'a bug' } },
    { level: 50, msg: 'a job failed its last attempt', err: { message: 'a bug' } },
  ]);
});

test('the time for which the oldest job has been due is measured, of jobs that this worker could run', async () => {
  const queue = open(async (_number, signal) => {
    await sleep(600_000, undefined, { signal });
  });
  for (let number = 0; number < 5; number += 1) await add(number, { runAt: new Date(Date.now() - 100_000 - number) });
  await database.db.query(
    `select from graphile_worker.add_job('of_another_worker', run_at => now() - interval '1 day')`,
  );
  await vi.waitFor(async () => {
    const text = await queue.metrics();
    expect(text).toContain('work_queue_jobs{task="print"} 5');
    expect(text).toContain('work_queue_jobs{task="of_another_worker"} 1');
    expect(Number(/^work_queue_oldest_due_seconds (\S+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(100);
  }, WAIT);
  expect(Number(/^work_queue_oldest_due_seconds (\S+)$/m.exec(await queue.metrics())?.[1])).toBeLessThan(200);
});

test('a payload that does not fit fails its job with what is wrong, and cannot be enqueued', async () => {
  open(note);
  await database.db.query(`select from graphile_worker.add_job('print', '{"number": "one"}')`);
  await vi.waitFor(async () => expect((await listJobs())[0]?.lastError).not.toBeNull(), WAIT);
  const sentence = 'The payload of this print job does not fit its schema: number: ';
  expect((await listJobs())[0]?.lastError).toContain(sentence);
  expect(numbers).toEqual([]);
  const wrong = { number: 'one' } as unknown as { number: number };
  await expect(inTransaction(database.db, async (tx) => enqueue(tx, PRINT, wrong))).rejects.toThrow(sentence);
});

test('of two jobs with one key the later one replaces the earlier, and follows one that runs; a job waits for its time', async () => {
  await add(1, { key: 'k' });
  await add(2, { key: 'k' });
  await add(3, { runAt: new Date(Date.now() + 3_600_000) });
  const going = Promise.withResolvers<void>();
  open(async (number) => {
    numbers.push(number);
    if (number === 2) await going.promise;
  });
  await vi.waitFor(() => expect(numbers).toEqual([2]), WAIT);
  await add(4, { key: 'k' });
  await vi.waitFor(() => expect(numbers).toEqual([2, 4]), WAIT);
  going.resolve();
  await vi.waitFor(async () => expect(await listJobs()).toHaveLength(1), WAIT);
  expect(numbers).toEqual([2, 4]);
});

test('an outage of Postgres ends no worker: it goes on by itself, and loses no job', async () => {
  const proxy = await createTcpProxy(database.url);
  const going = Promise.withResolvers<void>();
  const queue = open(
    async (number) => {
      numbers.push(number);
      if (number === 1) await going.promise;
    },
    { databaseUrl: proxy.url, deadAfterMs: 1_000 },
  );
  await add(1);
  await vi.waitFor(() => expect(numbers).toEqual([1]), WAIT);
  await proxy.cut();
  // Its end cannot be stored.
  going.resolve();
  await add(2);
  await sleep(1_000);
  expect(numbers).toEqual([1]);
  await proxy.heal();
  await vi.waitFor(() => expect(numbers).toContain(2), WAIT);
  await vi.waitFor(async () => expect(await listJobs()).toEqual([]), WAIT);
  await queue.stop();
}, 60_000);

test('signals are left to the process', async () => {
  const before = process.listenerCount('SIGTERM');
  const queue = open(note);
  await add(1);
  await vi.waitFor(() => expect(numbers).toEqual([1]), WAIT);
  expect(process.listenerCount('SIGTERM')).toBe(before);
  await queue.stop();
});
