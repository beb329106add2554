import type { Logger } from 'pino';
import { outgoingJobs, type OutgoingJobDeps, outgoingTasks } from './catalog/products/outgoing-jobs.ts';
import { clickUpkeepJobs } from './clicks/upkeep.ts';
import { releaseDueLines } from './commissions/release/release.ts';
import { sealEntries } from './ledger/seal/sealer.ts';
import type { MetricsRegistry } from './http/metrics.ts';
import { deleteExpiredAnswers } from './http/queries.ts';
import { type Db, withAdvisoryLock } from './infra/db.ts';
import { createJobMetrics, repeat, type RepeatedJob } from './infra/repeat.ts';
import { countDueDestinations, countDueLines, countLinesToSweep, countUnsealedEntries } from './job-queries.ts';
import type { TaskHandler } from './infra/work-queue.ts';
import { deleteOldRawMessages } from './orders/intake/message-queries.ts';
import type { RecomputeDeps } from './orders/intake/recompute-orders.ts';
import { sweepUnmatched } from './orders/attribution/sweep.ts';

export interface JobDeps extends RecomputeDeps {
  db: Db;
  log: Logger;
  now: () => Date;
  registry: MetricsRegistry;
  /** For the jobs that send requests to other servers; absent where the operator forbids that. */
  outgoing?: Pick<OutgoingJobDeps, 'fetch'>;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
/** One sweeping process in the whole database at a time ("sweep" in hex). */
const SWEEP_LOCK = 0x7377656570n;
/** About a second of work, so that the lock's own transaction never idles long. */
const SWEPT_ORDERS = 100;
const RAW_MESSAGE_DAYS = 30;

/** Every timed job, on one screen. Any number of workers may run them at once: each job itself prevents double work. */
export function timedJobs(deps: JobDeps): RepeatedJob[] {
  const { db } = deps;
  return [
    {
      name: 'seal_entries',
      everyMs: SECOND_MS,
      run: () => sealEntries(db),
      readBacklog: () => countUnsealedEntries(db),
    },
    {
      name: 'release_due_lines',
      everyMs: 5 * SECOND_MS,
      run: () => releaseDueLines(db),
      readBacklog: () => countDueLines(db),
    },
    {
      name: 'sweep_unmatched_lines',
      everyMs: 5 * SECOND_MS,
      run: () => sweep(deps),
      readBacklog: () => countLinesToSweep(db),
    },
    { name: 'delete_raw_messages', everyMs: HOUR_MS, run: () => deleteRawMessages(db) },
    { name: 'delete_expired_answers', everyMs: HOUR_MS, run: () => deleteExpiredAnswers(db) },
    ...clickUpkeepJobs(deps),
    ...(deps.outgoing === undefined
      ? []
      : outgoingJobs({ ...deps, ...deps.outgoing, readDueDestinations: () => countDueDestinations(db) })),
  ];
}

/** Everything that the work queue does. Without `outgoing` no task runs that sends requests to other servers; their jobs wait. */
export function queuedTasks({ db, registry, outgoing }: Pick<JobDeps, 'db' | 'registry' | 'outgoing'>): TaskHandler[] {
  return outgoing === undefined ? [] : outgoingTasks({ db, registry, ...outgoing });
}

/** Runs every timed job until stopped; `stop` resolves when the runs under way have ended. */
export function startJobs(deps: JobDeps): { stop(): Promise<void> } {
  const metrics = createJobMetrics(deps.registry);
  const stops = timedJobs(deps).map((job) => repeat(job, deps.log, metrics));
  return {
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

async function sweep(deps: JobDeps): Promise<void> {
  const swept = await withAdvisoryLock(deps.db, SWEEP_LOCK, () => sweepUnmatched({ ...deps, limit: SWEPT_ORDERS }));
  for (const error of swept?.errors ?? []) deps.log.error({ err: error }, 'an order could not be recomputed');
}

async function deleteRawMessages(db: Db): Promise<void> {
  const limit = 1_000;
  while ((await deleteOldRawMessages(db, { days: RAW_MESSAGE_DAYS, limit })) === limit);
}
