/** The two sides of the comparison: psql's COPY, and the worker that drains a stream. Both end with the same rows, which is checked. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { streamKey } from '../../src/clicks/click-batch.ts';
import type { Db } from '../../src/infra/db.ts';
import { BenchFault } from '../subject.ts';
import { cpuSecondsOf, memoryOf } from '../support/cpu.ts';
import { NODE, startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import type { BenchDatabase, BenchServices } from '../support/services.ts';
import { COPY_COLUMNS } from './click-set.ts';
import type { ClickSet } from './click-set.ts';

export interface Measured {
  clicksPerSecond: number;
  /** CPU of each, µs a click: of psql or the worker, of Postgres, of Redis. */
  clientMicros: number;
  postgresMicros: number;
  redisMicros: number;
  /** The most the client ever held. */
  peakMb: number;
}

const PROGRAM = path.join(import.meta.dirname, 'run-worker.ts');
const ENTRIES_AT_ONCE = 500;
const DRAIN_WITHIN_MS = 120_000;
const POLL_MS = 5;

/** As ./daihuo starts Node. */
const NODE_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=30', '--no-allocation-site-pretenuring'];
const NODE_ENV = { MALLOC_ARENA_MAX: '2' };

/** Runs `work` and says what it cost. */
async function measure(
  services: BenchServices,
  clicks: number,
  work: () => Promise<{ pid: number; clientSeconds: number; seconds: number }>,
): Promise<Measured> {
  const before = { postgres: cpuSecondsOf(services.postgresPid), redis: cpuSecondsOf(services.redisPid) };
  const { pid, clientSeconds, seconds } = await work();
  const microsPerClick = (cpuSeconds: number): number => (cpuSeconds * 1_000_000) / clicks;
  return {
    clicksPerSecond: clicks / seconds,
    clientMicros: microsPerClick(clientSeconds),
    postgresMicros: microsPerClick(cpuSecondsOf(services.postgresPid) - before.postgres),
    redisMicros: microsPerClick(cpuSecondsOf(services.redisPid) - before.redis),
    peakMb: memoryOf(pid).peakMb || Number.NaN,
  };
}

/** `\copy` of the finished rows from a file into the same table with the same indexes, psql's start included. */
export async function measureCopy(
  services: BenchServices,
  { url }: BenchDatabase,
  file: string,
  clicks: number,
): Promise<Measured> {
  return measure(services, clicks, async () => {
    const startedAtMs = performance.now();
    const command = `\\copy clicks (${COPY_COLUMNS}) from '${file}'`;
    const psql = startProgram(['psql', '--no-psqlrc', '--dbname', url, '--command', command], { core: 'server' });
    const code = await psql.ended;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    if (code !== 0 || !psql.output().includes(`COPY ${clicks}`))
      throw new BenchFault(`psql (apt-get install postgresql-client) did not copy: ${psql.output()}`);
    // It has ended; what it used is next to nothing beside Postgres.
    return { pid: psql.pid, clientSeconds: Number.NaN, seconds };
  });
}

/** Puts the entries into the stream, as redirects would have left them. */
export async function fillStream(redis: Redis, entries: readonly string[]): Promise<void> {
  for (let at = 0; at < entries.length; at += ENTRIES_AT_ONCE) {
    const pipeline = redis.pipeline();
    for (const text of entries.slice(at, at + ENTRIES_AT_ONCE)) pipeline.xadd(streamKey(0), '*', 'clicks', text);
    await pipeline.exec();
  }
}

/** Where the worker warms up: another database, and logical database 1 of Redis. */
export interface WarmUp {
  database: BenchDatabase;
  entries: readonly string[];
}

/** Starts the worker's program, lets it warm up, and has it wait for `startDraining`. */
export async function startWorkerProgram(
  services: BenchServices,
  { url }: BenchDatabase,
  { database, entries }: WarmUp,
): Promise<Program> {
  const warmUrl = new URL(services.redisUrl);
  warmUrl.pathname = '/1';
  const warm = new Redis(warmUrl.href);
  await fillStream(warm, entries);
  await warm.quit();
  const command = [NODE, ...NODE_FLAGS, PROGRAM, url, services.redisUrl, database.url, warmUrl.href];
  const program = startProgram(command, { core: 'server', env: NODE_ENV });
  await program.line(/^waiting$/m);
  return program;
}

/** Gives the word. */
export async function startDraining({ redis }: BenchServices): Promise<void> {
  await redis.rpush('bench:go', 'go');
}

/** From the word go, connecting included, until the stream is empty: every click committed, acknowledged and deleted. */
export async function measureWorker(
  services: BenchServices,
  database: BenchDatabase,
  warmUp: WarmUp,
  clicks: number,
): Promise<Measured> {
  const program = await startWorkerProgram(services, database, warmUp);
  try {
    return await measure(services, clicks, async () => {
      const cpuBefore = cpuSecondsOf(program.pid);
      const startedAtMs = performance.now();
      await startDraining(services);
      while ((await services.redis.xlen(streamKey(0))) > 0) {
        if (performance.now() - startedAtMs > DRAIN_WITHIN_MS || program.hasEnded())
          throw new BenchFault(`the worker did not drain the stream: ${program.output()}`);
        await sleep(POLL_MS);
      }
      const seconds = (performance.now() - startedAtMs) / 1_000;
      return { pid: program.pid, clientSeconds: cpuSecondsOf(program.pid) - cpuBefore, seconds };
    });
  } finally {
    await program.stop();
  }
}

const LIST_WRONG_ROLLUPS = `
with counted as (
  select c.link_number, date_trunc('hour', c.clicked_at, 'Asia/Shanghai') as hour, c.verdict, coalesce(c.tag, '') as tag, c.brand_id,
    count(*) as clicks
  from clicks c group by 1, 2, 3, 4, 5
), kept as (
  select r.link_number, r.hour, r.verdict, r.tag, r.brand_id, r.clicks from click_rollups r
)
(select * from counted except select * from kept) union all (select * from kept except select * from counted)`;

const FIND_UNIQUES = `
select (select sum(r.uniques)::bigint from click_rollups r) as kept,
  (select count(distinct (c.link_number, c.visitor, (c.clicked_at at time zone 'Asia/Shanghai')::date))
   from clicks c where c.verdict = 'counted') as counted`;

/** Throws unless the rollups and the unique visitors are those of the clicks. */
export async function checkCounts(db: Db): Promise<void> {
  const wrong = await db.query(LIST_WRONG_ROLLUPS);
  if (wrong.rows.length > 0) throw new BenchFault(`${wrong.rows.length} rollups differ from the clicks`);
  const { rows } = await db.query<{ kept: bigint | null; counted: bigint }>(FIND_UNIQUES);
  if (rows[0]?.kept !== rows[0]?.counted) throw new BenchFault('the unique visitors are counted wrong');
}

/** Throws unless every click is there once, with its verdict. */
export async function checkClicks(db: Db, set: ClickSet): Promise<void> {
  const { rows } = await db.query<{ clickId: string; verdict: string }>(
    'select click_id as "clickId", verdict from clicks',
  );
  const wrong = rows.filter(({ clickId, verdict }) => set.verdicts.get(clickId) !== verdict);
  const distinct = new Set(rows.map(({ clickId }) => clickId)).size;
  if (rows.length !== set.clicks.length || distinct !== rows.length || wrong.length > 0)
    throw new BenchFault(`${rows.length} clicks stored, ${distinct} distinct, ${wrong.length} with a wrong verdict`);
}
