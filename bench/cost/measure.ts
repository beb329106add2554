import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../src/infra/db.ts';
import { BenchFault } from '../subject.ts';
import { cpuSecondsOf } from '../support/cpu.ts';
import { startDaihuo } from '../support/daihuo.ts';
import { seedBrand } from '../support/seed.ts';
import { withServices } from '../support/services.ts';
import type { BenchServices } from '../support/services.ts';
import { countWaitingEntries, readStoredClicks } from '../support/stored-clicks.ts';
import { writeVisits } from '../support/visits.ts';
import { runWrk } from '../support/wrk.ts';

/** Of one click: CPU in µs, sizes in bytes. */
export interface CostResult {
  clicks: number;
  clicksPerEntry: number;
  redirectUs: number;
  redisAppendUs: number;
  workerUs: number;
  redisReadUs: number;
  postgresUs: number;
  redisMemoryBytes: number;
  redisFileBytes: number;
  tableBytes: number;
  indexBytes: number;
  /** Rollups and the day's visitors. */
  countBytes: number;
  walBytes: number;
}

const LINKS = 1_000;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;
const DRAIN_LIMIT_MS = 120_000;
const POLL_MS = 50;
const IDLE_WORKER_MS = 500;

const COUNT_CLICKS = 'select count(*) as "clicks" from clicks';
const READ_WAL = `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as "bytes"`;
// Heap with its maps and toast, and indexes, of all partitions; and of the tables that count.
const READ_SIZES = `
  select
    (select sum(pg_table_size(p.relid)) from pg_partition_tree('clicks') p where p.isleaf)::bigint as "tableBytes",
    (select sum(pg_indexes_size(p.relid)) from pg_partition_tree('clicks') p where p.isleaf)::bigint as "indexBytes",
    pg_total_relation_size('click_rollups') + pg_total_relation_size('click_visits') as "countBytes"`;

interface Sizes {
  tableBytes: bigint;
  indexBytes: bigint;
  countBytes: bigint;
}

async function readSizes(db: Db): Promise<Sizes> {
  const { rows } = await db.query<Sizes>(READ_SIZES);
  if (rows[0] === undefined) throw new BenchFault('Postgres told no sizes');
  return rows[0];
}

async function readWalBytes(db: Db): Promise<number> {
  const { rows } = await db.query<{ bytes: bigint }>(READ_WAL);
  return Number(rows[0]?.bytes ?? 0);
}

async function readRedisBytes({ redis }: BenchServices): Promise<{ memory: number; file: number }> {
  const numberOf = async (section: string, name: string): Promise<number> =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info(section))?.[1] ?? 0);
  return { memory: await numberOf('memory', 'used_memory'), file: await numberOf('persistence', 'aof_current_size') };
}

/** Asks Redis, not Postgres: counting rows would be a good part of what is measured. Entries go after the COMMIT that stores them. */
async function waitUntilDrained({ redis }: BenchServices): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_LIMIT_MS;
  for (let waiting = 1; waiting > 0;) {
    await sleep(POLL_MS);
    waiting = await countWaitingEntries(redis);
    if (performance.now() > deadlineMs) throw new BenchFault(`${waiting} entries still wait for the worker`);
  }
}

async function requireClicks(db: Db, wanted: number): Promise<void> {
  const { rows } = await db.query<{ clicks: bigint }>(COUNT_CLICKS);
  if (Number(rows[0]?.clicks) !== wanted) throw new BenchFault(`${rows[0]?.clicks} clicks in Postgres, of ${wanted}`);
}

