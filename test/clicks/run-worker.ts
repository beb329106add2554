// Run as a program of its own by tests that kill and stop workers: <database url> <redis urls> [number of shards] [step] [times]. Where a step
// is given, it kills itself the nth time it comes to it. SIGTERM stops it in order.
import { pino } from 'pino';
import { createIngestMetrics } from '../../src/clicks/ingest/metrics.ts';
import { startClickWorker } from '../../src/clicks/ingest/worker.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createDb } from '../../src/infra/db.ts';

const [url = '', redisUrls = '', shardCount = '1', fatalStep = '', times = '1'] = process.argv.slice(2);
const db = createDb({ url, applicationName: 'daihuo-test-worker', onError: () => undefined });
let seen = 0;
const worker = startClickWorker({
  db,
  redisUrls,
  shardCount: Number(shardCount),
  metrics: createIngestMetrics(createMetricsRegistry()),
  log: pino({ level: 'silent' }),
  now: () => new Date(),
  limits: { blockMs: 20, minIdleMs: 200, claimEveryMs: 20, entriesPerRead: 5, leaseMs: 700, renewEveryMs: 100 },
  onStep: (step) => {
    if (step !== fatalStep) return;
    seen += 1;
    if (seen === Number(times)) process.kill(process.pid, 'SIGKILL');
  },
});
process.once('SIGTERM', () => {
  void worker.stop().then(() => process.exit(0));
});
console.log('running');
