import { terminateConnections } from '../checks/queries.ts';
import type { Run, Scenario } from '../scenario.ts';

const COMMIT_WITHIN_MS = 2_000;
const DOWN_MS = 500;

async function terminateAll({ site, random, sleep, log }: Run, times: number): Promise<number> {
  let ended = 0;
  for (let time = 0; time < times; time += 1) {
    ended += await terminateConnections(site.db);
    log.write('terminated', { ended });
    await sleep(150 + random(300));
  }
  return ended;
}

/** F5: the postmaster dies, alone or with all its processes in one instant; then every connection is ended from inside, again and again. */
export function killPostgres({ kills, terminations }: { kills: number; terminations: number }): Scenario {
  return {
    fault: 'F5',
    name: `kill -9 postgres ×${kills}, every connection terminated ×${terminations}`,
    limitMs: 90_000 + kills * 6_000 + terminations * 1_000,
    load: { messagesPerSecond: 30, orders: 20 + 8 * kills },
    steps: async (run) => {
      const { site, random, sleep, figures, expect, log } = run;
      const readyMs: number[] = [];
      for (let kill = 0; kill < kills; kill += 1) {
        await sleep(500 + random(1_000));
        await site.postgres.process.kill(random(2) === 0 ? 'server' : 'all');
        log.write('killed', { process: 'postgres' });
        await sleep(random(DOWN_MS));
        readyMs.push(await site.postgres.start());
      }
      const ended = await terminateAll(run, terminations);
      readyMs.sort((one, other) => one - other);
      const medianMs = readyMs[Math.floor(readyMs.length / 2)] ?? 0;
      expect(medianMs <= COMMIT_WITHIN_MS, `F5: the first commit comes ${medianMs} ms after the start`);
      Object.assign(figures, {
        kills,
        'connections ended': ended,
        'first commit ms': `${medianMs} (max ${readyMs.at(-1)})`,
      });
    },
  };
}
