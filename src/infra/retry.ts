/** Waiting, and trying again: the one backoff of the program. Each caller states its limits, and the delays in a comment beside them. */

/** Resolves after `ms`, or at once when the signal fires. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

export interface Backoff {
  /** The delay after the first failure, ms; it doubles with every further failure in a row. */
  firstMs: number;
  /** The longest delay, ms. */
  longestMs: number;
}

/** The delay after `failures` failures in a row: with 50 and 1,000 it is 50, 100, 200, 400, 800, then always 1,000 ms. */
export function backoffMs(failures: number, { firstMs, longestMs }: Backoff): number {
  return Math.min(firstMs * 2 ** (failures - 1), longestMs);
}

/** As `backoffMs`, times 0.5 to 1, so that processes that failed at the same moment do not try again at the same moment. */
export function jitteredBackoffMs(failures: number, backoff: Backoff): number {
  return backoffMs(failures, backoff) * (0.5 + Math.random() / 2);
}

/**
 * Runs `work` until it succeeds, with a jittered backoff between the attempts. `work` must be safe to repeat.
 *
 * @param options.onFailure  runs after each failed attempt with the number of failures in a row; throws the error where no attempt can help
 * @throws the error of `work` once the signal fires; what `onFailure` throws
 */
export async function retry<T>(
  work: () => Promise<T>,
  options: { backoff: Backoff; signal: AbortSignal; onFailure: (error: unknown, failures: number) => void },
): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await work();
    } catch (error) {
      if (options.signal.aborted) throw error;
      failures += 1;
      options.onFailure(error, failures);
      await sleep(jitteredBackoffMs(failures, options.backoff), options.signal);
    }
  }
}
