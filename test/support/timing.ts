/** Time in tests: waiting for states, and limits that hold on a busy machine. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /**
   * After this the state counts as one that never comes. The default is far above what a busy machine needs, so that a failure means a
   * defect. Give a shorter limit only where the limit is the promise under test.
   */
  withinMs?: number;
}

const WITHIN_MS = 60_000;
const EVERY_MS = 20;

/**
 * Waits for a state, never for a time: calls `read` again until it neither throws nor answers false.
 *
 * @param read  usually an `expect`; may also answer whether the state is there
 * @returns what `read` answered last
 * @throws what `read` threw last, with the time that has passed, when the state does not come within `withinMs`
 */
export async function waitUntil<T>(
  read: () => T | Promise<T>,
  { withinMs = WITHIN_MS }: WaitOptions = {},
): Promise<Exclude<T, false>> {
  const startedAtMs = performance.now();
  let failure: unknown = new Error('the first reading did not end');
  const attempts = async (): Promise<Exclude<T, false>> => {
    for (;;) {
      try {
        const answer = await read();
        if (answer !== false) return answer as Exclude<T, false>;
        failure = new Error('the state did not come');
      } catch (error) {
        failure = error;
      }
      if (performance.now() - startedAtMs > withinMs) throw failure;
      await sleep(EVERY_MS);
    }
  };
  // A reading that hangs must not hang the test beyond the limit.
  const limit = new AbortController();
  const timedOut = sleep(withinMs + EVERY_MS, undefined, { signal: limit.signal }).then(() => {
    throw failure;
  });
  try {
    return await Promise.race([attempts(), timedOut]);
  } catch (error) {
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
    if (error instanceof Error) error.message = `after ${seconds} s: ${error.message}`;
    throw error;
  } finally {
    limit.abort();
    timedOut.catch(() => undefined);
  }
}

/** For what is promised within a second: far more than a busy machine needs, far less than 30 s, after which cached copies expire anyway. */
export const SOON_MS = 10_000;
export const SOON: WaitOptions = { withinMs: SOON_MS };

/**
 * The shortest of several runs, in milliseconds. A busy machine makes some runs slow; a program that waits where it should not makes all of
 * them slow. So a test of a short limit compares the shortest run.
 */
export async function shortestMs(run: () => Promise<unknown>, runs = 5): Promise<number> {
  const tookMs: number[] = [];
  for (let count = 0; count < runs; count += 1) {
    const startedAtMs = performance.now();
    await run();
    tookMs.push(performance.now() - startedAtMs);
  }
  return Math.min(...tookMs);
}
