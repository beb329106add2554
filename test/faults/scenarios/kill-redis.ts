import type { Scenario } from '../scenario.ts';

/** F3: Redis, which writes every click to disk before it acknowledges, dies and comes back on the same data. */
export function killRedis({ kills }: { kills: number }): Scenario {
  return {
    fault: 'F3',
    name: `kill -9 redis, AOF always ×${kills}`,
    limitMs: 60_000 + kills * 5_000,
    steps: async ({ site, random, sleep, figures, log }) => {
      for (let kill = 0; kill < kills; kill += 1) {
        await sleep(500 + random(1_000));
        await site.redis.process.kill();
        log.write('killed', { process: 'redis' });
        await sleep(random(600));
        await site.redis.start();
      }
      await sleep(1_500);
      figures['kills'] = kills;
    },
  };
}
