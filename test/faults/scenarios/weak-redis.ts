import { withInjection, straceObstacle } from './failing-disk.ts';
import type { Run, Scenario } from '../scenario.ts';

export type Setting = 'everysec' | 'everysec, slow disk' | 'always, slow disk';

const DELAYS: Readonly<Record<Setting, string | undefined>> = {
  everysec: undefined,
  'everysec, slow disk': 'fdatasync:delay_enter=3000000',
  'always, slow disk': 'fdatasync:delay_enter=50000',
};

async function killOnce({ site, random, sleep, log }: Run, delay: string | undefined): Promise<void> {
  const pid = site.redis.process.pid;
  if (pid === undefined) throw new Error('redis does not run');
  const work = async (): Promise<void> => {
    await sleep(3_000 + random(2_000));
    await site.redis.process.kill();
    log.write('killed', { process: 'redis' });
  };
  await (delay === undefined ? work() : withInjection(pid, delay, work));
  await sleep(random(500));
  await site.redis.start();
  await sleep(1_000);
}

/**
 * F4: what is lost when Redis dies under a setting. Only `always` promises that nothing is; for the others the loss is measured and
 * published, not judged.
 */
export function weakRedis({ kills, setting }: { kills: number; setting: Setting }): Scenario {
  const isPromised = setting.startsWith('always');
  return {
    fault: 'F4',
    name: `kill -9 redis, AOF ${setting} ×${kills}`,
    limitMs: 120_000 + kills * 12_000,
    site: { appendfsync: isPromised ? 'always' : 'everysec' },
    mayLose: !isPromised,
    ...(DELAYS[setting] === undefined ? {} : { obstacle: straceObstacle }),
    steps: async (run) => {
      for (let kill = 0; kill < kills; kill += 1) await killOnce(run, DELAYS[setting]);
      run.figures['kills'] = kills;
    },
  };
}
