// Run as a program of its own by the benchmark: <database url> <redis url>, and the same of a place to warm up in. Drains what waits there, as a
// worker is a process that has run for days; says `waiting`, and starts the click worker when something is put into the list `bench:go`.
// SIGTERM stops it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { createIngestMetrics } from '../../src/clicks/ingest/metrics.ts';
import { streamKey } from '../../src/clicks/click-batch.ts';
import { startClickWorker } from '../../src/clicks/ingest/worker.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createDb } from '../../src/infra/db.ts';

const [url = '', redisUrl = '', warmUrl = '', warmRedisUrl = ''] = process.argv.slice(2);

function start(databaseUrl: string, redisUrls: string) {
  return startClickWorker({
    db: createDb({ url: databaseUrl, applicationName: 'daihuo-bench-worker', onError: console.error }),
    redisUrls,
    shardCount: 1,
    metrics: createIngestMetrics(createMetricsRegistry()),
    log: pino({ level: 'error' }, pino.destination(2)),
    now: () => new Date(),
  });
}

const warm = new Redis(warmRedisUrl);
const warming = start(warmUrl, warmRedisUrl);
while ((await warm.xlen(streamKey(0))) > 0) await sleep(20);
await warming.stop();
await warm.quit();
const starter = new Redis(redisUrl);
console.log('waiting');
await starter.blpop('bench:go', 0);
const worker = start(url, redisUrl);
process.once('SIGTERM', () => {
  void worker.stop().then(() => process.exit(0));
});
