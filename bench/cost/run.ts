/** (e) What a million clicks cost, and what that means for traffic no machine here could make. */
import type { SubjectOptions, SubjectResult } from '../subject.ts';
import { disturbanceNotes, measuredOf, runRounds } from '../support/rounds.ts';
import { median } from '../support/statistics.ts';
import { requireWrk } from '../support/wrk.ts';
import { measureCost } from './measure.ts';
import type { CostResult } from './measure.ts';
import { cpuRow, sizeRow } from './projection.ts';

const VARIANT = 'serve, then worker';

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  requireWrk();
  const seconds = options.quick ? 3 : 8;
  const runs = await runRounds({
    options,
    variants: [{ name: VARIANT, measure: async () => measureCost(seconds) }],
  });
  const results = measuredOf(runs, VARIANT);
  const of = (pick: (result: CostResult) => number): number => median(results.map(pick));
  const redisUs = of((each) => each.redisAppendUs + each.redisReadUs);
  const allUs = of((each) => each.redirectUs + each.workerUs + each.postgresUs) + redisUs;
  return {
    subject: 'cost',
    title: 'Cost of clicks',
    columns: ['what', 'a click', 'a million clicks', '100 000/s (computed)', '10 billion a month (computed)'],
    rows: [
      cpuRow(
        'redirect process',
        of((each) => each.redirectUs),
      ),
      cpuRow('Redis, append and read', redisUs),
      cpuRow(
        'worker',
        of((each) => each.workerUs),
      ),
      cpuRow(
        'Postgres',
        of((each) => each.postgresUs),
      ),
      cpuRow('CPU in all', allUs),
      sizeRow(
        'Redis memory while it waits',
        of((each) => each.redisMemoryBytes),
        'a minute without workers',
      ),
      sizeRow(
        'Redis append-only file',
        of((each) => each.redisFileBytes),
        'a second',
      ),
      sizeRow(
        'Postgres table',
        of((each) => each.tableBytes),
        'a second',
      ),
      sizeRow(
        'Postgres indexes',
        of((each) => each.indexBytes),
        'a second',
      ),
      sizeRow(
        'rollups and visitors of the day',
        of((each) => each.countBytes),
        'a second',
      ),
      sizeRow(
        'Postgres WAL',
        of((each) => each.walBytes),
        'a second',
      ),
    ],
    ratios: [],
    notes: [
      `${options.rounds} round(s): ${seconds} s of redirects at 64 connections with AOF always and no worker, then a worker until all ${Math.round(of((each) => each.clicks))} clicks (${of((each) => each.clicksPerEntry).toFixed(0)} a stream entry) were in Postgres. CPU from /proc; sizes are what memory, files and tables grew by.`,
      'Computed, not measured: the last two columns multiply the cost of a click. 10 billion a month are 3 858 a second on average; cores are fully used ones, so plan for about twice as many, and for the peak instead of the average.',
      'Rollups and visitors grow with links, hours and visitors, not with clicks: 10 000 visitors and 1 000 links in a few seconds are the worst case.',
      ...disturbanceNotes(runs),
    ],
  };
}
