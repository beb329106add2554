import type { Logger } from 'pino';
import { backoffMs, sleep } from './retry.ts';

export interface RepeatedJob {
  name: string;
  /** Pause between the end of one run and the start of the next, ms. */
  everyMs: number;
  /** One run. May be called by several processes at once: the job itself decides who works (an advisory lock). `signal` fires when it is to stop. */
  run: (signal: AbortSignal) => Promise<unknown>;
}

/** A failing job waits longer each time, doubling from its own interval up to this: 1 s, 2, 4, … 60 s. */
const LONGEST_BACKOFF_MS = 60_000;

/**
 * Runs a job again and again, one run at a time, until stopped. A run that fails is logged and tried again later; it never ends the
 * process.
 *
 * @returns stops the repetition; resolves when a run under way has ended
 */
export function repeat(job: RepeatedJob, log: Logger): () => Promise<void> {
  const stopped = new AbortController();
  let failures = 0;
  const loop = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        await job.run(stopped.signal);
        failures = 0;
      } catch (error) {
        failures += 1;
        log.error({ err: error, job: job.name, failures }, 'job failed; it will be tried again');
      }
      await sleep(
        backoffMs(failures + 1, { firstMs: job.everyMs, longestMs: Math.max(LONGEST_BACKOFF_MS, job.everyMs) }),
        stopped.signal,
      );
    }
  };
  const running = loop();
  return async () => {
    stopped.abort();
    await running;
  };
}
