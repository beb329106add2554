/**
 * Replays what lies in a spool as fast as it can, for the test and for measuring: arguments are the directory, the address of Redis and how
 * many clicks there are. Prints one line of JSON.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';

import { startSpoolDrain } from '../../../src/clicks/spool/drain.ts';
import { closeRedis, createRedis, waitForRedis } from '../../../src/infra/redis.ts';
import { openRig, silent } from './spool-rig.ts';

const [dir = '', redisUrl = '', databaseUrl = ''] = process.argv.slice(2);
const mebibytes = (bytes: number): number => Math.round(bytes / 104_857.6) / 10;

const redis = createRedis({ urls: redisUrl, role: 'commands', log: silent });
await waitForRedis(redis, 5_000);
const db = new Pool({ connectionString: databaseUrl });
await sleep(500);
const delay = monitorEventLoopDelay({ resolution: 1 });
const baseBytes = process.memoryUsage.rss();
let peakBytes = baseBytes;
const watch = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 10);
delay.enable();
const startedAtMs = performance.now();
const rig = await openRig({ dir, maxBytes: 4 * 1024 ** 3 });
const openedMs = performance.now() - startedAtMs;
const drain = startSpoolDrain({
  spool: rig.spool,
  redis,
  db,
  log: silent,
  metrics: rig.metrics,
  now: () => new Date(),
});
while (rig.spool.backlog().clicks === 0) await sleep(1);
while (rig.spool.backlog().clicks > 0) await sleep(5);
const seconds = (performance.now() - startedAtMs) / 1_000;
delay.disable();
clearInterval(watch);
const drained = await rig.metric('clicks_drained_total');
await drain.stop();
await rig.spool.stop();
await closeRedis(redis);
await db.end();
const figures = {
  drained,
  openedMs: Math.round(openedMs),
  seconds: Math.round(seconds * 100) / 100,
  clicksPerSecond: Math.round(drained / seconds),
  rssGrowthMiB: mebibytes(peakBytes - baseBytes),
  loopDelayP99Ms: delay.percentile(99) / 1e6,
  loopDelayMaxMs: Math.round(delay.max / 1e4) / 100,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
