/** How fast clicks go from the stream into Postgres, exactly once, beside psql's COPY of the finished rows into the same table. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Link } from '../../test/support/promotion.ts';
import type { Ratio, SubjectOptions, SubjectResult } from '../subject.ts';
import { pinningNote } from '../support/pin.ts';
import { disturbanceNotes, measuredOf, runRounds } from '../support/rounds.ts';
import type { Variant } from '../support/rounds.ts';
import { makeScratch } from '../support/scratch.ts';
import { seedTenBrands } from '../support/seed.ts';
import { withServices } from '../support/services.ts';
import type { BenchServices } from '../support/services.ts';
import { median, rounded, summarise } from '../support/statistics.ts';
import { copyTextOf, createClickSet, entriesOf } from './click-set.ts';
import type { ClickSet } from './click-set.ts';
import { checkClicks, checkCounts, fillStream, measureCopy, measureWorker } from './sides.ts';
import type { Measured } from './sides.ts';

const CLICKS = 200_000;
const QUICK_CLICKS = 60_000;
const WARM_UP_ENTRIES = 2_500;
/** The last click is some minutes old: what an outage leaves behind. */
const AGE_MS = 500_000;

const SPREADS = [
  { spread: 'hot', name: '80 % on 1 % of the links' },
  { spread: 'even', name: 'all links alike' },
] as const;
type Spread = (typeof SPREADS)[number]['spread'];

const COLUMNS = [
  'clicks',
  'way',
  'clicks/s',
  'min–max',
  'client µs/click',
  'Postgres µs/click',
  'Redis µs/click',
  'client peak MB',
];

interface Material {
  set: ClickSet;
  entries: string[];
  file: string;
}

async function prepare(folder: string, links: readonly Link[], spread: Spread, clicks: number): Promise<Material> {
  const set = createClickSet({ links, clicks, spread, startMs: Date.now() - AGE_MS });
  const file = path.join(folder, `clicks-${spread}.tsv`);
  await writeFile(file, copyTextOf(set, links));
  return { set, entries: entriesOf(set.clicks), file };
}

/** Both ways into a database of their own, with the same links; what is there afterwards is checked outside the time. */
function variantsOf(services: BenchServices, name: string, { set, entries, file }: Material): Variant<Measured>[] {
  const clicks = set.clicks.length;
  const warmUpEntries = entries.slice(0, WARM_UP_ENTRIES);
  const inFreshDatabase = async (
    work: (database: Awaited<ReturnType<BenchServices['createDatabase']>>) => Promise<Measured>,
  ): Promise<Measured> => {
    const database = await services.createDatabase();
    try {
      await seedTenBrands(database.db);
      await database.db.query('checkpoint');
      const measured = await work(database);
      await checkClicks(database.db, set);
      return measured;
    } finally {
      await database.drop();
    }
  };
  return [
    {
      name: `psql COPY, ${name}`,
      measure: () => inFreshDatabase((database) => measureCopy(services, database, file, clicks)),
    },
    {
      name: `worker, ${name}`,
      measure: () =>
        inFreshDatabase(async (database) => {
          await services.emptyRedis();
          await fillStream(services.redis, entries);
          const warmUp = { database: await services.createDatabase(), entries: warmUpEntries };
          await seedTenBrands(warmUp.database.db);
          const measured = await measureWorker(services, database, warmUp, clicks);
          await checkCounts(database.db);
          await warmUp.database.drop();
          return measured;
        }),
    },
  ];
}

function rowOf(name: string, way: string, runs: readonly Measured[]): (string | number)[] {
  const speed = summarise(runs.map(({ clicksPerSecond }) => clicksPerSecond));
  const of = (key: keyof Measured): number => rounded(median(runs.map((run) => run[key])), 1);
  return [
    name,
    way,
    Math.round(speed.median),
    `${Math.round(speed.min)}–${Math.round(speed.max)}`,
    of('clientMicros'),
    of('postgresMicros'),
    of('redisMicros'),
    Math.round(of('peakMb')),
  ];
}

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  return withServices(async (services) => {
    const links = await seedTenBrands(services.db);
    const scratch = await makeScratch('visits');
    const clicks = options.quick ? QUICK_CLICKS : CLICKS;
    const variants: Variant<Measured>[] = [];
    for (const { spread, name } of SPREADS)
      variants.push(...variantsOf(services, name, await prepare(scratch.folder, links, spread, clicks)));
    const ownPids = [services.postgresPid, services.redisPid];
    const runs = await runRounds({ options, variants, ownPids });
    await scratch.remove();
    const speedOf = (way: string): number =>
      median(measuredOf(runs, way).map(({ clicksPerSecond }) => clicksPerSecond));
    return {
      subject: 'ingest',
      title: 'Clicks from the stream into Postgres',
      columns: COLUMNS,
      rows: SPREADS.flatMap(({ name }) =>
        ['psql COPY', 'worker'].map((way) => rowOf(name, way, measuredOf(runs, `${way}, ${name}`))),
      ),
      ratios: SPREADS.map(({ name }): Ratio => ({
        name: `worker, exactly once ÷ psql COPY into the same table, ${name}`,
        value: rounded(speedOf(`worker, ${name}`) / speedOf(`psql COPY, ${name}`), 2),
        must: 0.5,
        aim: 0.65,
        betterIs: 'higher',
      })),
      notes: [
        `${clicks} clicks of 50,000 visitors on 1,000 links, 1,000 a second: 5 % bots, 3 % repeats, 60 % with one of five tags; in entries of 32. COPY writes the finished rows alone; the worker reads, decodes, decides repeats, writes the same rows, the rollups and the visits, acknowledges and deletes. From the start of psql, or from the word go to a worker that has stored 80,000 clicks elsewhere before and is not connected here, until the last click is committed (and its entry deleted).`,
        'Every run into a database of its own, after a checkpoint; rows, verdicts, rollups and unique visitors are checked after each.',
        pinningNote(),
        ...disturbanceNotes(runs),
      ],
    };
  });
}
