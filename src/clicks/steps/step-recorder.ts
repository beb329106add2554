import type { Logger } from 'pino';

import { loggableError } from '../../http/error-handler.ts';
import type { Db } from '../../infra/db.ts';
import type { PageMetrics } from './metrics.ts';
import { insertSteps } from './queries.ts';
import type { TakenStep } from './queries.ts';

/** `kept` after COMMIT only. After the others the step may still be stored, and sent again it changes nothing. */
export type RecordedStep = 'kept' | 'full' | 'late' | 'failed';

export interface StepRecorder {
  /** Resolves within a second. Never rejects. */
  record(step: TakenStep): Promise<RecordedStep>;
  /** Resolves when no step waits any more. Record nothing after it was called. */
  stop(): Promise<void>;
}

export interface StepRecorderDeps {
  db: Db;
  log: Logger;
  metrics: Pick<PageMetrics, 'stepsWaiting'>;
  /** Steps that may wait, 5,000 unless a test wants to see the end of it: 2 MB. */
  maxWaiting?: number;
}

const MAX_WAITING = 5_000;
const MAX_BATCH = 500;
/** The page does not wait for the answer; this only bounds what piles up. */
const WAIT_MS = 1_000;
/** An outage is logged once in as long. */
const LOG_EVERY_MS = 5_000;

interface WaitingStep {
  step: TakenStep;
  settle: (outcome: RecordedStep) => void;
}

/**
 * Writes steps by group commit: while one batch is on its way to Postgres, the steps that come gather for the next one.
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
        const timer = setTimeout(() => resolve('late'), WAIT_MS);
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
