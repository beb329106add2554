import { expectTracked } from '../checks/spool.ts';
import type { Scenario } from '../scenario.ts';

const STOP_WITHIN_MS = 5_000;

/**
 * F6: two apps are replaced one after the other, while visitors and shops keep their connections. Nobody may notice. In front of them is what
 * docs/operations.md asks for: somebody who looks at /readyz. (Without it, who connects in the very moment of closing is reset.)
 */
export function rollingRestart({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F6',
    name: `rolling restart of two apps ×${rounds}`,
    limitMs: 60_000 + rounds * 20_000,
    site: { apps: 2 },
    load: { orders: 20 + 6 * rounds, asksReadiness: true },
    steps: async (run) => {
      const { site, visits, sales, random, sleep, expect, figures, log } = run;
      let slowestMs = 0;
      for (let round = 0; round < rounds; round += 1) {
        for (const { process } of site.apps) {
          await sleep(random(300));
          const { code, tookMs } = await process.terminate();
          log.write('terminated', { process: process.name, code, tookMs });
          expect(code === 0, `F6: ${process.name} stopped with code ${code}`);
          slowestMs = Math.max(slowestMs, tookMs);
          await process.start();
        }
      }
      await sleep(300);
      expect(slowestMs <= STOP_WITHIN_MS, `F6: a stop took ${slowestMs} ms`);
      const kinds = Map.groupBy(visits.lost, ({ kind }) => kind);
      const lost = [...kinds].map(([kind, each]) => `${each.length} ${kind}`).join(', ');
      expect(visits.lost.length === 0, `F6: visits failed: ${lost}`);
      expect(
        Object.keys(visits.counts.other).length === 0,
        `F6: visits were answered ${JSON.stringify(visits.counts.other)}`,
      );
      expectTracked(run, { fromMs: 0, toMs: Infinity }, 'F6');
      expect(sales.counts.unavailable === 0, `F6: ${sales.counts.unavailable} messages were answered 503`);
      expect(sales.counts.lost === 0, `F6: ${sales.counts.lost} messages got no answer`);
      Object.assign(figures, {
        restarts: 2 * rounds,
        'slowest stop ms': slowestMs,
      });
    },
  };
}
