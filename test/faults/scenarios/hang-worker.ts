import { readFileSync } from 'node:fs';
import type { IngestStep } from '../../../src/clicks/ingest/entry-source.ts';
import { readBacklog } from '../checks/quiescence.ts';
import type { DaihuoProcess } from '../daihuo-process.ts';
import type { Run, Scenario } from '../scenario.ts';
import { STEPPING_WORKER } from './kill-worker-at-steps.ts';

const POLL_MS = 50;
const STOPS_WITHIN_MS = 20_000;
/** Inside its transaction it holds the shard's lock, until Postgres ends the idle transaction after 15 s. */
const TAKEN_OVER_WITHIN_MS = 30_000;
const FEW_ENTRIES = 50;
const BATCHES = 10;

function isStopped({ pid }: DaihuoProcess): boolean {
  if (pid === undefined) return false;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

async function waitFor({ sleep }: Run, withinMs: number, isSo: () => Promise<boolean>): Promise<number | undefined> {
  const startedAtMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startedAtMs > withinMs) return undefined;
    await sleep(POLL_MS);
  }
  return Math.round(performance.now() - startedAtMs);
}

/** One worker stops in its tracks, another takes over, the first wakes and goes on as if nothing had been. @returns ms to the takeover */
async function hangOnce(run: Run, step: IngestStep, round: number): Promise<number> {
  const { site, random, sleep, expect, log } = run;
  const [other] = site.workers;
  if (other === undefined) throw new Error('there is a worker');
  await other.process.terminate();
  const args = ['stop', step, String(1 + random(BATCHES))];
  const zombie = site.addProcess({ name: `worker to hang ${step} ${round}`, file: STEPPING_WORKER, args });
  await zombie.start();
  const stopped = await waitFor(run, STOPS_WITHIN_MS, async () => isStopped(zombie));
  expect(stopped !== undefined, `F11: a worker never came to the point ${step}`);
  await other.process.start();
  const tookMs = await waitFor(run, TAKEN_OVER_WITHIN_MS, async () => (await readBacklog(site)).entries < FEW_ENTRIES);
  expect(tookMs !== undefined, `F11: nobody took over from a worker that hung at ${step}`);
  log.write('waking', { step, takenOverAfterMs: tookMs });
  zombie.signal('SIGCONT');
  await sleep(1_000);
  await zombie.kill();
  return tookMs ?? TAKEN_OVER_WITHIN_MS;
}

/** F11: what a worker does after it was stopped and replaced changes nothing. Every fifth hangs before it knows what became of what it sent. */
export function hangWorker({ hangs }: { hangs: number }): Scenario {
  return {
    fault: 'F11',
    name: `SIGSTOP a worker until another took over, then wake it ×${hangs}`,
    limitMs: 150_000 + hangs * 40_000,
    steps: async (run) => {
      let slowestMs = 0;
      for (let round = 1; round <= hangs; round += 1) {
        const step = round % 5 === 0 ? 'sent' : round % 2 === 0 ? 'committed' : 'read';
        slowestMs = Math.max(slowestMs, await hangOnce(run, step, round));
      }
      Object.assign(run.figures, { hangs, 'slowest takeover ms': slowestMs });
    },
  };
}
