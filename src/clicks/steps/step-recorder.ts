import type { Logger } from 'pino';

import { loggableError } from '../../http/error-handler.ts';
import type { Db } from '../../infra/db.ts';
import type { PageMetrics } from './metrics.ts';
import { insertSteps } from './queries.ts';
import type { TakenStep } from './queries.ts';

/** `kept` only after COMMIT. After the other results the step may still be stored; sending it again changes nothing. */
export type RecordedStep = 'kept' | 'full' | 'late' | 'failed';

export interface StepRecorder {
  /** Resolves within a second. Never rejects. */
  record(step: TakenStep): Promise<RecordedStep>;
  /** Resolves when no step waits any more. Record nothing after calling it. */
  stop(): Promise<void>;
}

export interface StepRecorderDeps {
  db: Db;
  log: Logger;
  metrics: Pick<PageMetrics, 'stepsWaiting'>;
  /** Limit of steps that wait; 5,000 by default, which takes 2 MB. */
  maxWaiting?: number;
}

const MAX_WAITING = 5_000;
const MAX_BATCH = 500;
/** The page does not wait for the answer; the limit only bounds the requests that accumulate. */
const WAIT_MS = 1_000;
/** An outage is logged once in this interval. */
const LOG_EVERY_MS = 5_000;

interface WaitingStep {
  step: TakenStep;
  settle: (outcome: RecordedStep) => void;
}

/**
 * Writes steps by group commit: while one batch is in flight, new steps gather for the next one.
 */
export function createStepRecorder({ db, log, metrics, maxWaiting = MAX_WAITING }: StepRecorderDeps): StepRecorder {
  let waiting: WaitingStep[] = [];
  let writing: Promise<void> | undefined;
  let loggedAtMs = -Infinity;

  const writeBatch = async (batch: readonly WaitingStep[]): Promise<RecordedStep> => {
    try {
      await insertSteps(
        db,
        batch.map(({ step }) => step),
      );
      return 'kept';
    } catch (error) {
      const nowMs = performance.now();
      if (nowMs - loggedAtMs > LOG_EVERY_MS) {
        loggedAtMs = nowMs;
        log.warn({ error: loggableError(error), steps: batch.length }, 'steps of middle pages could not be stored');
      }
      return 'failed';
    }
  };
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_BATCH);
      metrics.stepsWaiting(waiting.length);
      const outcome = await writeBatch(batch);
      for (const { settle } of batch) settle(outcome);
    }
    writing = undefined;
  };

  return {
    record: async (step) => {
      if (waiting.length >= maxWaiting) return 'full';
      return new Promise((resolve) => {
        // One poll of the sockets first: after a stop of this process the timer is due before the answer has been read.
        const timer = setTimeout(() => setImmediate(resolve, 'late'), WAIT_MS);
        const settle = (outcome: RecordedStep): void => {
          clearTimeout(timer);
          resolve(outcome);
        };
        waiting.push({ step, settle });
        metrics.stepsWaiting(waiting.length);
        writing ??= writeAll();
      });
    },
    stop: async () => {
      await writing;
    },
  };
}
