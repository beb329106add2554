import { startClickWorker } from '../clicks/ingest/worker.ts';
import { createClickIdReader } from '../core/clicks/click-id.ts';
import type { Config } from '../infra/config.ts';
import { createGuardedRequest } from '../infra/guarded-request.ts';
import { runWorkQueue } from '../infra/run-work-queue.ts';
import { queuedTasks, startJobs } from '../jobs.ts';
import type { Command } from './command.ts';
import { openProcessMetrics } from './process-metrics.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import { givenServices, openRuntime, readVersion, runUntilStopped } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { requireSchema } from './schema.ts';

/** The worker only. */
export async function runWorker({ config }: Command): Promise<number> {
  const urls = givenServices(config, 'worker');
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const runtime = await openRuntime({ config, log, shutdown, urls, name: 'worker' });
    await requireSchema(runtime);
    openWorker(runtime, await openProcessMetrics(runtime));
    // Keeps the process alive while its connections are down: nothing else in it does.
    const hold = setInterval(() => undefined, 60_000);
    shutdown.add('hold', 100, () => clearInterval(hold));
    console.log('daihuo worker ready');
  });
}

const now = (): Date => new Date();

/** Jobs of the work queue run at once by one process; nearly all of their time is waiting for other servers. */
const QUEUED_JOBS_AT_ONCE = 4;

/** Starts the worker: clicks from Redis to Postgres, the work queue, and every timed job. */
export function openWorker(runtime: Runtime, metrics: ProcessMetrics): void {
  const { config, db, log, shutdown, keys, urls } = runtime;
  const outgoing = config.asksOutside
    ? { outgoing: { fetch: createGuardedRequest({ userAgent: userAgentOf(config) }) } }
    : {};
  const jobs = startJobs({
    db,
    log,
    now,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    registry: metrics.registry,
    ...outgoing,
  });
  shutdown.add('jobs', 5_000, async () => jobs.stop());
  const queue = runWorkQueue({
    databaseUrl: urls.databaseUrl,
    tasks: queuedTasks({ db, registry: metrics.registry, ...outgoing }),
    concurrency: QUEUED_JOBS_AT_ONCE,
    log,
    metrics: metrics.registry,
  });
  shutdown.add('work queue', 5_000, async () => queue.stop());
  const worker = startClickWorker({
    db,
    redisUrls: urls.redisUrl,
    shardCount: config.clickShards,
    metrics: metrics.ingestMetrics,
    log,
    now,
  });
  shutdown.add('click worker', 5_000, async () => worker.stop());
}

/** Names this program and, where it is known, its address, so that a shop's operator can look up the sender of a request. */
function userAgentOf({ publicUrl }: Config): string {
  const name = `daihuo/${readVersion()}`;
  return publicUrl === undefined ? name : `${name} (+${publicUrl})`;
}
