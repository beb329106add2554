import type { z } from 'zod';
import type { Queryable, Tx } from './db.ts';

/**
 * The work queue: jobs that are done later and tried again until they succeed. They wait in Postgres, in the schema `graphile_worker`, so a job
 * exists exactly when the transaction that enqueued it was committed. `run-work-queue.ts` runs them; this file is SQL only, so that a process
 * that enqueues does not load the library.
 */
export interface Task<Payload> {
  /** Snake case; the name of the job in the database and in metrics. Jobs of an older version keep it, so it never changes. */
  name: string;
  /** Checked when a job is enqueued and again when it runs, because another version of daihuo may have enqueued it. */
  payload: z.ZodType<Payload>;
  /** 25 by default: the 24 pauses between them last about four days (see `TaskHandler`). */
  maxAttempts?: number;
}

/**
 * A task together with the code that does it.
 *
 * A job that throws is tried again after e^attempts seconds, and from the tenth attempt on after e^10: 2.7 s, 7.4 s, 20 s, 55 s, 2.5 min,
 * 6.7 min, 18 min, 50 min, 2.3 h, 6.1 h, 6.1 h, … After its last attempt it stays in the queue for 30 days, with its error, and is not run.
 */
export interface TaskHandler {
  task: Task<unknown>;
  run: (payload: unknown, signal: AbortSignal) => Promise<void>;
}

/**
 * Binds a task to the code that does it.
 *
 * @param run  Must be idempotent: a job runs again where its process ended before the job was marked as done. A run that returns is done; one
 *   that `signal` ended early must throw, and its job is given back without counting the attempt. Throw `RetryLater` for a failure that is no
 *   fault of daihuo.
 */
export function handleTask<Payload>(
  task: Task<Payload>,
  run: (payload: Payload, signal: AbortSignal) => Promise<void>,
): TaskHandler {
  return {
    task,
    run: async (given, signal) => {
      const parsed = task.payload.safeParse(given);
      if (!parsed.success) throw new Error(describePayloadFault(task, parsed.error));
      await run(parsed.data, signal);
    },
  };
}

/** An expected failure, such as a server elsewhere that is down: the job is tried again, and the log shows no error. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
}

function describePayloadFault(task: Task<unknown>, error: z.ZodError): string {
  const faults = error.issues.map(
    ({ path, message }) => `${path.length === 0 ? '(whole)' : path.join('.')}: ${message}`,
  );
  return `The payload of this ${task.name} job does not fit its schema: ${faults.join('; ')}.`;
}

export interface EnqueueOptions {
  /** Not before this; now by default. */
  runAt?: Date;
  /**
   * One waiting job a key: a second one replaces the payload, the time and the attempts of the first. Where the first is being run, the second
   * runs after it, because the first may have read the older state.
   */
  key?: string;
  /** Overrides that of the task. */
  maxAttempts?: number;
}

// One job, in the transaction of the caller: it exists when that is committed. Served by the unique keys of the schema graphile_worker.
const ENQUEUE = `
select from graphile_worker.add_job(identifier => $1, payload => $2::json, run_at => $3, max_attempts => $4::integer, job_key => $5)`;

/** @throws Error where the payload does not fit the schema of the task: a bug of the caller */
export async function enqueue<Payload>(
  tx: Tx,
  task: Task<Payload>,
  payload: Payload,
  options: EnqueueOptions = {},
): Promise<void> {
  const parsed = task.payload.safeParse(payload);
  if (!parsed.success) throw new Error(describePayloadFault(task, parsed.error));
  const { runAt, key, maxAttempts = task.maxAttempts } = options;
  const values = [task.name, JSON.stringify(payload), runAt ?? null, maxAttempts ?? null, key ?? null];
  await tx.query({ name: 'enqueue_job', text: ENQUEUE, values });
}

/** The newest migration of graphile-worker 0.18.0. `migrate` refuses a library whose newest one is another, so the two change together. */
export const WORK_QUEUE_VERSION = 20;
/** How a list of migrations names that of the library. */
export const WORK_QUEUE_MIGRATION = `graphile_worker ${WORK_QUEUE_VERSION}`;

// `to_regclass` answers null where there is no such table, so the transaction goes on.
const FIND_SCHEMA = `select to_regclass('graphile_worker.migrations') is not null as "isThere"`;
const FIND_VERSION = `select coalesce(max(m.id), 0) as "version" from graphile_worker.migrations m`;

/** The migration of the library that the database has; 0 where it has none. */
export async function findWorkQueueVersion(db: Queryable): Promise<number> {
  const { rows: schemas } = await db.query<{ isThere: boolean }>(FIND_SCHEMA);
  if (schemas[0]?.isThere !== true) return 0;
  const { rows } = await db.query<{ version: number }>(FIND_VERSION);
  return rows[0]?.version ?? 0;
}
