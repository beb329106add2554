import { expectFast, expectTracked, timed } from '../checks/spool.ts';
import type { Scenario } from '../scenario.ts';

const P99_MS = 250;
/** A sender gives up at 5 s. */
const ANSWER_WITHIN_MS = 5_500;

/** F10: every process of Postgres stands still. Visitors notice nothing; shops are told to come again, and in time. */
export function hangPostgres({ seconds }: { seconds: readonly number[] }): Scenario {
  const totalSeconds = seconds.reduce((sum, each) => sum + each, 0);
  return {
    fault: 'F10',
    name: `SIGSTOP postgres for ${[...new Set(seconds)].join(', ')} s, ${seconds.length} times`,
    limitMs: 180_000 + totalSeconds * 2_000 + seconds.length * 5_000,
    load: { messagesPerSecond: 20, orders: 40 + 3 * totalSeconds },
    steps: async (run) => {
      const { site, visits, sales, random, sleep, expect, figures, log } = run;
      let slowestMs = 0;
      for (const length of seconds) {
        const span = await timed(async () => {
          site.postgres.process.pause();
          log.write('paused', { process: 'postgres', seconds: length });
          await sleep(length * 1_000);
          site.postgres.process.resume();
        });
        slowestMs = Math.max(slowestMs, expectFast(run, span, { p99Ms: P99_MS, what: `F10, ${length} s` }));
        expectTracked(run, span, `F10, ${length} s`);
        await sleep(2_000 + random(1_000));
      }
      expect(visits.counts.lost === 0, `F10: ${visits.counts.lost} visits failed`);
      const answeredMs = sales.slowestMs();
      expect(answeredMs <= ANSWER_WITHIN_MS, `F10: a message was answered after ${answeredMs} ms`);
      Object.assign(figures, {
        'p99 while it hangs ms': slowestMs,
        'slowest message ms': answeredMs,
        '503s': sales.counts.unavailable,
      });
    },
  };
}
