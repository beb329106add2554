import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runCommand } from '../../../src/local/processes.ts';
import { isSoWithin, readAppMetric, timed } from '../checks/spool.ts';
import type { Run, Scenario } from '../scenario.ts';
import type { Site } from '../site.ts';

const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const SIZE = '2m';
/** Some three hundred clicks fit beside the ballast. */
const ROOM_BYTES = 60_000;
const FULL_WITHIN_MS = 10_000;
const WELL_WITHIN_MS = 6_000;

/** A small disk of its own, in memory; undefined: done. */
export async function mountSmallDisk(folder: string): Promise<string | undefined> {
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', folder], {
    env: ENV,
    timeoutMs: 10_000,
  });
  return mounted.code === 0 ? undefined : `a small disk cannot be mounted (${mounted.stderr.trim()})`;
}

export async function unmount(folder: string): Promise<void> {
  await runCommand('umount', ['--lazy', folder], { env: ENV, timeoutMs: 10_000 });
}

/** Why small disks cannot be mounted here; undefined where they can. */
export async function mountObstacle(): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'daihuo-mount-'));
  const obstacle = await mountSmallDisk(folder);
  if (obstacle === undefined) await unmount(folder);
  await rmdir(folder);
  return obstacle;
}

async function putBallast(site: Site): Promise<void> {
  const { bavail, bsize } = await statfs(site.spoolFolder);
  await writeFile(path.join(site.spoolFolder, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - ROOM_BYTES)));
}

/** Fills the disk, sees visitors sent on untracked, makes room again, sees them tracked. */
async function fillOnce(run: Run): Promise<void> {
  const { site, visits, expect, sleep, log } = run;
  await putBallast(site);
  await site.redis.process.kill();
  log.write('filling');
  const before = visits.counts.untracked;
  const isFull = await isSoWithin(run, FULL_WITHIN_MS, () => visits.counts.untracked > before + 20);
  expect(isFull, 'F16: the disk did not become full');
  await sleep(500);
  await rm(path.join(site.spoolFolder, 'ballast'));
  log.write('room again');
  const tracked = visits.counts.tracked;
  const isWell = await isSoWithin(run, WELL_WITHIN_MS, () => visits.counts.tracked > tracked + 50);
  expect(isWell, 'F16: with room on the disk, clicks are still not kept');
  await site.redis.start();
  await sleep(1_000);
}

/** F16: Redis is away and the disk of the spool full. Visitors go on without a click id; what was kept is whole. */
export function fullDisk({ fills }: { fills: number }): Scenario {
  return {
    fault: 'F16',
    name: `disk of the spool full ×${fills}`,
    limitMs: 120_000 + fills * 20_000,
    obstacle: mountObstacle,
    awaitsSpoolRows: true,
    prepare: async ({ spoolFolder }) => {
      const obstacle = await mountSmallDisk(spoolFolder);
      if (obstacle !== undefined) throw new Error(obstacle);
    },
    steps: async (run) => {
      const span = await timed(async () => {
        for (let fill = 0; fill < fills; fill += 1) await fillOnce(run);
      });
      run.expect(run.visits.counts.lost === 0, `F16: ${run.visits.counts.lost} visits failed`);
      Object.assign(run.figures, {
        fills,
        'refused by the spool': await readAppMetric(run.site, 'click_spool_refused_total'),
        'p99 throughout ms': run.visits.quantileMs(0.99, span),
      });
    },
    cleanUp: async ({ spoolFolder }) => unmount(spoolFolder),
  };
}
