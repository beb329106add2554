import { EventEmitter } from 'node:events';
import { Logger as LibraryLogger, run, type Runner, type TaskList, type WorkerEvents } from 'graphile-worker';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { Counter, Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';
import { sleep } from './retry.ts';
import { RetryLater, type TaskHandler } from './work-queue.ts';

export interface WorkQueueDeps {
  databaseUrl: string;
  /** The tasks that this process runs. Jobs of other tasks wait for a process that runs them. */
  tasks: readonly TaskHandler[];
  /** Jobs run at once. */
  concurrency: number;
  log: Logger;
  metrics: Registry<OpenMetricsContentType>;
  /** For tests: shorter times. */
  limits?: Partial<typeof LIMITS>;
}

const LIMITS = {
  /** Between two heartbeats, which also unlock the jobs of dead workers and measure the queue. */
  beatMs: 10_000,
  /** A worker without a heartbeat for this long is dead: five beats may be lost. The jobs of a killed worker come back within 72 s. */
  deadAfterMs: 60_000,
  /** A NOTIFY announces new jobs at once; this finds the ones whose time has come. */
  pollMs: 2_000,
};
/** After the library gave up, which it does when it cannot store the end of a job: 1 s, 2, 4, 8, 16, 30, 30, … */
const RESTART_MS = 1_000;
const LONGEST_RESTART_MS = 30_000;
/** Statements of the queue take milliseconds; the limit ends those that wait for a lock, or for a server that went silent. */
const STATEMENT_TIMEOUT_MS = 15_000;
const CONNECTION_TIMEOUT_MS = 5_000;

// The heartbeat of the worker $1. Served by work_queue_workers_pkey.
const BEAT = `
insert into work_queue_workers as w (id, seen_at) values ($1, now())
on conflict on constraint work_queue_workers_pkey do update set seen_at = excluded.seen_at`;

// Unlocks the jobs of workers without a heartbeat for $1 ms, so that they run again. A job locked a moment ago stays, because the first heartbeat
// of its worker may be on its way. Two workers that do it at once unlock each job once: the second finds it locked by another worker or by none.
// The locked jobs are as few as jobs run at once; a scan of the queue.
const UNLOCK_DEAD = `
with dead as (
  select j.locked_by as id, count(*)::integer as jobs
  from graphile_worker.jobs j
  where j.locked_at < now() - $1 * interval '1 millisecond'
    and not exists (
      select from work_queue_workers w where w.id = j.locked_by and w.seen_at >= now() - $1 * interval '1 millisecond')
  group by j.locked_by)
select d.id as "workerId", d.jobs as "jobs", graphile_worker.force_unlock_workers(array[d.id]) from dead d`;

const FORGET_WORKERS = `delete from work_queue_workers w where w.seen_at < now() - interval '1 hour'`;

// Jobs that failed their last attempt more than 30 days ago.
const FORGET_FAILED = `
select from graphile_worker.complete_jobs(array(
  select j.id from graphile_worker.jobs j
  where j.attempts >= j.max_attempts and j.locked_at is null and j.updated_at < now() - interval '30 days'
  limit 1000))`;

// Jobs that wait or run, by task, and how long the first one has been due, seconds; one whose last attempt failed waits for nothing. A scan of
// the queue.
const MEASURE = `
select j.task_identifier as "task", count(*)::integer as "jobs",
  coalesce(extract(epoch from now() - min(j.run_at) filter (where j.run_at <= now() and j.locked_at is null)), 0)::float8 as "dueSeconds"
from graphile_worker.jobs j
where j.attempts < j.max_attempts or j.locked_at is not null
group by j.task_identifier`;

// Gives a job back that the end of this process cut short: due at once, and the attempt does not count. A job that a newer one replaced
// while it ran has lost its key; it must not run again, after the newer one. By the primary key.
const GIVE_BACK = `
select from graphile_worker.reschedule_jobs(
  array(select j.id from graphile_worker.jobs j where j.id = $1::bigint and j.key is not distinct from $2),
  run_at => now(), attempts => $3::integer)`;

interface QueueMetrics {
  failures: Counter<'task'>;
  set(rows: { task: string; jobs: number; dueSeconds: number }[]): void;
}

function createQueueMetrics(registry: Registry<OpenMetricsContentType>, tasks: readonly string[]): QueueMetrics {
  const registers = [registry];
  const jobs = new Gauge({
    name: 'work_queue_jobs',
    help: 'Jobs of the work queue that wait or run, by task; the same in every worker',
    labelNames: ['task'],
    registers,
  });
  const oldest = new Gauge({
    name: 'work_queue_oldest_due_seconds',
    help: 'How long the first job that this worker could run has been due',
    registers,
  });
  const failures = new Counter({
    name: 'work_queue_failures_total',
    help: 'Attempts of jobs that failed, by task',
    labelNames: ['task'],
    registers,
  });
  for (const task of tasks) failures.inc({ task }, 0);
  return {
    failures,
    set: (rows) => {
      jobs.reset();
      for (const task of tasks) jobs.set({ task }, 0);
      for (const row of rows) jobs.set({ task: row.task }, row.jobs);
      const own = rows.filter(({ task }) => tasks.includes(task)).map(({ dueSeconds }) => dueSeconds);
      oldest.set(Math.max(0, ...own));
    },
  };
}

/** The library reports every failed attempt as an error; `runJob` already logs it, at the level it deserves. */
function createLibraryLog(log: Logger): LibraryLogger {
  return new LibraryLogger(() => (level, message, meta) => {
    if (meta?.['failure'] === true) return;
    // `info` reports each job that succeeded.
    const isTrouble = ['error', 'warning'].includes(level);
    log[isTrouble ? 'warn' : 'debug']({ library: 'graphile-worker' }, message);
  });
}

/** A pool of its own: the library needs the driver's own types (the ids of jobs as text), and keeps a connection for LISTEN. */
function openPool({ databaseUrl, concurrency, log }: WorkQueueDeps, signal: AbortSignal): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    // Each running job stores its end; one more for LISTEN and one for the heartbeat.
    max: concurrency + 2,
    application_name: 'daihuo-work-queue',
    keepAlive: true,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    // LISTEN is no running statement, so no limit ends it.
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 3_000,
  });
  const onError = (error: Error): void =>
    log[signal.aborted ? 'debug' : 'warn']({ err: error }, 'a connection of the work queue broke');
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  return pool;
}

