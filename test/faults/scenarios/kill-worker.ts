import type { Scenario } from '../scenario.ts';

/** F2, at random moments: one of two workers dies about every second; the other goes on and takes over. */
export function killWorker({ kills }: { kills: number }): Scenario {
  return {
    fault: 'F2',
    name: `kill -9 worker at random ×${kills}`,
    limitMs: 150_000 + kills * 4_000,
    site: { workers: 2 },
    steps: async ({ site, random, sleep, figures, log }) => {
      for (let kill = 0; kill < kills; kill += 1) {
        const worker = site.workers[random(site.workers.length)];
        if (worker === undefined) return;
        await sleep(random(400));
        await worker.process.kill();
        log.write('killed', { process: worker.process.name });
        await worker.process.start();
      }
      figures['kills'] = kills;
    },
  };
}
