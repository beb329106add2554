import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from '../support/cpu.ts';
import { startDaihuo } from '../support/daihuo.ts';
import type { Daihuo } from '../support/daihuo.ts';
import { startPacedLoad } from '../support/paced-answers.ts';
import { takeRedisAway } from '../support/redis-process.ts';
import type { OutageKind } from '../support/redis-process.ts';
import { seedBrand } from '../support/seed.ts';
import { withServices } from '../support/services.ts';
import type { BenchServices } from '../support/services.ts';
import { writeVisits } from '../support/visits.ts';
import { phaseOf } from './phases.ts';
import type { MemorySample, PhaseResult } from './phases.ts';
import { checkStored, lastIngestedMs } from './stored.ts';
import type { StoredResult } from './stored.ts';

export interface OutagePlan {
  perSecond: number;
  warmUpSeconds: number;
  beforeSeconds: number;
  outageSeconds: number;
  afterSeconds: number;
  /** From the return of Redis on. */
  drainLimitSeconds: number;
}

export interface OutageResult {
  phases: { before: PhaseResult; firstSecond: PhaseResult; outage: PhaseResult; after: PhaseResult };
  stored: StoredResult;
  untracked: number;
  failed: number;
  /** From the moment Redis answered again until the last click of the outage was in Postgres. */
  drainedSeconds: number;
  growthMb: number;
}

const LINKS = 1_000;
const CONNECTIONS = 512;
const SAMPLE_MS = 250;

/** @returns stops sampling and gives what was seen */
function watchMemory(pid: number): () => MemorySample[] {
  const samples: MemorySample[] = [];
  const timer = setInterval(() => samples.push({ atMs: Date.now(), residentMb: memoryOf(pid).residentMb }), SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return samples;
  };
}

async function runOutage(
  services: BenchServices,
  context: { daihuo: Daihuo; visitsFile: string; kind: OutageKind; plan: OutagePlan },
): Promise<OutageResult> {
  const { daihuo, visitsFile, kind, plan } = context;
  const memory = watchMemory(daihuo.pid);
  const seconds = plan.warmUpSeconds + plan.beforeSeconds + plan.outageSeconds + plan.afterSeconds;
  const load = await startPacedLoad({
    origin: daihuo.origin,
    visitsFile,
    perSecond: plan.perSecond,
    total: seconds * plan.perSecond,
    connections: CONNECTIONS,
  });
  const beforeMs = load.startedAtMs + plan.warmUpSeconds * 1_000;
  await sleep(beforeMs + plan.beforeSeconds * 1_000 - Date.now());
  const awayMs = Date.now();
  await takeRedisAway(services, kind, plan.outageSeconds * 1_000);
  const backMs = Date.now();
  const answers = await load.answers();
  const ids = answers.flatMap(({ outcome, clickId }) => (outcome === 'tracked' ? [clickId] : []));
  const drainLimitMs = backMs + plan.drainLimitSeconds * 1_000 - Date.now();
  const stored = await checkStored(services.db, ids, Math.max(1_000, drainLimitMs));
  const samples = memory();
  const phase = (fromMs: number, toMs: number): PhaseResult => phaseOf({ fromMs, toMs }, answers, samples);
  const before = phase(beforeMs, awayMs);
  const peakMb = phase(awayMs, Infinity).residentMb;
  return {
    phases: {
      before,
      firstSecond: phase(awayMs, awayMs + 1_000),
      outage: phase(awayMs, backMs),
      after: phase(backMs, load.startedAtMs + seconds * 1_000),
    },
    stored,
    untracked: answers.filter(({ outcome }) => outcome === 'untracked').length,
    failed: answers.filter(({ outcome }) => outcome === 'refused' || outcome === 'failed').length,
    drainedSeconds: ((await lastIngestedMs(services.db, { fromMs: awayMs, toMs: backMs })) - backMs) / 1_000,
    growthMb: peakMb - before.residentMb,
  };
}

/** One outage, with servers of its own: a killed Redis leaves nothing behind for the next. */
export async function measureOutage(kind: OutageKind, plan: OutagePlan): Promise<OutageResult> {
  return withServices(async (services) => {
    const { codes } = await seedBrand(services.db, LINKS);
    const visitsFile = await writeVisits({ codes });
    const { databaseUrl, redisUrl } = services;
    const daihuo = await startDaihuo({ command: 'serve', databaseUrl, redisUrl, core: 'server' });
    const worker = await startDaihuo({ command: 'worker', databaseUrl, redisUrl, core: 'others' });
    try {
      return await runOutage(services, { daihuo, visitsFile, kind, plan });
    } finally {
      await daihuo.stop();
      await worker.stop();
    }
  });
}
