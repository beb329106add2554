import * as fc from 'fast-check';
import { processEnvironment } from '../../src/infra/config.ts';

const env = processEnvironment();

/** How many broken requests the fuzz tests send; `ABUSE_CASES=20000` for a long run, about eight minutes (one key may send 6,000 a minute: what is beyond is refused). */
export const CASES = Number(env['ABUSE_CASES'] ?? 3_000);
/** Another one at each run, and printed; `ABUSE_SEED` repeats a run. */
export const SEED = Number(env['ABUSE_SEED'] ?? Date.now() % 2 ** 31);
export const FUZZ_TIMEOUT_MS = 60_000 + CASES * 100;

/**
 * Sends a share of the cases. What is sent is one broken thing already, and the database has moved on since: nothing is shrunk.
 *
 * @throws Error with the first request that was not answered as it should be, and the seed
 */
export async function fuzz<Values extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<Values>,
  { share }: { share: number },
): Promise<number> {
  const numRuns = Math.ceil(CASES * share);
  const run = await fc.check(property, { seed: SEED, numRuns, endOnFailure: true });
  if (run.failed) {
    const message = run.errorInstance instanceof Error ? run.errorInstance.message : String(run.errorInstance);
    throw new Error(`ABUSE_SEED=${SEED} ABUSE_CASES=${CASES}: ${message}`, { cause: run.errorInstance });
  }
  return numRuns;
}