/**
 * Runs jobs of the work queue until stopped. Any number of processes may do it; each job is run by one of them at a time.
 *
 * A worker that is killed leaves its jobs locked, and the library would unlock them after four hours. So each worker stores a heartbeat, and all
 * unlock the jobs of a worker without one for a minute. A worker that is frozen for longer and goes on then does its jobs beside another worker;
 * therefore tasks are idempotent.
 *
 * @returns `stop` takes no more jobs, fires the signal of those that run, gives back what they did not finish, and closes its connections
 */
export function runWorkQueue(deps: WorkQueueDeps): { stop(): Promise<void> } {
  const { tasks, concurrency, log } = deps;
  const { beatMs, deadAfterMs, pollMs } = { ...LIMITS, ...deps.limits };
  const names = tasks.map(({ task }) => task.name);
  const metrics = createQueueMetrics(deps.metrics, names);
  const stopping = new AbortController();
  const { signal } = stopping;
  const pool = openPool(deps, signal);
  const unfinished: { id: string; key: string | null; attempts: number }[] = [];
  let workerId: string | undefined;
  let runner: Runner | undefined;

  const runJob = async (
    handler: TaskHandler,
    payload: unknown,
    job: { id: string; key: string | null; attempts: number; max_attempts: number },
  ): Promise<void> => {
    const { name } = handler.task;
    try {
      await handler.run(payload, signal);
    } catch (error) {
      if (signal.aborted) {
        unfinished.push({ id: job.id, key: job.key, attempts: job.attempts - 1 });
        throw error;
      }
      metrics.failures.inc({ task: name });
      const isLast = job.attempts >= job.max_attempts;
      const isExpected = error instanceof RetryLater;
      const facts = { err: error, task: name, jobId: job.id, attempt: job.attempts };
      if (isLast) log[isExpected ? 'warn' : 'error'](facts, 'a job failed its last attempt');
      else log[isExpected ? 'debug' : 'warn'](facts, 'a job failed; it will be tried again');
      throw error;
    }
  };
  const taskList: TaskList = Object.fromEntries(
    tasks.map((handler) => [
      handler.task.name,
      async (
        payload: unknown,
        { job }: { job: { id: string; key: string | null; attempts: number; max_attempts: number } },
      ) => runJob(handler, payload, job),
    ]),
  );

  const startRunner = async (): Promise<Runner> => {
    const events: WorkerEvents = new EventEmitter();
    events.on('pool:create', ({ workerPool }) => (workerId = workerPool.id));
    return run({
      pgPool: pool,
      schema: 'graphile_worker',
      taskList,
      // Given, so that the library looks for no file.
      parsedCronItems: [],
      concurrency,
      pollInterval: pollMs,
      noHandleSignals: true,
      logger: createLibraryLog(log),
      events,
      // With a delay, even of 0 ms, an end that cannot be stored stops the runner, which starts again; without one it is an unhandled rejection.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    });
  };
  const keepRunning = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const startedAtMs = performance.now();
      try {
        runner = await startRunner();
        // Stopped while it started: `stop` did not see it.
        if (signal.aborted) await runner.stop();
        await runner.promise;
        if (!signal.aborted) log.warn('the work queue stopped by itself; it starts again');
      } catch (error) {
        log[signal.aborted ? 'debug' : 'warn']({ err: error }, 'the work queue failed; it starts again');
      }
      // Jobs that this runner could not end come back as those of a dead worker do.
      workerId = undefined;
      runner = undefined;
      if (performance.now() - startedAtMs > LONGEST_RESTART_MS) failures = 0;
      await sleep(Math.min(RESTART_MS * 2 ** Math.min(failures, 5), LONGEST_RESTART_MS), signal);
    }
  };

  const beat = async (): Promise<void> => {
    if (workerId !== undefined) await pool.query(BEAT, [workerId]);
    const { rows: dead } = await pool.query<{ workerId: string; jobs: number }>(UNLOCK_DEAD, [deadAfterMs]);
    for (const { workerId: id, jobs } of dead) log.warn({ worker: id, jobs }, 'unlocked the jobs of a dead worker');
    await pool.query(FORGET_WORKERS);
    await pool.query(FORGET_FAILED);
    const { rows } = await pool.query<{ task: string; jobs: number; dueSeconds: number }>(MEASURE);
    metrics.set(rows);
  };
  const keepBeating = async (): Promise<void> => {
    for (; !signal.aborted; await sleep(beatMs, signal)) {
      try {
        await beat();
      } catch (error) {
        log[signal.aborted ? 'debug' : 'warn']({ err: error }, 'the heartbeat of the work queue failed');
      }
    }
  };

  // Without a task the library would log an error at each poll; the queue is measured all the same.
  const loops = [keepBeating(), ...(tasks.length === 0 ? [] : [keepRunning()])];
  return {
    stop: async () => {
      stopping.abort(new Error('the work queue stops'));
      await runner?.stop().catch(() => undefined);
      await Promise.all(loops);
      try {
        for (const { id, key, attempts } of unfinished) await pool.query(GIVE_BACK, [id, key, attempts]);
      } finally {
        await pool.end();
      }
    },
  };
}
