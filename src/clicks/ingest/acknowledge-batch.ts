import type { Logger } from 'pino';

import type { Db } from '../../infra/db.ts';
import type { IngestMetrics } from './metrics.ts';
import { insertDeadLetters } from './store-queries.ts';
import type { DeadLetter } from './store-queries.ts';
import type { StreamReader } from './stream-consumer.ts';
import type { ReadEntries } from './entry-source.ts';
import type { RefusedClick } from './plan-batch.ts';
import type { StoreResult } from './store-batch.ts';

export interface SettleDeps {
  db: Db;
  /** Its key. */
  stream: string;
  reader: StreamReader;
  maxDeliveries: number;
  metrics: IngestMetrics;
  log: Logger;
}

function letterOf(stream: string, { streamClick, reason }: RefusedClick): DeadLetter {
  const { entryId, lineNumber, line } = streamClick;
  return { stream, entryId, lineNumber, payload: line, reason };
}

/**
 * Returns the function that ends a stored batch: sets aside what cannot be stored, and acknowledges and deletes the entries of which every
 * click is stored or set aside. The others stay with Redis and are delivered again.
 *
 * It rejects where Postgres or Redis does not answer, and may then be called with the same batch again.
 */
export function createSettlement(deps: SettleDeps): (entries: ReadEntries, result: StoreResult) => Promise<void> {
  const { db, stream, reader, metrics, log } = deps;

  /** Of what may be stored or read yet, the part whose entry came often enough. */
  const overdue = async (doubtful: readonly DeadLetter[]): Promise<DeadLetter[]> => {
    const letters: DeadLetter[] = [];
    for (const [entryId, ofEntry] of Map.groupBy(doubtful, (letter) => letter.entryId)) {
      if ((await reader.countDeliveries(entryId)) >= deps.maxDeliveries) letters.push(...ofEntry);
    }
    return letters;
  };

  return async (entries, { stored, duplicate, refused }) => {
    for (const { error } of refused)
      if (error !== undefined) log.warn({ err: error, stream }, 'a click could not be stored');
    const doubtful = [
      ...entries.doubtful,
      ...refused.filter(({ error }) => error !== undefined).map((each) => letterOf(stream, each)),
    ];
    const late = await overdue(doubtful);
    const letters = [
      ...entries.letters,
      ...refused.filter(({ error }) => error === undefined).map((each) => letterOf(stream, each)),
      ...late,
    ];
    await insertDeadLetters(db, letters);
    const waiting = new Set(doubtful.filter((letter) => !late.includes(letter)).map(({ entryId }) => entryId));
    await reader.finish(waiting.size === 0 ? entries.entryIds : entries.entryIds.filter((id) => !waiting.has(id)));
    metrics.ingested({ stored, duplicate });
    for (const { reason } of letters) metrics.deadLettered(reason);
    if (letters.length > 0) log.error({ stream, letters: letters.length }, 'clicks were set aside as dead letters');
  };
}
