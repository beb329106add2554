/** Whether a worker's memory stays flat, however many clicks go through it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { streamKey } from '../../src/clicks/click-batch.ts';
import { createClickSet, entriesOf } from '../ingest/click-set.ts';
import type { Link } from '../../test/support/promotion.ts';
import { seedTenBrands } from '../support/seed.ts';
import { checkCounts, fillStream } from '../ingest/sides.ts';
import { BenchFault } from '../subject.ts';
import type { SubjectOptions, SubjectResult } from '../subject.ts';
import { cpuSecondsOf, memoryOf } from '../support/cpu.ts';
import { startDaihuo } from '../support/daihuo.ts';
import type { Daihuo } from '../support/daihuo.ts';
import { pinningNote } from '../support/pin.ts';
import { rounded } from '../support/statistics.ts';
import { withServices } from '../support/services.ts';
import type { BenchDatabase, BenchServices } from '../support/services.ts';

/** Rows of the table: the first one is what the worker needs to get going, the others must be like the second. */
const PARTS = 10;
const CHUNK = 50_000;
/** Entries of 32 clicks: some five seconds of the worker, so that it never waits and Redis stays small. */
const MOST_WAITING_ENTRIES = 6_000;
const POLL_MS = 20;
const PART_WITHIN_MS = 300_000;

interface Part {
  clicks: number;
  perSecond: number;
  workerUs: number;
  residentMb: number;
  peakMb: number;
}

function clicksOf({ quick, full = false }: SubjectOptions): number {
  if (full) return 10_000_000;
  return quick ? 500_000 : 2_000_000;
}

async function waitForEntries(services: BenchServices, most: number): Promise<void> {
  const deadlineMs = performance.now() + PART_WITHIN_MS;
  while ((await services.redis.xlen(streamKey(0))) > most) {
    if (performance.now() > deadlineMs) throw new BenchFault('the worker does not get on');
    await sleep(POLL_MS);
  }
}

/** Sends one part's clicks through the worker, never more at a time than it stores in some seconds. */
async function measurePart(
  services: BenchServices,
  worker: Daihuo,
  { links, fromMs, clicks }: { links: readonly Link[]; fromMs: number; clicks: number },
): Promise<Part> {
  const startedAtMs = performance.now();
  const cpuBefore = cpuSecondsOf(worker.pid);
  for (let sent = 0; sent < clicks; sent += CHUNK) {
    const { clicks: chunk } = createClickSet({ links, clicks: CHUNK, spread: 'even', startMs: fromMs + sent });
    await waitForEntries(services, MOST_WAITING_ENTRIES);
    await fillStream(services.redis, entriesOf(chunk));
  }
  await waitForEntries(services, 0);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const { residentMb, peakMb } = memoryOf(worker.pid);
  const workerUs = ((cpuSecondsOf(worker.pid) - cpuBefore) * 1e6) / clicks;
  return { clicks, perSecond: clicks / seconds, workerUs, residentMb, peakMb };
}

async function measureWorker(services: BenchServices, database: BenchDatabase, total: number): Promise<Part[]> {
  const links = await seedTenBrands(database.db);
  const worker = await startDaihuo({
    command: 'worker',
    databaseUrl: database.url,
    redisUrl: services.redisUrl,
    core: 'server',
    env: { CLICK_SHARDS: '1' },
  });
  try {
    const parts: Part[] = [];
    const clicks = total / PARTS;
    // A click a millisecond, and the last one about now.
    const firstMs = Date.now() - total;
    for (let part = 0; part < PARTS; part += 1) {
      parts.push(await measurePart(services, worker, { links, clicks, fromMs: firstMs + part * clicks }));
      console.error(`  ${(part + 1) * clicks} clicks`);
    }
    return parts;
  } finally {
    await worker.stop();
  }
}

async function checkStored({ db }: BenchDatabase, total: number): Promise<void> {
  const { rows } = await db.query<{ stored: bigint }>('select count(*) as "stored" from clicks');
  if (Number(rows[0]?.stored) !== total) throw new BenchFault(`${rows[0]?.stored} of ${total} clicks are stored`);
  await checkCounts(db);
}

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  const total = clicksOf(options);
  return withServices(async (services) => {
    const database = await services.createDatabase();
    const parts = await measureWorker(services, database, total);
    await checkStored(database, total);
    await database.drop();
    const resident = (index: number): number => parts.at(index)?.residentMb ?? Number.NaN;
    return {
      subject: 'endurance',
      title: `A worker's memory over ${total.toLocaleString('en')} clicks`,
      columns: ['clicks so far', 'clicks/s', 'worker µs/click', 'resident MB', 'peak MB'],
      rows: parts.map(({ clicks, perSecond, workerUs, residentMb, peakMb }, index) => [
        clicks * (index + 1),
        Math.round(perSecond),
        rounded(workerUs, 1),
        Math.round(residentMb),
        Math.round(peakMb),
      ]),
      ratios: [
        {
          name: 'peak resident MB',
          value: Math.round(parts.at(-1)?.peakMb ?? Number.NaN),
          must: 200,
          betterIs: 'lower',
        },
        {
          name: 'resident MB after the last part less after the second',
          value: Math.round(resident(-1) - resident(1)),
          must: 16,
          betterIs: 'lower',
        },
      ],
      notes: [
        `\`./daihuo worker\`, one shard; ${total.toLocaleString('en')} clicks of 50,000 visitors on 1,000 links, 1,000 a second by their own clock, in entries of 32; the bench makes them meanwhile, so clicks/s are lower than under ingest. Every click is in Postgres once; rollups and unique visitors are counted anew and agree.`,
        pinningNote(),
      ],
    };
  });
}
