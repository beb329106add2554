import type { Logger } from 'pino';
import { Counter, Gauge } from 'prom-client';
import type { OpenMetricsContentType, Registry } from 'prom-client';
import { backoffMs, sleep } from './retry.ts';

export interface RepeatedJob {
  /** A snake_case identifier: the label `job` of the metrics, and in the log. */
  name: string;
  /** Pause between the end of one run and the start of the next, ms. */
  everyMs: number;
  /**
   * One run. Several processes may call it at once, so the job itself decides which of them works (an advisory lock). `signal` fires when the
   * job must stop.
   */
  run: (signal: AbortSignal) => Promise<unknown>;
  /** The number of things that wait for the job; must be cheap. Read after a run, at most once in 15 s. */
  readBacklog?: () => Promise<number>;
}

/** Receives the course of jobs. */
export interface JobMetrics {
  started(job: string): void;
  succeeded(job: string, tookMs: number): void;
  failed(job: string, tookMs: number): void;
  backlogRead(job: string, count: number): void;
}

/** Registers the metrics of jobs. */
export function createJobMetrics(registry: Registry<OpenMetricsContentType>): JobMetrics {
  const shared = { labelNames: ['job'] as const, registers: [registry] };
  const lastSuccess = new Gauge({
    name: 'job_last_success_timestamp_seconds',
    help: 'End of the last run of a timed job that succeeded, Unix time',
    aggregator: 'max',
    ...shared,
  });
  const duration = new Gauge({
    name: 'job_duration_seconds',
    help: 'Duration of the last run of a timed job, failed or not',
    aggregator: 'max',
    ...shared,
  });
  const failures = new Counter({
    name: 'job_failures_total',
    help: 'Runs of a timed job that failed',
    ...shared,
  });
  const backlog = new Gauge({
    name: 'job_backlog',
    help: 'Things that wait for a timed job, counted up to 10,000',
    aggregator: 'max',
    ...shared,
  });
  return {
    // A job that never failed shows 0, so that its first failure is a rise.
    started: (job) => failures.inc({ job }, 0),
    succeeded: (job, tookMs) => {
      lastSuccess.set({ job }, Date.now() / 1_000);
      duration.set({ job }, tookMs / 1_000);
    },
    failed: (job, tookMs) => {
      failures.inc({ job });
      duration.set({ job }, tookMs / 1_000);
    },
    backlogRead: (job, count) => backlog.set({ job }, count),
  };
}

/** A failing job waits longer each time, doubling from its own interval up to this: with 1 s it waits 2, 4, 8, … 60 s. */
const LONGEST_BACKOFF_MS = 60_000;
const BACKLOG_EVERY_MS = 15_000;

/** Returns the function that reads the backlog of a job when it is due; it never rejects. */
function createBacklogReader({ name, readBacklog }: RepeatedJob, log: Logger, metrics: JobMetrics | undefined) {
  let dueAtMs = -Infinity;
  return async (): Promise<void> => {
    if (readBacklog === undefined || metrics === undefined || performance.now() < dueAtMs) return;
    dueAtMs = performance.now() + BACKLOG_EVERY_MS;
    try {
      metrics.backlogRead(name, await readBacklog());
    } catch (error) {
      log.debug({ err: error, job: name }, 'the backlog of a job could not be read');
    }
  };
}

/** One run with its outcome in log and metrics; never rejects. @returns whether it succeeded */
async function runOnce(
  job: RepeatedJob,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
  metrics?: JobMetrics,
) {
  const startedAtMs = performance.now();
  try {
    await job.run(signal);
    metrics?.succeeded(job.name, performance.now() - startedAtMs);
    return true;
  } catch (error) {
    metrics?.failed(job.name, performance.now() - startedAtMs);
    onFailure(error);
    return false;
  }
}

/**
 * Runs a job again and again, one run at a time, until stopped. A run that fails is logged and counted, and the job runs again later; a failure
 * never ends the process.
 *
 * @returns stops the repetition; resolves when a run under way has ended
 */
export function repeat(job: RepeatedJob, log: Logger, metrics?: JobMetrics): () => Promise<void> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const readBacklog = createBacklogReader(job, log, metrics);
  const longestMs = Math.max(LONGEST_BACKOFF_MS, job.everyMs);
  metrics?.started(job.name);
  const loop = async (): Promise<void> => {
    let failures = 0;
    const onFailure = (error: unknown): void => {
      failures += 1;
      log.error({ err: error, job: job.name, failures }, 'job failed; it will be tried again');
    };
    while (!signal.aborted) {
      if (await runOnce(job, signal, onFailure, metrics)) failures = 0;
      if (!signal.aborted) await readBacklog();
      await sleep(backoffMs(failures + 1, { firstMs: job.everyMs, longestMs }), signal);
    }
  };
  const running = loop();
  return async () => {
    stopped.abort();
    await running;
  };
}
