import type { Scenario } from './scenario.ts';
import { badLink } from './scenarios/bad-link.ts';
import { bigSpool } from './scenarios/big-spool.ts';
import { brokenSpoolFolder } from './scenarios/broken-spool-folder.ts';
import { coldStart } from './scenarios/cold-start.ts';
import { cutLinks } from './scenarios/cut-links.ts';
import { damagedSpool } from './scenarios/damaged-spool.ts';
import { failingDisk } from './scenarios/failing-disk.ts';
import { fullDisk } from './scenarios/full-disk.ts';
import { hangPostgres } from './scenarios/hang-postgres.ts';
import { hangRedis } from './scenarios/hang-redis.ts';
import { hangWorker } from './scenarios/hang-worker.ts';
import { killApp } from './scenarios/kill-app.ts';
import { killPostgres } from './scenarios/kill-postgres.ts';
import { killRedis } from './scenarios/kill-redis.ts';
import { killWorker } from './scenarios/kill-worker.ts';
import { killWorkerAtSteps } from './scenarios/kill-worker-at-steps.ts';
import { loseStream } from './scenarios/lose-stream.ts';
import { refusingRedis } from './scenarios/refusing-redis.ts';
import { rollingRestart } from './scenarios/rolling-restart.ts';
import { soak } from './scenarios/soak.ts';
import { weakRedis } from './scenarios/weak-redis.ts';

/** Every common fault, none longer than ten seconds: what runs before each merge, within ten minutes. */
export const PUSH: readonly Scenario[] = [
  killApp({ kills: 20 }),
  killWorker({ kills: 15 }),
  killWorkerAtSteps({ kills: 3 }),
  killRedis({ kills: 20 }),
  killPostgres({ kills: 10, terminations: 20 }),
  rollingRestart({ rounds: 10 }),
  loseStream({ rounds: 3 }),
  hangRedis({ seconds: [1, 2, 3, 5] }),
  hangPostgres({ seconds: [5] }),
  cutLinks({ cuts: 100 }),
  fullDisk({ fills: 5 }),
  failingDisk({ rounds: 5 }),
];

const times = (count: number, seconds: number): number[] => Array.from({ length: count }, () => seconds);

/** The full counts, in parts of at most forty minutes: kills and cuts; stores and starts; hangs, bad links and disks; the soak. */
export const PARTS: Readonly<Record<number, readonly Scenario[]>> = {
  1: [
    killApp({ kills: 200 }),
    killWorker({ kills: 200 }),
    killWorkerAtSteps({ kills: 50 }),
    killRedis({ kills: 100 }),
    rollingRestart({ rounds: 100 }),
    cutLinks({ cuts: 1_000 }),
    damagedSpool({ rounds: 20 }),
  ],
  2: [
    killPostgres({ kills: 50, terminations: 200 }),
    weakRedis({ kills: 20, setting: 'everysec' }),
    weakRedis({ kills: 20, setting: 'everysec, slow disk' }),
    weakRedis({ kills: 20, setting: 'always, slow disk' }),
    coldStart({ rounds: 2 }),
    hangWorker({ hangs: 50 }),
    loseStream({ rounds: 10 }),
    hangPostgres({ seconds: [...times(10, 5), ...times(3, 60)] }),
    refusingRedis({ rounds: 10 }),
  ],
  3: [
    hangRedis({ seconds: [...times(20, 1), ...times(10, 5), ...times(5, 30)] }),
    hangRedis({ seconds: [600], visitsPerSecond: 1_000 }),
    badLink({ rounds: 5, darkSeconds: 60, badSeconds: 15 }),
    fullDisk({ fills: 50 }),
    brokenSpoolFolder({ rounds: 10 }),
    failingDisk({ rounds: 50 }),
    bigSpool({ clicks: 1_000_000 }),
  ],
  4: [soak({ minutes: 35, visitsPerSecond: 500 })],
};
