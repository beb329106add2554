import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../../../src/local/processes.ts';
import { clickIdsIn, openFiles, segmentFiles } from '../checks/spool-files.ts';
import { isSoWithin, readAppMetric } from '../checks/spool.ts';
import type { Run, Scenario } from '../scenario.ts';
import { mountObstacle, mountSmallDisk, unmount } from './full-disk.ts';

const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const WELL_WITHIN_MS = 8_000;
/** Below what the spool has written by then: the next write is beyond the limit. */
const FILE_LIMIT_BYTES = '4096';

async function command(file: string, args: string[]): Promise<void> {
  const { code, stderr } = await runCommand(file, args, { env: ENV, timeoutMs: 10_000 });
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr.trim()}`);
}

/** What is done to the folder for a while. */
const BREAKAGES: Readonly<Record<string, (run: Run) => Promise<void>>> = {
  'files may not grow': async ({ site, sleep }) => {
    const pid = String(site.apps[0]?.process.pid);
    await command('prlimit', ['--pid', pid, `--fsize=${FILE_LIMIT_BYTES}:unlimited`]);
    await sleep(2_000);
    await command('prlimit', ['--pid', pid, '--fsize=unlimited:unlimited']);
  },
  'read-only': async ({ site, sleep }) => {
    // Files open for writing keep a disk writable: forced, as a disk that failed is.
    await runCommand('mount', ['-o', 'remount,ro', site.spoolFolder], { env: ENV, timeoutMs: 10_000 });
    await sleep(2_000);
    await command('mount', ['-o', 'remount,rw', site.spoolFolder]);
  },
  removed: async ({ site, excused, log }) => {
    // What is written at the moment survives, because the app holds it open. What is closed and waits for Redis goes with its file.
    const held = await openFiles(site.apps[0]?.process.pid);
    for (const file of await segmentFiles(site)) {
      if (held.has(file)) continue;
      const clickIds = clickIdsIn(await readFile(file));
      for (const clickId of clickIds) excused.add(clickId);
      log.write('removed', { file: path.basename(file), clicks: clickIds.length });
    }
    for (const name of await readdir(site.spoolFolder)) {
      await rm(path.join(site.spoolFolder, name), { recursive: true, force: true });
    }
  },
};

/** F17: Redis is away and the folder of the spool cannot be used. */
export function brokenSpoolFolder({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F17',
    name: `spool folder limited, read-only, removed ×${rounds} each`,
    limitMs: 120_000 + rounds * 60_000,
    obstacle: mountObstacle,
    prepare: async ({ spoolFolder }) => {
      const obstacle = await mountSmallDisk(spoolFolder);
      if (obstacle !== undefined) throw new Error(obstacle);
    },
    steps: async (run) => {
      const { site, visits, sleep, expect, figures, log } = run;
      for (let round = 0; round < rounds; round += 1) {
        for (const [words, breakIt] of Object.entries(BREAKAGES)) {
          await site.redis.process.kill();
          await sleep(600);
          log.write('breaking', { words });
          await breakIt(run);
          const tracked = visits.counts.tracked;
          const isWell = await isSoWithin(run, WELL_WITHIN_MS, () => visits.counts.tracked > tracked + 50);
          expect(isWell, `F17: after the folder was ${words} clicks are still not kept`);
          await site.redis.start();
          await sleep(1_500);
        }
      }
      expect(visits.counts.lost === 0, `F17: ${visits.counts.lost} visits failed`);
      figures['closed and removed'] = run.excused.size;
      figures['refused by the spool'] = await readAppMetric(site, 'click_spool_refused_total');
    },
    cleanUp: async ({ spoolFolder }) => unmount(spoolFolder),
  };
}
