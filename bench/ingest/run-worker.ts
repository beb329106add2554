// Run as a program of its own by the benchmark: <database url> <redis urls>. Loads everything, says so, and starts the click worker when
// something is put into the list `bench:go`. SIGTERM stops it.
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { createClickMetrics } from '../../src/clicks/metrics.ts';
import { startClickWorker } from '../../src/clicks/worker.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createDb } from '../../src/infra/db.ts';

const [url = '', redisUrls = ''] = process.argv.slice(2);
const starter = new Redis(redisUrls);
console.log('waiting');
await starter.blpop('bench:go', 0);
const db = createDb({ url, applicationName: 'daihuo-bench-worker', onError: console.error });
const worker = startClickWorker({
  db,
  redisUrls,
  shardCount: 1,
  metrics: createClickMetrics(createMetricsRegistry()),
  log: pino({ level: 'error' }, pino.destination(2)),
  now: () => new Date(),
});
process.once('SIGTERM', () => {
  void worker.stop().then(() => process.exit(0));
});
