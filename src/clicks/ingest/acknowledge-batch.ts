import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import type { ReadEntries } from './entry-source.ts';
import type { IngestMetrics } from './metrics.ts';
import type { RefusedClick } from './plan-batch.ts';
import type { StoreResult } from './store-batch.ts';
import { insertDeadLetters } from './store-queries.ts';
import type { DeadLetter } from './store-queries.ts';
import type { StreamConsumer } from './stream-consumer.ts';

export interface AcknowledgeDeps {
  db: Db;
  /** The key of the stream. */
  stream: string;
  consumer: StreamConsumer;
  maxDeliveries: number;
  metrics: IngestMetrics;
  log: Logger;
}

/** Acknowledges a stored batch; rejects where Postgres or Redis does not answer, and may then be called with the same batch again. */
export type AcknowledgeBatch = (entries: ReadEntries, result: StoreResult) => Promise<void>;

function deadLetterOf(stream: string, { streamClick, reason }: RefusedClick): DeadLetter {
  const { entryId, lineNumber, line } = streamClick;
  return { stream, entryId, lineNumber, payload: line, reason };
}

/**
 * Returns the function that ends a stored batch: it writes what cannot be stored to the dead letters, and acknowledges and deletes the entries
 * of which every click is stored or a dead letter. The other entries stay in the stream and are delivered again.
 */
export function createBatchAcknowledger(deps: AcknowledgeDeps): AcknowledgeBatch {
  const { db, stream, consumer, metrics, log } = deps;

  /** Those of the retryable clicks whose entry was delivered `maxDeliveries` times. */
  const listExhausted = async (retryable: readonly DeadLetter[]): Promise<DeadLetter[]> => {
    const exhausted: DeadLetter[] = [];
    for (const [entryId, ofEntry] of Map.groupBy(retryable, (each) => each.entryId)) {
      if ((await consumer.countDeliveries(entryId)) >= deps.maxDeliveries) exhausted.push(...ofEntry);
    }
    return exhausted;
  };

  return async (entries, { stored, duplicate, refused }) => {
    for (const { error } of refused)
      if (error !== undefined) log.warn({ err: error, stream }, 'a click could not be stored');
    const retryable = [
      ...entries.retryable,
      ...refused.filter(({ error }) => error !== undefined).map((each) => deadLetterOf(stream, each)),
    ];
    const exhausted = await listExhausted(retryable);
    const deadLetters = [
      ...entries.deadLetters,
      ...refused.filter(({ error }) => error === undefined).map((each) => deadLetterOf(stream, each)),
      ...exhausted,
    ];
    await insertDeadLetters(db, deadLetters);
    const waiting = new Set(retryable.filter((each) => !exhausted.includes(each)).map(({ entryId }) => entryId));
    const { entryIds } = entries;
    await consumer.acknowledge(waiting.size === 0 ? entryIds : entryIds.filter((id) => !waiting.has(id)));
    metrics.ingested({ stored, duplicate });
    for (const { reason } of deadLetters) metrics.deadLettered(reason);
    if (deadLetters.length > 0) log.error({ stream, count: deadLetters.length }, 'clicks became dead letters');
  };
}
