import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { runProgram } from '../../support/child-program.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { keepMany, openRig, removeDir } from './spool-rig.ts';

let database: TestDatabase;
let streams: TestRedis;
beforeAll(async () => {
  [database, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterAll(async () => {
  await database.drop();
  await streams.drop();
});

const CLICKS = 200_000;

interface Figures {
  drained: number;
  openedMs: number;
  clicksPerSecond: number;
  rssGrowthMiB: number;
  loopDelayP99Ms: number;
}

it('F20: 200,000 clicks of a dead process are replayed at 5,000 a second or more, within 64 MB, while others are served', async () => {
  const { spool, dir } = await openRig();
  for (let kept = 0; kept < CLICKS; kept += 2_000) expect(await keepMany(spool, 2_000)).toHaveLength(2_000);
  await spool.stop();
  const program = runProgram(path.join(import.meta.dirname, 'run-replay.ts'), [dir, streams.url, database.url], {
    PATH: process.env['PATH'] ?? '',
  });
  const figures = JSON.parse(await program.line(/^\{/)) as Figures;
  expect(await program.ended).toBe(0);
  removeDir(dir);
  expect(figures.drained).toBe(CLICKS);
  expect(figures.openedMs).toBeLessThan(2_000);
  expect(figures.clicksPerSecond).toBeGreaterThan(5_000);
  expect(figures.rssGrowthMiB).toBeLessThan(64);
  expect(figures.loopDelayP99Ms).toBeLessThan(20);
  const entries = await streams.redis.xlen('clicks:{0}');
  // Entries of many clicks: what the worker reads fastest.
  expect(entries).toBeLessThan(CLICKS / 100);
});
