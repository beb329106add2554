import { setTimeout as sleep } from 'node:timers/promises';
import { BenchFault } from '../subject.ts';
import { cpuSecondsOf, memoryOf } from '../support/cpu.ts';
import type { BenchServices } from '../support/services.ts';
import { runWrk } from '../support/wrk.ts';
import type { LoadResult } from '../support/wrk.ts';
import type { ClickCheck, RunningSide, Side } from './side.ts';

export interface LevelResult extends LoadResult {
  connections: number;
  /** CPU of the server process, µs a request. */
  serverUs: number;
  redisUs: number;
}

export interface SideResult {
  levels: LevelResult[];
  peakMb: number;
  check?: ClickCheck;
}

export interface Durations {
  warmUpSeconds: number;
  /** At 64 connections, which the goals are about. */
  mainSeconds: number;
  otherSeconds: number;
}

export const MAIN_LEVEL = 64;
/** What was answered last may still be on its way into the stream. */
const SETTLE_MS = 200;

async function measureLevel(
  running: RunningSide,
  connections: number,
  context: { services: BenchServices; visitsFile: string; seconds: number },
): Promise<LevelResult> {
  const cpu = (): { server: number; redis: number } => ({
    server: cpuSecondsOf(running.pid),
    redis: cpuSecondsOf(context.services.redisPid),
  });
  const before = cpu();
  const load = await runWrk({
    origin: running.origin,
    visitsFile: context.visitsFile,
    connections,
    seconds: context.seconds,
  });
  const after = cpu();
  if (load.badStatus > 0 || load.socketErrors > 0)
    throw new BenchFault(`${load.badStatus} bad answers and ${load.socketErrors} socket errors`);
  const perRequestUs = (seconds: number): number => (seconds / load.answered) * 1e6;
  return {
    ...load,
    connections,
    serverUs: perRequestUs(after.server - before.server),
    redisUs: perRequestUs(after.redis - before.redis),
  };
}

/** Starts one side, warms it up, loads it with each number of connections, checks what it stored, and stops it. */
export async function measureSide(
  side: Side,
  context: { services: BenchServices; visitsFile: string; durations: Durations },
): Promise<SideResult> {
  const { services, visitsFile, durations } = context;
  await services.setAppendFsync(side.appendFsync);
  await services.emptyRedis();
  const running = await side.start();
  try {
    const load = { services, visitsFile };
    const warmUp = await measureLevel(running, MAIN_LEVEL, { ...load, seconds: durations.warmUpSeconds });
    const levels: LevelResult[] = [];
    for (const connections of side.levels) {
      const seconds = connections === MAIN_LEVEL ? durations.mainSeconds : durations.otherSeconds;
      levels.push(await measureLevel(running, connections, { ...load, seconds }));
    }
    await sleep(SETTLE_MS);
    const all = [warmUp, ...levels];
    const check = await running.check?.({
      answered: all.reduce((sum, { answered }) => sum + answered, 0),
      connections: all.reduce((sum, { connections }) => sum + connections, 0),
    });
    const { peakMb } = memoryOf(running.pid);
    return { levels, peakMb, ...(check === undefined ? {} : { check }) };
  } finally {
    await running.stop();
    await services.emptyRedis();
  }
}
