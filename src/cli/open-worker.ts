import { startClickWorker } from '../clicks/ingest/worker.ts';
import { createClickIdReader } from '../core/clicks/click-id.ts';
import { createGuardedFetch } from '../infra/guarded-fetch.ts';
import type { Config } from '../infra/config.ts';
import { startJobs } from '../jobs.ts';
import type { Measures } from './process-metrics.ts';
import { readVersion } from './read-version.ts';
import type { Runtime } from './runtime.ts';

const now = (): Date => new Date();

/** The worker, running: clicks from Redis to Postgres, and every timed job. */
export function openWorker(runtime: Runtime, measures: Measures): void {
  const { config, db, log, shutdown, keys, urls } = runtime;
  const jobs = startJobs({
    db,
    log,
    now,
    readClickId: createClickIdReader(keys.clickIdKeys),
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    ...(config.asksOutside
      ? { outgoing: { fetch: createGuardedFetch({ userAgent: userAgentOf(config) }), registry: measures.registry } }
      : {}),
  });
  shutdown.add('jobs', 5_000, async () => jobs.stop());
  const worker = startClickWorker({
    db,
    redisUrls: urls.redisUrl,
    shardCount: config.clickShards,
    metrics: measures.ingestMetrics,
    log,
    now,
  });
  shutdown.add('click worker', 5_000, async () => worker.stop());
}

/** Who asks, in words a shop's operator can look up. */
function userAgentOf({ publicUrl }: Config): string {
  const name = `daihuo/${readVersion()}`;
  return publicUrl === undefined ? name : `${name} (+${publicUrl})`;
}
