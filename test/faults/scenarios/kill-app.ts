import type { LostVisit } from '../driver/visits.ts';
import type { Scenario } from '../scenario.ts';

/** A request counts as under way at a kill if it was open around it; the reset takes a moment to be seen. */
const SLACK_MS = 250;
const READY_WITHIN_MS = 2_000;

/** F1: one of two apps dies every two seconds, at a random moment of its work. */
export function killApp({ kills }: { kills: number }): Scenario {
  return {
    fault: 'F1',
    name: `kill -9 app ×${kills}`,
    limitMs: 60_000 + kills * 4_000,
    site: { apps: 2 },
    steps: async ({ site, visits, random, sleep, expect, figures, log }) => {
      const killedAtMs: number[] = [];
      const readyMs: number[] = [];
      for (let kill = 0; kill < kills; kill += 1) {
        await sleep(random(700));
        const app = site.apps[random(site.apps.length)];
        if (app === undefined) return;
        killedAtMs.push(performance.now());
        await app.process.kill();
        log.write('killed', { process: app.process.name });
        readyMs.push(await app.process.start());
      }
      await sleep(500);
      readyMs.sort((one, other) => one - other);
      const medianMs = readyMs[Math.floor(readyMs.length / 2)] ?? 0;
      const wasUnderWay = ({ fromMs, toMs }: LostVisit): boolean =>
        killedAtMs.some((atMs) => fromMs - SLACK_MS <= atMs && toMs + SLACK_MS >= atMs);
      const strays = visits.lost.filter((visit) => !wasUnderWay(visit));
      expect(strays.length === 0, `F1: ${strays.length} visits failed that no kill had under way`);
      expect(medianMs <= READY_WITHIN_MS, `F1: an app takes ${medianMs} ms to be ready again`);
      Object.assign(figures, { kills, 'ready again ms': `${medianMs} (max ${readyMs.at(-1)})` });
    },
  };
}
