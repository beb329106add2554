import { startClickWorker } from '../clicks/ingest/worker.ts';
import { createClickIdReader } from '../core/clicks/click-id.ts';
import type { Config } from '../infra/config.ts';
import { createGuardedRequest } from '../infra/guarded-request.ts';
import { startJobs } from '../jobs.ts';
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

/** Starts the worker: clicks from Redis to Postgres, and every timed job. */
export function openWorker(runtime: Runtime, metrics: ProcessMetrics): void {
  const { config, db, log, shutdown, keys, urls } = runtime;
  const jobs = startJobs({
    db,
    log,
    now,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    registry: metrics.registry,
    ...(config.asksOutside ? { outgoing: { fetch: createGuardedRequest({ userAgent: userAgentOf(config) }) } } : {}),
  });
  shutdown.add('jobs', 5_000, async () => jobs.stop());
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
