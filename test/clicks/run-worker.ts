// Run as a program of its own by the test that kills workers: <database url> <redis url>.
import { pino } from 'pino';
import { createClickMetrics } from '../../src/clicks/metrics.ts';
import { startClickWorker } from '../../src/clicks/worker.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createDb } from '../../src/infra/db.ts';

const [url = '', redisUrls = ''] = process.argv.slice(2);
const db = createDb({ url, applicationName: 'daihuo-test-worker', onError: () => undefined });
startClickWorker({
  db,
  redisUrls,
  metrics: createClickMetrics(createMetricsRegistry()),
  log: pino({ level: 'silent' }),
  now: () => new Date(),
  limits: { blockMs: 20, minIdleMs: 200, claimEveryMs: 20, entriesPerRead: 5 },
});
console.log('running');
