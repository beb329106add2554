// Run as a program of its own: <kill|stop> <step> <occurrence>; DATABASE_URL and REDIS_URL as a worker has them. A worker that sends itself
// SIGKILL or SIGSTOP when it comes to that step of its work for the so manieth time.
import { pino } from 'pino';
import { createIngestMetrics } from '../../src/clicks/ingest/metrics.ts';
import { startClickWorker } from '../../src/clicks/ingest/worker.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createDb } from '../../src/infra/db.ts';

const [action, step, occurrence = '1'] = process.argv.slice(2);
let left = Number(occurrence);

startClickWorker({
  db: createDb({
    url: process.env['DATABASE_URL'] ?? '',
    applicationName: 'daihuo-stepping-worker',
    onError: () => undefined,
  }),
  redisUrls: process.env['REDIS_URL'] ?? '',
  shardCount: 1,
  metrics: createIngestMetrics(createMetricsRegistry()),
  log: pino({ level: 'fatal' }),
  now: () => new Date(),
  // Who comes next need not wait long for what this one held.
  limits: { leaseMs: 600, renewEveryMs: 150, blockMs: 200 },
  onStep: (name) => {
    if (name !== step) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  },
});
console.log('daihuo worker ready');
