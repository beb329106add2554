import { expectFast, expectTracked, timed } from '../checks/spool.ts';
import type { Scenario } from '../scenario.ts';

const FIRST_MS = 500;
const P99_MS = 250;
/** Until the connection is made anew and what arrived late was answered. */
const AFTER_MS = 1_500;

/** F9: Redis stands still and goes on later; what was sent to it meanwhile it then carries out, though nobody waits any more. */
export function hangRedis({
  seconds,
  visitsPerSecond = 300,
}: {
  seconds: readonly number[];
  visitsPerSecond?: number;
}): Scenario {
  const totalSeconds = seconds.reduce((sum, each) => sum + each, 0);
  return {
    fault: 'F9',
    name: `SIGSTOP redis for ${[...new Set(seconds)].join(', ')} s, ${seconds.length} times, ${visitsPerSecond} visits a second`,
    load: { visitsPerSecond },
    limitMs: 180_000 + totalSeconds * 2_000 + seconds.length * 3_000,
    drainWithinMs: Math.max(120_000, totalSeconds * 500),
    steps: async (run) => {
      const { site, random, sleep, figures, log } = run;
      let slowestMs = 0;
      for (const length of seconds) {
        const span = await timed(async () => {
          site.redis.process.pause();
          log.write('paused', { process: 'redis', seconds: length });
          await sleep(length * 1_000);
          site.redis.process.resume();
        });
        await sleep(AFTER_MS + random(500));
        const settled = { fromMs: span.fromMs + FIRST_MS, toMs: span.toMs };
        slowestMs = Math.max(slowestMs, expectFast(run, settled, { p99Ms: P99_MS, what: `F9, ${length} s` }));
        expectTracked(run, { fromMs: span.fromMs, toMs: span.toMs + AFTER_MS }, `F9, ${length} s`);
      }
      figures['p99 while it hangs ms'] = slowestMs;
    },
  };
}
