// Run as a program of its own by the tests of the work queue: <database url>. Prints a line at the start and at the end of each job; a `hang` job
// never ends. SIGTERM stops it in order.
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { runWorkQueue } from '../../src/infra/run-work-queue.ts';
import { handleTask } from '../../src/infra/work-queue.ts';

const [url = '', hangs = ''] = process.argv.slice(2);
const payload = z.object({ number: z.number() });
const queue = runWorkQueue({
  databaseUrl: url,
  tasks: [
    handleTask({ name: 'print', payload }, async ({ number }, signal) => {
      console.log(`began ${number}`);
      if (hangs !== '') await sleep(600_000, undefined, { signal });
      console.log(`ended ${number}`);
    }),
  ],
  concurrency: 4,
  log: pino({ level: 'silent' }),
  metrics: createMetricsRegistry(),
  limits: { beatMs: 100, deadAfterMs: 2_000, pollMs: 100 },
});
process.once('SIGTERM', () => {
  void queue.stop().then(() => {
    console.log('stopped');
    process.exit(0);
  });
});
console.log('running');
