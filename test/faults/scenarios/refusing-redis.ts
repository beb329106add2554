import { expectFast, expectTracked, timed } from '../checks/spool.ts';
import type { Run, Scenario } from '../scenario.ts';

const P99_MS = 250;
const AFTER_MS = 1_500;
/** Its file has some ten thousand commands by then: it loads for seconds. */
const LOADING_MICROSECONDS_A_COMMAND = '150';

/** Redis is full, a replica, or still loading: it answers, and refuses. */
const REFUSALS: Readonly<Record<string, (run: Run) => Promise<void>>> = {
  full: async ({ site, sleep }) => {
    await site.redis.ask(async (redis) => redis.config('SET', 'maxmemory', '1'));
    await sleep(2_000);
    await site.redis.ask(async (redis) => redis.config('SET', 'maxmemory', '0'));
  },
  'a replica': async ({ site, sleep }) => {
    await site.redis.ask(async (redis) => redis.replicaof('127.0.0.1', 1));
    await sleep(2_000);
    await site.redis.ask(async (redis) => redis.replicaof('NO', 'ONE'));
  },
  loading: async ({ site }) => {
    await site.redis.process.kill();
    await site.redis.start(['--key-load-delay', LOADING_MICROSECONDS_A_COMMAND]);
  },
};

/** F14. */
export function refusingRedis({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F14',
    name: `redis full, read-only, loading ×${rounds} each`,
    limitMs: 150_000 + rounds * 30_000,
    steps: async (run) => {
      const { visits, sleep, expect, figures, log } = run;
      let slowestMs = 0;
      for (let round = 0; round < rounds; round += 1) {
        for (const [refusal, refuse] of Object.entries(REFUSALS)) {
          log.write('refusing', { refusal });
          const span = await timed(async () => refuse(run));
          slowestMs = Math.max(slowestMs, expectFast(run, span, { p99Ms: P99_MS, what: `F14, ${refusal}` }));
          await sleep(AFTER_MS);
          expectTracked(run, { ...span, toMs: span.toMs + AFTER_MS }, `F14, ${refusal}`);
        }
      }
      expect(visits.counts.lost === 0, `F14: ${visits.counts.lost} visits failed`);
      figures['p99 while it refuses ms'] = slowestMs;
    },
  };
}
