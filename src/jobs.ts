import type { Logger } from 'pino';
import { outgoingJobs, type OutgoingJobDeps, outgoingTasks } from './catalog/products/outgoing-jobs.ts';
import { clickUpkeepJobs } from './clicks/upkeep.ts';
import { releaseDueLines } from './commissions/release/release.ts';
import { sealEntries } from './ledger/seal/sealer.ts';
import { deleteExpiredAnswers } from './http/queries.ts';
import { type Db, withAdvisoryLock } from './infra/db.ts';
import { repeat, type RepeatedJob } from './infra/repeat.ts';
import type { TaskHandler } from './infra/work-queue.ts';
import { deleteOldRawMessages } from './orders/intake/message-queries.ts';
import type { RecomputeDeps } from './orders/intake/recompute-orders.ts';
import { sweepUnmatched } from './orders/attribution/sweep.ts';

export interface JobDeps extends RecomputeDeps {
  db: Db;
  log: Logger;
  now: () => Date;
  /** For the jobs that send requests to other servers; absent where the operator forbids that. */
  outgoing?: Pick<OutgoingJobDeps, 'fetch' | 'registry'>;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
/** One sweeping process in the whole database at a time ("sweep" in hex). */
const SWEEP_LOCK = 0x7377656570n;
/** About a second of work, so that the lock's own transaction never idles long. */
const SWEPT_ORDERS = 100;
const RAW_MESSAGE_DAYS = 30;

/** Everything that happens by itself, on one screen. Any number of workers may run it: each job knows how not to be done twice. */
export function timedJobs(deps: JobDeps): RepeatedJob[] {
  const { db } = deps;
  return [
    { name: 'seal journals', everyMs: SECOND_MS, run: () => sealEntries(db) },
    { name: 'release due commissions', everyMs: 5 * SECOND_MS, run: () => releaseDueLines(db) },
    { name: 'sweep unmatched lines', everyMs: 5 * SECOND_MS, run: () => sweep(deps) },
    { name: 'raw messages retention', everyMs: HOUR_MS, run: () => deleteRawMessages(db) },
    { name: 'idempotency retention', everyMs: HOUR_MS, run: () => deleteExpiredAnswers(db) },
    ...clickUpkeepJobs(deps),
    ...(deps.outgoing === undefined ? [] : outgoingJobs({ ...deps, ...deps.outgoing })),
  ];
}

/** Everything that the work queue does. Without `outgoing` no task runs that sends requests to other servers; their jobs wait. */
export function queuedTasks({ db, outgoing }: Pick<JobDeps, 'db' | 'outgoing'>): TaskHandler[] {
  return outgoing === undefined ? [] : outgoingTasks({ db, ...outgoing });
}

/** Runs every timed job until stopped; `stop` resolves when the runs under way have ended. */
export function startJobs(deps: JobDeps): { stop(): Promise<void> } {
  const stops = timedJobs(deps).map((job) => repeat(job, deps.log));
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
