/** How fast paid orders go from a signed webhook to COMMIT, beside pgbench calling one function a transaction that writes the same rows. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Ratio, SubjectOptions, SubjectResult } from '../subject.ts';
import { pinningNote } from '../support/pin.ts';
import { disturbanceNotes, measuredOf, type Run, runRounds, type Variant } from '../support/rounds.ts';
import { makeScratch } from '../support/scratch.ts';
import { withServices } from '../support/services.ts';
import { median, rounded, summarise } from '../support/statistics.ts';
import { seedMarket } from './market.ts';
import { checkBooks, measureIntake, measurePgbench, measureWebhooks, type Measured, type Setting } from './sides.ts';

const CLICKS = 200_000;
const DAY_MS = 86_400_000;
const COLUMNS = [
  'way',
  'orders/s',
  'min–max',
  'p50 ms',
  'p99 ms',
  'orders a transaction',
  'server µs',
  'Postgres µs',
  'load µs',
];
const PGBENCH = ['pgbench, 10 clients', 'pgbench, 4 clients'] as const;
const SIMPLE = 'pgbench, 10 clients, the smallest order there could be (orientation)';
const WEBHOOKS = { 64: 'webhooks, 64 callers', 8: 'webhooks, 8 callers' } as const;
const INTAKE = { 64: 'intake in one process, 64 callers', 8: 'intake in one process, 8 callers' } as const;
const GOALS = { 64: { must: 1.9, aim: 2.5 }, 8: { must: 1, aim: 1.2 } } as const;
const CALLERS = [64, 8] as const;

function variantsOf(setting: Setting): Variant<Measured>[] {
  const checked = (name: string, measure: (round: number) => Promise<Measured>): Variant<Measured> => ({
    name,
    measure: async (round) => {
      const measured = await measure(round);
      await checkBooks(setting.services.db);
      return measured;
    },
  });
  const [ten, four] = PGBENCH;
  const script = 'record-order.pgbench.sql';
  // Repeats of a round are named apart, as nothing may be a repeated message.
  let runs = 0;
  const nameOf = (): string => `run-${(runs += 1)}`;
  return [
    checked(ten, () => measurePgbench(setting, script, 10)),
    checked(WEBHOOKS[64], () => measureWebhooks(setting, 64, nameOf())),
    checked(INTAKE[64], () => measureIntake(setting, 64, nameOf())),
    checked(four, () => measurePgbench(setting, script, 4)),
    checked(WEBHOOKS[8], () => measureWebhooks(setting, 8, nameOf())),
    checked(INTAKE[8], () => measureIntake(setting, 8, nameOf())),
    checked(SIMPLE, () => measurePgbench(setting, 'simple-order.pgbench.sql', 10)),
  ];
}

function rowOf(way: string, runs: readonly Measured[]): (string | number)[] {
  const speed = summarise(runs.map(({ ordersPerSecond }) => ordersPerSecond));
  const of = (key: keyof Measured, digits: number): number => rounded(median(runs.map((run) => run[key])), digits);
  return [
    way,
    Math.round(speed.median),
    `${Math.round(speed.min)}–${Math.round(speed.max)}`,
    of('p50Ms', 1),
    of('p99Ms', 1),
    of('batch', 1),
    of('serverMicros', 0),
    of('postgresMicros', 0),
    of('loadMicros', 0),
  ];
}

function ratiosOf(runs: ReadonlyMap<string, readonly Run<Measured>[]>): Ratio[] {
  const speedOf = (way: string): number => median(measuredOf(runs, way).map(({ ordersPerSecond }) => ordersPerSecond));
  const [ten, four] = PGBENCH;
  const better = Math.max(speedOf(ten), speedOf(four));
  return CALLERS.flatMap((callers): Ratio[] => [
    {
      name: `webhook to COMMIT, ${callers} callers ÷ pgbench, one function call a transaction (10 clients)`,
      value: rounded(speedOf(WEBHOOKS[callers]) / speedOf(ten), 2),
      ...GOALS[callers],
      betterIs: 'higher',
    },
    {
      name: `the same ÷ the better of 10 and 4 clients, ${callers} callers`,
      value: rounded(speedOf(WEBHOOKS[callers]) / better, 2),
      betterIs: 'higher',
    },
    {
      name: `intake in one process, ${callers} callers ÷ pgbench (10 clients)`,
      value: rounded(speedOf(INTAKE[callers]) / speedOf(ten), 2),
      betterIs: 'higher',
    },
  ]);
}

export async function run(options: SubjectOptions): Promise<SubjectResult> {
  return withServices(async (services) => {
    const since = new Date(Math.floor((Date.now() - 8 * DAY_MS) / 1_000) * 1_000);
    const market = await seedMarket(services.db, { clicks: CLICKS, since });
    await services.db.query(await readFile(new URL('simple-order.sql', import.meta.url), 'utf8'));
    const scratch = await makeScratch('visits');
    const marketFile = path.join(scratch.folder, 'market.json');
    await writeFile(marketFile, JSON.stringify(market));
    const setting: Setting = {
      services,
      marketFile,
      clicks: CLICKS,
      since,
      // V8 goes on compiling for some eight seconds; the redirect is measured after as many.
      warmUpMs: options.quick ? 1_000 : 8_000,
      measureMs: options.quick ? 3_000 : 6_000,
      prepared: options.quick ? 12_000 : 36_000,
    };
    const variants = variantsOf(setting);
    const runs = await runRounds({ options, variants, ownPids: [services.postgresPid, services.redisPid] });
    await scratch.remove();
    return {
      subject: 'orders',
      title: 'Orders: from a signed webhook to COMMIT',
      columns: COLUMNS,
      rows: variants.map(({ name }) => rowOf(name, measuredOf(runs, name))),
      ratios: ratiosOf(runs),
      notes: [
        'Each webhook is a paid order of one line with the id of a stored click: verified, sealed, folded, attributed at level 1, priced and booked, and answered after COMMIT. 10 brands and stores, 1,000 products and links, 400,000 clicks; each order is new.',
        'pgbench calls a plpgsql function that writes the same rows (message, sealed bytes, order, event, line, attribution, frozen terms, journal with a line and two entries) into the same tables under the same constraints and triggers, with the lookups that this takes; it verifies, folds and explains nothing. Its client has cpu 0 to itself, as daihuo has, and Postgres has the others to itself, which it shares with the load where webhooks are posted (load µs); its p50 is the average.',
        'After each run every message has its whole set of rows and every journal sums to 0.',
        pinningNote(),
        ...disturbanceNotes(runs),
      ],
    };
  });
}
