import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { runningMs } from '../../src/infra/running-time.ts';

/** Holds this thread without using the CPU, as a stopped process does. */
function holdMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Uses the CPU for this time, however little of it a busy machine gives. */
function computeMs(ms: number): void {
  const before = process.threadCpuUsage();
  for (let usedMs = 0; usedMs < ms;) {
    const { user, system } = process.threadCpuUsage(before);
    usedMs = (user + system) / 1_000;
  }
}

async function countedMs(work: () => Promise<void> | void): Promise<number> {
  const before = runningMs();
  await work();
  await sleep(1);
  return runningMs() - before;
}

describe('the running clock', () => {
  it('does not count a time in which the process is held', async () => {
    runningMs();
    await sleep(30);
    expect(await countedMs(() => holdMs(500))).toBeLessThan(60);
  });

  it('counts waiting and computing, so that a limit ends however busy the process is', async () => {
    const waited = await countedMs(async () => sleep(200));
    expect(waited).toBeGreaterThan(150);
    expect(waited).toBeLessThan(350);
    expect(await countedMs(() => computeMs(200))).toBeGreaterThan(150);
  });

  it('never goes back', async () => {
    const readings: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      readings.push(runningMs());
      holdMs(round * 3);
      readings.push(runningMs());
      await sleep(round);
    }
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
  });

  it('counts the time in which it rests because nothing reads it', async () => {
    expect(await countedMs(async () => sleep(2_500))).toBeGreaterThan(2_000);
  });
});
