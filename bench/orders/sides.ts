/** The sides of the comparison. All write the same rows into the same tables of one database, which is checked after each. */
import path from 'node:path';
import type { Db } from '../../src/infra/db.ts';
import { BenchFault } from '../subject.ts';
import { cpuSecondsOf } from '../support/cpu.ts';
import { startDaihuo } from '../support/daihuo.ts';
import { NODE, startProgram } from '../support/program.ts';
import type { BenchServices } from '../support/services.ts';
import type { LoadResult } from './http-load.ts';
import { PRODUCTS, SECRET, STORES } from './market.ts';
import type { CallersTask } from './run-callers.ts';

export interface Measured {
  ordersPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU of the server (or of the intake in one process), µs an order; NaN for pgbench. */
  serverMicros: number;
  postgresMicros: number;
  /** CPU of the program that posts the webhooks, on Postgres' cores, µs an order; NaN where nothing is posted. */
  loadMicros: number;
  /** Mean messages of a transaction. */
  batch: number;
}

export interface Setting {
  services: BenchServices;
  marketFile: string;
  clicks: number;
  since: Date;
  warmUpMs: number;
  measureMs: number;
  prepared: number;
  /** Another checkout than that of the bench. */
  checkout?: string;
}

const MS = 1_000;
const MICROS = 1_000_000;
const END_WITHIN_MS = 90_000;

/** One function call a transaction. The client has the core that daihuo has on the other sides. */
export async function measurePgbench(setting: Setting, script: string, clients: number): Promise<Measured> {
  const { services, clicks, since, measureMs } = setting;
  await services.db.query('checkpoint');
  const before = cpuSecondsOf(services.postgresPid);
  const variables = { clicks, products: PRODUCTS, stores: STORES, since: since.getTime() / MS };
  const defined = Object.entries(variables).flatMap(([name, value]) => ['--define', `${name}=${value}`]);
  const file = path.join(import.meta.dirname, script);
  const often = ['--client', String(clients), '--jobs', '1', '--time', String(Math.ceil(measureMs / MS))];
  const pgbench = startProgram(
    ['pgbench', '--no-vacuum', '--protocol', 'prepared', '--file', file, ...often, ...defined, services.databaseUrl],
    { core: 'server' },
  );
  const code = await pgbench.ended;
  const perSecond = Number(/^tps = ([\d.]+)/m.exec(pgbench.output())?.[1]);
  const done = Number(/^number of transactions actually processed: (\d+)/m.exec(pgbench.output())?.[1]);
  if (code !== 0 || !(perSecond > 0)) {
    throw new BenchFault(`pgbench (apt-get install postgresql-contrib) did not run: ${pgbench.output()}`);
  }
  const postgresSeconds = cpuSecondsOf(services.postgresPid) - before;
  const averageMs = Number(/^latency average = ([\d.]+)/m.exec(pgbench.output())?.[1]);
  return {
    ordersPerSecond: perSecond,
    p50Ms: averageMs,
    p99Ms: Number.NaN,
    serverMicros: Number.NaN,
    postgresMicros: (postgresSeconds * MICROS) / done,
    loadMicros: Number.NaN,
    batch: 1,
  };
}

/** Signed webhooks over HTTP to `daihuo serve`. */
export async function measureWebhooks(setting: Setting, callers: number, name: string): Promise<Measured> {
  const { services } = setting;
  const { databaseUrl, redisUrl } = services;
  const daihuo = await startDaihuo({
    command: 'serve',
    databaseUrl,
    redisUrl,
    core: 'server',
    env: { DAIHUO_SECRET: SECRET },
    ...(setting.checkout === undefined ? {} : { checkout: setting.checkout }),
  });
  try {
    await services.db.query('checkpoint');
    const before = { server: cpuSecondsOf(daihuo.pid), postgres: cpuSecondsOf(services.postgresPid) };
    const port = Number(new URL(daihuo.origin).port);
    const result = await runCallers(setting, { callers, name, port, core: 'others' });
    const batches = await daihuo.metric('order_batch_messages_count');
    const messages = await daihuo.metric('order_batch_messages_sum');
    return {
      ...figuresOf(result),
      serverMicros: ((cpuSecondsOf(daihuo.pid) - before.server) * MICROS) / result.answered,
      postgresMicros: ((cpuSecondsOf(services.postgresPid) - before.postgres) * MICROS) / result.answered,
      loadMicros: result.cpuMicros,
      batch: messages / batches,
    };
  } finally {
    await daihuo.stop();
  }
}

