/** Step "batch": messages that arrive together are recorded in one transaction. */
import { hasSqlState, isDependencyDown, LOCK_NOT_AVAILABLE, LOST_TO_ANOTHER } from '../../infra/failures.ts';
import { TimeoutError, withTimeout } from '../../infra/with-timeout.ts';
import { externalIdsOf, type IncomingMessage, isEvidenceOnly, type RecordOutcome } from './incoming-message.ts';
import { type RecordDeps, recordMessage, recordMessages } from './record-messages.ts';

/** A message is not recorded, or not in time; its sender should send it again. What its work still does is then a repeat. */
export class IntakeBusyError extends Error {
  override readonly name = 'IntakeBusyError';
}

const TOO_MANY = 'Too many messages wait to be recorded; send this one again shortly.';
const TOO_LATE = 'The message could not be recorded in time; send it again.';

export interface IntakeLimits {
  /** Batches under way at once. A second one is prepared and decided here while Postgres works on the first. */
  batchesInFlight: number;
  /** Fewer waiting messages than this go as one batch although two could. */
  worthSplitting: number;
  /** Longest a batch waits for the senders that were answered with the one before. */
  lingerMs: number;
  /** Messages waiting at most; beyond, a sender is asked at once to send again. */
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
  /** A sender was asked to send its message again. */
  turnedAway(reason: 'full' | 'late'): void;
}

export interface MessageIntake {
  /**
   * Records a verified message in one transaction with others that came at the same time; resolves after COMMIT.
   *
   * @throws IntakeBusyError where too many wait or it takes too long; else what recording the message alone would have thrown
   */
  record(message: IncomingMessage): Promise<RecordOutcome>;
  /** Resolves when nothing waits and nothing is under way. */
  settle(): Promise<void>;
}

interface Waiting {
  message: IncomingMessage;
  resolve: (outcome: RecordOutcome) => void;
  reject: (error: unknown) => void;
  /** The sender was asked to send again while the message waited. */
  isGone: boolean;
}

/**
 * Group commit: while batches are under way, the messages that arrive gather and go together with the next.
 *
 * Senders that were answered together tend to send again together, so after a batch of n the next one waits a moment for about as many:
 * Postgres' work for a batch is mostly the same whether it holds two messages or ten. After a batch of one there is no wait.
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
    // A message that holds up its batch must not hold up the next batches as well.
    if (!isRecorded) await recordOneByOne(deps, limits, batch);
  };

  return {
    record: async (message) => {
      if (waiting.length >= limits.waitingMessages) {
        deps.metrics.turnedAway('full');
        throw new IntakeBusyError(TOO_MANY);
      }
      const { promise, resolve, reject } = Promise.withResolvers<RecordOutcome>();
      const entry: Waiting = { message, resolve, reject, isGone: false };
      waiting.push(entry);
      considerSoon();
      return answerInTime(promise, limits.answerWithinMs, () => {
        entry.isGone = true;
        deps.metrics.turnedAway('late');
      });
    },
    settle: async () => {
      while (waiting.length > 0 || underWay.size > 0) {
        start();
        await Promise.all(underWay);
        // The sender that was answered last may have sent its next message already.
        await new Promise(setImmediate);
      }
    },
  };
}

/**
 * The answer of `work`; where it is late, the sender is told so.
 *
 * @throws IntakeBusyError where it takes longer than `timeoutMs`
 */
export async function answerInTime<T>(work: Promise<T>, timeoutMs: number, onLate?: () => void): Promise<T> {
  try {
    return await withTimeout(work, timeoutMs);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    onLate?.();
    throw new IntakeBusyError(TOO_LATE);
  }
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

/** @returns false where the messages have to be recorded one by one; else each of them was answered */
async function recordBatch(deps: RecordDeps, limits: IntakeLimits, batch: readonly Waiting[]): Promise<boolean> {
  const messages = batch.map(({ message }) => message);
  const lockLimit = batch.length === 1 ? {} : { lockTimeoutMs: limits.batchLockMs };
  try {
    const outcomes = await retryOnce(() => recordMessages(deps, messages, lockLimit));
    for (const [place, outcome] of outcomes.entries()) batch[place]?.resolve(outcome);
    return true;
  } catch (error) {
    // While Postgres is away, recording one by one would only make every sender wait longer.
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

/** A transaction that Postgres gave up for another one left nothing behind, so it runs once more. */
async function retryOnce<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasSqlState(error, LOST_TO_ANOTHER)) throw error;
    return work();
  }
}

const MAX_MESSAGES = 128;
/** A message may hold a hundred events of two hundred lines; a batch of such messages would hold its locks for seconds. */
const MAX_LINES = 2_000;

export interface Batch {
  /** Takes the message into the batch; false where it has to wait for the next. A message alone is always taken. */
  add(message: IncomingMessage): boolean;
}

/**
 * Which messages, offered in the order of their arrival, may be recorded in one transaction so that each has the outcome it would have had
 * after those before it.
 *
 * Of two messages with one key the second waits: it is compared with what the first has stored. Evidence from another source waits for the
 * messages before it about the same orders, because its outcome depends on whether they are known. Messages under the same key or about the
 * same orders as a waiting message wait too.
 */
export function createBatch(): Batch {
  const keys = new Set<string>();
  const orders = new Set<string>();
  const waitedFor = new Set<string>();
  let messages = 0;
  let lines = 0;

  const mayJoin = (message: IncomingMessage, named: readonly string[], key: string): boolean => {
    if (keys.has(key) || (messages > 0 && lines + weightOf(message) > MAX_LINES)) return false;
    const conflicting = isEvidenceOnly(message) ? waitedFor.union(orders) : waitedFor;
    return !named.some((order) => conflicting.has(order));
  };
  return {
    add: (message) => {
      if (messages >= MAX_MESSAGES || lines >= MAX_LINES) return false;
      const { store, source, messageKey } = message;
      const key = `${store.storeId} ${source} ${messageKey}`;
      const named = externalIdsOf(message).map((externalId) => `${store.storeId} ${externalId}`);
      const joins = mayJoin(message, named, key);
      for (const order of named) (joins ? orders : waitedFor).add(order);
      keys.add(key);
      if (!joins) return false;
      messages += 1;
      lines += weightOf(message);
      return true;
    },
  };
}

function weightOf({ content }: IncomingMessage): number {
  if (content.kind !== 'events') return 1;
  return content.events.reduce((sum, { event }) => sum + Math.max(1, event.lines?.length ?? 0), 0);
}
