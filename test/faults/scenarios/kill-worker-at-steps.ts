import path from 'node:path';
import type { IngestStep } from '../../../src/clicks/ingest/entry-source.ts';
import type { Run, Scenario } from '../scenario.ts';

export const STEPPING_WORKER = path.join(import.meta.dirname, '..', 'stepping-worker.ts');
/** In this order each death leaves work for the next: the last one finds entries of the one before to take over. */
const STEPS: readonly IngestStep[] = ['read', 'sent', 'committed', 'claimed'];
const BATCHES = 20;
const DIES_WITHIN_MS = 20_000;

/** A worker that is born to die at one place. @returns whether it came that far */
async function dieAt({ site, random, sleep, log }: Run, step: IngestStep, round: number): Promise<boolean> {
  const occurrence = step === 'claimed' ? 1 : 1 + random(BATCHES);
  const args = ['kill', step, String(occurrence)];
  const worker = site.addProcess({ name: `worker to die ${step} ${round}`, file: STEPPING_WORKER, args });
  worker.spawn();
  const ended = worker.endsByItself();
  const isDead = await Promise.race([ended.then(() => true), sleep(DIES_WITHIN_MS).then(() => false)]);
  log.write('died', { step, occurrence, isDead });
  if (!isDead) await worker.kill();
  return isDead;
}

/** F2, at named points: after a read, after a batch was sent, after COMMIT but before the acknowledgement, while taking over. */
export function killWorkerAtSteps({ kills }: { kills: number }): Scenario {
  return {
    fault: 'F2',
    name: `kill -9 worker at each of ${STEPS.length} points ×${kills}`,
    limitMs: 150_000 + kills * STEPS.length * 6_000,
    steps: async (run) => {
      const { site, expect, figures } = run;
      await site.workers[0]?.process.kill();
      for (let round = 1; round <= kills; round += 1) {
        for (const step of STEPS) {
          const isDead = await dieAt(run, step, round);
          expect(isDead, `F2: a worker never came to the point ${step}`);
        }
      }
      figures['kills'] = kills * STEPS.length;
    },
  };
}