/** The same messages, verified and recorded in the process that makes them. */
export async function measureIntake(setting: Setting, callers: number, name: string): Promise<Measured> {
  const { services } = setting;
  await services.db.query('checkpoint');
  const before = cpuSecondsOf(services.postgresPid);
  const result = await runCallers(setting, { callers, name, core: 'server' });
  const postgresSeconds = cpuSecondsOf(services.postgresPid) - before;
  return {
    ...figuresOf(result),
    serverMicros: Number.NaN,
    postgresMicros: (postgresSeconds * MICROS) / result.answered,
    loadMicros: Number.NaN,
    batch: Number.NaN,
  };
}

async function runCallers(
  setting: Setting,
  run: { callers: number; name: string; port?: number; core: 'server' | 'others' },
): Promise<LoadResult> {
  const { marketFile, warmUpMs, measureMs, prepared, services } = setting;
  const { core, ...asked } = run;
  const task: CallersTask = { marketFile, warmUpMs, measureMs, prepared, databaseUrl: services.databaseUrl, ...asked };
  const program = startProgram([NODE, path.join(import.meta.dirname, 'run-callers.ts'), JSON.stringify(task)], {
    core,
  });
  const line = await program.line(/^result /, END_WITHIN_MS);
  await program.ended;
  const result = JSON.parse(line.slice('result '.length)) as LoadResult;
  if (result.refused > 0) throw new BenchFault(`${result.refused} of ${result.answered} messages were not taken`);
  return result;
}

function figuresOf({ perSecond, p50Ms, p99Ms }: LoadResult): Pick<Measured, 'ordersPerSecond' | 'p50Ms' | 'p99Ms'> {
  return { ordersPerSecond: perSecond, p50Ms, p99Ms };
}

// Every message must have left the whole set of rows, and every journal must sum to 0.
const CHECK_BOOKS = `
select (select count(*) from inbox_messages) as messages, (select count(*) from raw_messages) as raw,
  (select count(*) from orders where status = 'paid') as orders, (select count(*) from order_events) as events,
  (select count(*) from order_lines) as lines, (select count(*) from attributions where method = 'click_id') as attributions,
  (select count(*) from priced_lines) as commissions, (select count(*) from journal_entries) as journals,
  (select count(*) from entry_lines) as "journalLines", (select count(*) / 2 from postings) as "pairsOfEntries",
  (select count(*) from (select from postings group by entry_id having sum(amount_fen) <> 0) u) as unbalanced,
  (select coalesce(sum(amount_fen), 0) from postings where account = 'brand_owes') as "owedFen"`;

/** @throws BenchFault where a row is missing or too many, or a journal does not balance */
export async function checkBooks(db: Db): Promise<void> {
  const { rows } = await db.query<Record<string, bigint | string>>(CHECK_BOOKS);
  const { unbalanced, owedFen, ...counts } = rows[0] ?? {};
  const values = new Set(Object.values(counts));
  const [orders] = values;
  const isComplete = values.size === 1 && typeof orders === 'bigint' && BigInt(owedFen ?? 0) === orders * 2_985n;
  if (!isComplete || unbalanced !== 0n)
    throw new BenchFault(`the books do not add up: ${JSON.stringify(rows[0], texts)}`);
}

function texts(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