/** Redirects for a while with no worker reading. */
async function measureRedirects(services: BenchServices, visitsFile: string, seconds: number) {
  const { databaseUrl, redisUrl, redisPid } = services;
  const daihuo = await startDaihuo({ command: 'serve', databaseUrl, redisUrl, core: 'server' });
  try {
    const load = { origin: daihuo.origin, visitsFile, connections: CONNECTIONS };
    await runWrk({ ...load, seconds: WARM_UP_SECONDS });
    await services.emptyRedis();
    const bytes = await readRedisBytes(services);
    const [redirectBefore, redisBefore] = [cpuSecondsOf(daihuo.pid), cpuSecondsOf(redisPid)];
    const { badStatus, socketErrors } = await runWrk({ ...load, seconds });
    if (badStatus + socketErrors > 0) throw new BenchFault(`${badStatus} bad answers, ${socketErrors} socket errors`);
    const [redirectSeconds, redisSeconds] = [
      cpuSecondsOf(daihuo.pid) - redirectBefore,
      cpuSecondsOf(redisPid) - redisBefore,
    ];
    const after = await readRedisBytes(services);
    return { redirectSeconds, redisSeconds, memory: after.memory - bytes.memory, file: after.file - bytes.file };
  } finally {
    await daihuo.stop();
  }
}

/** Lets a worker bring everything that waits to Postgres. Its start is not part of the cost: it is read apart, from a worker with nothing to do. */
async function measureIngest(services: BenchServices, clicks: number, startSeconds: number) {
  const { db, databaseUrl, redisUrl, redisPid, postgresPid } = services;
  const cpu = (workerPid: number) => ({
    worker: cpuSecondsOf(workerPid),
    redis: cpuSecondsOf(redisPid),
    postgres: cpuSecondsOf(postgresPid),
  });
  const [sizes, wal, before] = [await readSizes(db), await readWalBytes(db), cpu(0)];
  const worker = await startDaihuo({ command: 'worker', databaseUrl, redisUrl, core: 'server' });
  try {
    await waitUntilDrained(services);
    const after = cpu(worker.pid);
    await requireClicks(db, clicks);
    const grown = await readSizes(db);
    return {
      workerSeconds: Math.max(0, after.worker - startSeconds),
      redisSeconds: after.redis - before.redis,
      postgresSeconds: after.postgres - before.postgres,
      walBytes: (await readWalBytes(db)) - wal,
      tableBytes: Number(grown.tableBytes - sizes.tableBytes),
      indexBytes: Number(grown.indexBytes - sizes.indexBytes),
      countBytes: Number(grown.countBytes - sizes.countBytes),
    };
  } finally {
    await worker.stop();
  }
}

/** CPU seconds of a worker until it is ready and has found nothing. */
async function measureWorkerStart({ databaseUrl, redisUrl }: BenchServices): Promise<number> {
  const worker = await startDaihuo({ command: 'worker', databaseUrl, redisUrl, core: 'server' });
  try {
    await sleep(IDLE_WORKER_MS);
    return cpuSecondsOf(worker.pid);
  } finally {
    await worker.stop();
  }
}

/** Redirects for so many seconds, then the ingest of what they left, with servers of its own. */
export async function measureCost(seconds: number): Promise<CostResult> {
  return withServices(async (services) => {
    const { codes } = await seedBrand(services.db, LINKS);
    const startSeconds = await measureWorkerStart(services);
    const redirects = await measureRedirects(services, await writeVisits({ codes }), seconds);
    const { clickIds, entries } = await readStoredClicks(services.redis);
    const clicks = clickIds.size;
    const ingest = await measureIngest(services, clicks, startSeconds);
    const us = (cpuSeconds: number): number => (cpuSeconds / clicks) * 1e6;
    return {
      clicks,
      clicksPerEntry: clicks / entries,
      redirectUs: us(redirects.redirectSeconds),
      redisAppendUs: us(redirects.redisSeconds),
      workerUs: us(ingest.workerSeconds),
      redisReadUs: us(ingest.redisSeconds),
      postgresUs: us(ingest.postgresSeconds),
      redisMemoryBytes: redirects.memory / clicks,
      redisFileBytes: redirects.file / clicks,
      tableBytes: ingest.tableBytes / clicks,
      indexBytes: ingest.indexBytes / clicks,
      countBytes: ingest.countBytes / clicks,
      walBytes: ingest.walBytes / clicks,
    };
  });
}
