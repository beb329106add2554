import type { Logger } from 'pino';

import { decodeClicks, encodeClickLine } from '../core/click-batch.ts';
import type { Db } from '../infra/db.ts';
import { createIngest } from './ingest.ts';
import type { RefusedClick, StreamClick } from './ingest.ts';
import type { ClickMetrics } from './metrics.ts';
import { insertDeadLetters } from './queries.ts';
import type { DeadLetter } from './queries.ts';
import { streamKey } from './shards.ts';
import type { StreamEntry, StreamReader } from './stream-reader.ts';

export interface BatchProcessorDeps {
  db: Db;
  shard: number;
  reader: StreamReader;
  maxDeliveries: number;
  metrics: ClickMetrics;
  log: Logger;
  now: () => Date;
}

/** A transaction takes whole entries until it has so many clicks: well below a second of work, and bounded memory. */
const CLICKS_PER_TRANSACTION = 5_000;

interface DecodedEntry {
  entry: StreamEntry;
  clicks: StreamClick[];
  /** What will never be readable: set aside at once. */
  letters: DeadLetter[];
  /** What another program version, or a later try, may be able to store: set aside after several deliveries. */
  doubtful: DeadLetter[];
}

function decodeEntry(stream: string, entry: StreamEntry): DecodedEntry {
  const decoded: DecodedEntry = { entry, clicks: [], letters: [], doubtful: [] };
  const letter = (reason: string, payload: string, lineNumber = 0): DeadLetter => {
    return { stream, entryId: entry.id, lineNumber, payload, reason };
  };
  if (entry.text === undefined) return { ...decoded, letters: [letter('no_clicks_field', entry.raw)] };
  const reading = decodeClicks(entry.text);
  if (!reading.ok) {
    const whole = letter(reading.reason, entry.text);
    // During a rolling upgrade a newer process may have written it, and a newer worker will read it.
    return reading.reason === 'unknown_version' ? { ...decoded, doubtful: [whole] } : { ...decoded, letters: [whole] };
  }
  const badNumbers = new Set(reading.badLines.map(({ lineNumber }) => lineNumber));
  let lineNumber = 0;
  const clicks = reading.clicks.map((click): StreamClick => {
    do lineNumber += 1;
    while (badNumbers.has(lineNumber));
    return { entryId: entry.id, lineNumber, click };
  });
  return { ...decoded, clicks, letters: reading.badLines.map((bad) => letter(bad.reason, bad.line, bad.lineNumber)) };
}

/** Whole entries, as many as fit a transaction; one that is larger goes alone. */
function chunksOf(decoded: readonly DecodedEntry[]): DecodedEntry[][] {
  const chunks: DecodedEntry[][] = [];
  let clicks = Infinity;
  for (const each of decoded) {
    clicks += each.clicks.length;
    if (clicks > CLICKS_PER_TRANSACTION) {
      chunks.push([]);
      clicks = each.clicks.length;
    }
    chunks.at(-1)?.push(each);
  }
  return chunks;
}

function letterOf(stream: string, { streamClick, reason }: RefusedClick): DeadLetter {
  const { entryId, lineNumber, click } = streamClick;
  return { stream, entryId, lineNumber, payload: encodeClickLine(click), reason };
}

/**
 * Returns the function that stores a batch of stream entries and finishes (acknowledges and deletes) those of which every click is stored or
 * set aside. The others stay with Redis and are delivered again.
 *
 * It rejects where Postgres or Redis does not answer, and may then be called with the same entries again, as often as needed.
 */
export function createBatchProcessor(deps: BatchProcessorDeps): (entries: readonly StreamEntry[]) => Promise<void> {
  const stream = streamKey(deps.shard);
  const ingest = createIngest(deps);

  /** Of what may be stored or read yet, the part whose entry came often enough. */
  const overdue = async (doubtful: readonly DeadLetter[]): Promise<DeadLetter[]> => {
    const letters: DeadLetter[] = [];
    for (const [entryId, ofEntry] of Map.groupBy(doubtful, (letter) => letter.entryId)) {
      if ((await deps.reader.countDeliveries(entryId)) >= deps.maxDeliveries) letters.push(...ofEntry);
    }
    return letters;
  };

  const processChunk = async (chunk: readonly DecodedEntry[]): Promise<void> => {
    const { stored, duplicate, refused } = await ingest(
      deps.shard,
      chunk.flatMap(({ clicks }) => clicks),
    );
    for (const { error } of refused)
      if (error !== undefined) deps.log.warn({ err: error, stream }, 'a click could not be stored');
    const doubtful = [
      ...chunk.flatMap((each) => each.doubtful),
      ...refused.filter(({ error }) => error !== undefined).map((each) => letterOf(stream, each)),
    ];
    const late = await overdue(doubtful);
    const letters = [
      ...chunk.flatMap((each) => each.letters),
      ...refused.filter(({ error }) => error === undefined).map((each) => letterOf(stream, each)),
      ...late,
    ];
    await insertDeadLetters(deps.db, letters);
    const waiting = new Set(doubtful.filter((letter) => !late.includes(letter)).map(({ entryId }) => entryId));
    await deps.reader.finish(chunk.map(({ entry }) => entry.id).filter((id) => !waiting.has(id)));
    deps.metrics.ingested({ stored, duplicate });
    for (const { reason } of letters) deps.metrics.deadLettered(reason);
    if (letters.length > 0)
      deps.log.error({ stream, letters: letters.length }, 'clicks were set aside as dead letters');
  };

  return async (entries) => {
    for (const chunk of chunksOf(entries.map((entry) => decodeEntry(stream, entry)))) await processChunk(chunk);
  };
}
