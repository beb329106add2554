import { DatabaseError } from 'pg';
import { isDependencyDown } from '../../http/dependency-down.ts';
import { problems } from '../../http/problem.ts';
import { answerWithin } from './answer-within.ts';
import { type Batch, createBatch } from './message-batch.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { type RecordDeps, recordMessage, recordMessages, type RecordOutcome } from './record-message.ts';

export interface IntakeLimits {
  /** Batches under way at once. A second one is prepared and decided here while Postgres works on the first. */
  batchesInFlight: number;
  /** Fewer waiting messages than this go as one batch although two could. */
  worthSplitting: number;
  /** Longest a batch waits for the senders that were answered with the one before. */
  lingerMs: number;
  /** Messages waiting at most; beyond, a sender is told at once to come again. */
  waitingMessages: number;
  /** Longest a sender waits for its answer. */
  answerWithinMs: number;
  /** Longest a batch waits for an order or key that another transaction holds; its messages are recorded one by one then. */
  batchLockMs: number;
  /** Messages recorded one by one at the same time. */
  aloneAtOnce: number;
}

const DEFAULT_LIMITS: IntakeLimits = {
  batchesInFlight: 2,
  worthSplitting: 16,
  lingerMs: 3,
  waitingMessages: 2_000,
  answerWithinMs: 2_000,
  batchLockMs: 500,
  aloneAtOnce: 4,
};

export interface IntakeMetrics {
  /** A batch was recorded, or had to be taken apart because it failed as a whole. */
  batch(messages: number, outcome: 'recorded' | 'split'): void;
  /** A sender was told to come again. */
  turnedAway(reason: 'full' | 'late'): void;
}

export interface MessageIntake {
  /**
   * Records a verified message in one transaction with others that came at the same time; resolves after COMMIT.
   *
   * @throws Problem `unavailable` where too many wait or it takes too long; else what recording the message alone would have thrown
   */
  record(message: IncomingMessage): Promise<RecordOutcome>;
  /** Resolves when nothing waits and nothing is under way. */
  settle(): Promise<void>;
}

interface Waiting {
  message: IncomingMessage;
  resolve: (outcome: RecordOutcome) => void;
  reject: (error: unknown) => void;
  /** The sender was told to come again while it waited. */
  isGone: boolean;
}

/**
 * Group commit: while batches are under way, the messages that arrive gather and go together with the next.
 *
 * Senders that were answered together tend to come again together, so after a batch of n the next one waits a moment for about as many:
 * Postgres' work for a batch is mostly the same whether it holds two messages or ten. After a lone message nobody waits.
 */
export function createMessageIntake(
  deps: RecordDeps & { metrics: IntakeMetrics; limits?: Partial<IntakeLimits> },
): MessageIntake {
  const limits = { ...DEFAULT_LIMITS, ...deps.limits };
  const underWay = new Set<Promise<void>>();
  let waiting: Waiting[] = [];
  let batches = 0;
  /** Messages of the batch that was answered last: so many senders may be about to come again. */
  let expected = 0;
  let turn: NodeJS.Immediate | undefined;
  let linger: NodeJS.Timeout | undefined;

  const track = (work: Promise<void>): void => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  };
  const start = (): void => {
    clearTimeout(linger);
    linger = undefined;
    while (batches < limits.batchesInFlight && waiting.length > 0) {
      const slots = limits.batchesInFlight - batches;
      const share = Math.ceil(waiting.length / slots);
      const { batch, left } = takeBatch(waiting, Math.max(share, limits.worthSplitting));
      waiting = left;
      if (batch.length === 0) return;
      batches += 1;
      expected = 0;
      track(run(batch));
    }
  };
  const consider = (): void => {
    turn = undefined;
    if (batches >= limits.batchesInFlight || waiting.length === 0) return;
    if (waiting.length >= expected) start();
    else linger ??= setTimeout(start, limits.lingerMs);
  };
  const considerSoon = (): void => {
    if (batches < limits.batchesInFlight) turn ??= setImmediate(consider);
  };
  const run = async (batch: readonly Waiting[]): Promise<void> => {
    const isRecorded = await recordBatch(deps, limits, batch);
    batches -= 1;
    expected = batch.length;
    deps.metrics.batch(batch.length, isRecorded ? 'recorded' : 'split');
    considerSoon();
    // One that holds up its batch must not hold up the next ones as well.
    if (!isRecorded) await recordOneByOne(deps, limits, batch);
  };

  return {
    record: async (message) => {
      if (waiting.length >= limits.waitingMessages) {
        deps.metrics.turnedAway('full');
        throw problems.unavailable('Too many messages wait to be recorded; send this one again shortly.');
      }
      const { promise, resolve, reject } = Promise.withResolvers<RecordOutcome>();
      const entry: Waiting = { message, resolve, reject, isGone: false };
      waiting.push(entry);
      considerSoon();
      return answerWithin(limits.answerWithinMs, promise, () => {
        entry.isGone = true;
        deps.metrics.turnedAway('late');
      });
    },
    settle: async () => {
      while (waiting.length > 0 || underWay.size > 0) {
        start();
        await Promise.all(underWay);
        // What was answered last may have sent the next message already.
        await new Promise(setImmediate);
      }
    },
  };
}

/** The messages that go together next, oldest first, and those that wait on. */
function takeBatch(waiting: readonly Waiting[], most: number): { batch: Waiting[]; left: Waiting[] } {
  const taken: Batch = createBatch();
  const batch: Waiting[] = [];
  const left: Waiting[] = [];
  for (const entry of waiting) {
    if (entry.isGone) continue;
    if (batch.length < most && taken.add(entry.message)) batch.push(entry);
    else left.push(entry);
  }
  return { batch, left };
}

/** @returns false where its messages have to be recorded one by one; else every one of them was answered */
async function recordBatch(deps: RecordDeps, limits: IntakeLimits, batch: readonly Waiting[]): Promise<boolean> {
  const messages = batch.map(({ message }) => message);
  const lockLimit = batch.length === 1 ? {} : { lockTimeoutMs: limits.batchLockMs };
  try {
    const outcomes = await retryOnce(() => recordMessages(deps, messages, lockLimit));
    for (const [place, outcome] of outcomes.entries()) batch[place]?.resolve(outcome);
    return true;
  } catch (error) {
    // Where Postgres is away, asking it for one after the other would only make everybody wait longer.
    if (batch.length > 1 && (hasSqlState(error, LOCK_NOT_AVAILABLE) || !isDependencyDown(error))) return false;
    for (const { reject } of batch) reject(error);
    return true;
  }
}

async function recordOneByOne(deps: RecordDeps, limits: IntakeLimits, batch: readonly Waiting[]): Promise<void> {
  const rest = [...batch];
  const work = async (): Promise<void> => {
    for (let entry = rest.shift(); entry !== undefined; entry = rest.shift()) {
      const { message, resolve, reject } = entry;
      await retryOnce(() => recordMessage(deps, message)).then(resolve, reject);
    }
  };
  await Promise.all(Array.from({ length: limits.aloneAtOnce }, work));
}

const LOCK_NOT_AVAILABLE = ['55P03'];
const LOST_TO_ANOTHER = ['40P01', '40001'];

/** A transaction that Postgres gave up for the sake of another one left nothing behind: it runs once more. */
async function retryOnce<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasSqlState(error, LOST_TO_ANOTHER)) throw error;
    return work();
  }
}

function hasSqlState(error: unknown, states: readonly string[]): boolean {
  return error instanceof DatabaseError && states.includes(error.code ?? '');
}
