import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { runWorkQueue } from '../../src/infra/run-work-queue.ts';
import type { TaskHandler } from '../../src/infra/work-queue.ts';
import type { TestDatabase } from './database.ts';

/** Runs a work queue of its own until nothing is due and nothing runs, or until `signal` stops it. */
export async function drainWorkQueue(
  { url, db }: TestDatabase,
  tasks: TaskHandler[],
  signal?: AbortSignal,
): Promise<void> {
  const queue = runWorkQueue({
    databaseUrl: url,
    tasks,
    concurrency: 4,
    log: pino({ level: 'silent' }),
    metrics: createMetricsRegistry(),
    limits: { pollMs: 20 },
  });
  try {
    const isStopped = (): boolean => signal?.aborted === true;
    for (let isBusy = true; isBusy && !isStopped();) {
      const { rows } = await db.query(
        `select from graphile_worker.jobs j
         where j.locked_at is not null or (j.run_at <= now() and j.attempts < j.max_attempts) limit 1`,
      );
      isBusy = rows.length > 0;
      if (isBusy) await sleep(10);
    }
  } finally {
    await queue.stop();
  }
}
