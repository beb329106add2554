import type { Logger } from 'pino';

import type { Click } from '../../core/clicks/click.ts';
import { decodeClickLine, splitClickLines } from '../click-batch.ts';
import type { IngestMetrics } from './metrics.ts';
import type { DeadLetter } from './store-queries.ts';
import type { StreamEntry, StreamConsumer } from './stream-consumer.ts';

/** Places where a test may stop a worker: `sent` whole by the optimistic way; `inserted` but not committed by the idempotent way. */
export type IngestStep = 'claimed' | 'read' | 'sent' | 'inserted' | 'committed';

export interface EntrySourceDeps {
  shard: number;
  consumer: StreamConsumer;
  metrics: IngestMetrics;
  log: Logger;
  limits: EntrySourceLimits;
  onStep: (step: IngestStep) => Promise<void> | void;
}

export interface EntrySourceLimits {
  /** Limit of entries in one read; each holds 1 to 1,000 clicks, about 30 under load. */
  entriesPerRead: number;
  blockMs: number;
  /** An entry of this worker that is not acknowledged after this time is claimed and tried again. No batch takes so long. */
  minIdleMs: number;
  claimEveryMs: number;
}

/**
 * Target size of a transaction, in clicks of whole entries: well below a second of work, and bounded memory. Larger batches update the counts
 * of a popular link less often, but cost the worker more: three batches are alive at once, and the garbage collector copies live objects.
 */
const CLICKS_PER_BATCH = 4_000;
/** The number of clicks in an entry is an estimate until it is decoded; a slightly larger batch is better than a small one after it. */
const MOST_CLICKS_PER_BATCH = 1.2 * CLICKS_PER_BATCH;
/** Average length of the line of a click. */
const CHARACTERS_PER_CLICK = 90;

function clicksIn({ text }: StreamEntry): number {
  return Math.max(1, Math.round((text?.length ?? 0) / CHARACTERS_PER_CLICK));
}

/** How many of the first entries make a batch, at least one. */
function countForBatch(entries: readonly StreamEntry[]): number {
  let clicks = 0;
  const end = entries.findIndex((entry) => (clicks += clicksIn(entry)) > MOST_CLICKS_PER_BATCH);
  return end === -1 ? entries.length : Math.max(1, end);
}

/** Resolves to the entries of the next batch; empty where none came for a while. */
export type EntrySource = () => Promise<StreamEntry[]>;

/**
 * Returns the function that reads the entries of the next batch. At first, and again after a read that failed, it claims every entry that the
 * former consumers of the shard left unacknowledged; later, from time to time, this worker's own unacknowledged ones; otherwise it reads new
 * entries.
 */
export function createEntrySource(deps: EntrySourceDeps): EntrySource {
  const { consumer, limits } = deps;
  let waiting: StreamEntry[] = [];
  let isTakingOver = true;
  let claimAtMs = -Infinity;
  /** Moving average; the first value is an estimate. */
  let clicksPerEntry = 30;

  const claim = async (): Promise<StreamEntry[]> => {
    const minIdleMs = isTakingOver ? 0 : limits.minIdleMs;
    const { entries, vanished, isEnd } = await consumer.claim({ count: limits.entriesPerRead, minIdleMs });
    await deps.onStep('claimed');
    if (vanished > 0) {
      deps.metrics.vanished(vanished);
      deps.log.error({ shard: deps.shard, vanished }, 'stream entries were deleted before they were stored');
    }
    if (isEnd) isTakingOver = false;
    // While claims find entries, the next claim follows at once.
    if (isEnd && entries.length === 0) claimAtMs = performance.now() + limits.claimEveryMs;
    return entries;
  };

  const read = async (): Promise<StreamEntry[]> => {
    const count = Math.min(limits.entriesPerRead, Math.max(1, Math.round(CLICKS_PER_BATCH / clicksPerEntry)));
    const entries = await consumer.read({ count, blockMs: limits.blockMs }).catch((error: unknown) => {
      // Redis may have delivered entries in an answer that was lost: claim them like those of a former consumer.
      isTakingOver = true;
      claimAtMs = -Infinity;
      throw error;
    });
    await deps.onStep('read');
    const clicks = entries.reduce((sum, entry) => sum + clicksIn(entry), 0);
    if (entries.length > 0) clicksPerEntry = clicksPerEntry / 2 + clicks / entries.length / 2;
    return entries;
  };

  return async () => {
    if (waiting.length === 0 && performance.now() >= claimAtMs) waiting = await claim();
    if (waiting.length === 0) waiting = await read();
    return waiting.splice(0, countForBatch(waiting));
  };
}

/** A click with its place in the stream. */
export interface StreamClick {
  entryId: string;
  /** From 1. */
  lineNumber: number;
  /** As encoded. */
  line: string;
  click: Click;
}

/** What the acknowledgement of a batch needs to know about its entries. */
export interface ReadEntries {
  entryIds: string[];
  /** What no program version can read: becomes a dead letter at once. */
  deadLetters: DeadLetter[];
  /** What another program version or a later try may be able to store: becomes a dead letter after several deliveries. */
  retryable: DeadLetter[];
}

/** Entries of a stream, decoded. */
export interface DecodedEntries extends ReadEntries {
  clicks: StreamClick[];
}

function decodeEntry(stream: string, entry: StreamEntry, decoded: DecodedEntries): void {
  const deadLetter = (reason: string, payload: string, lineNumber = 0): DeadLetter => {
    return { stream, entryId: entry.id, lineNumber, payload, reason };
  };
  if (entry.text === undefined) {
    decoded.deadLetters.push(deadLetter('no_clicks_field', entry.raw()));
    return;
  }
  const split = splitClickLines(entry.text);
  if (!split.ok) {
    // During a rolling upgrade a newer process may have written the entry, and a newer worker will read it.
    const list = split.reason === 'unknown_version' ? decoded.retryable : decoded.deadLetters;
    list.push(deadLetter(split.reason, entry.text));
    return;
  }
  let lineNumber = 0;
  for (const line of split.lines) {
    lineNumber += 1;
    const reading = decodeClickLine(line);
    if (reading.ok) decoded.clicks.push({ entryId: entry.id, lineNumber, line, click: reading.click });
    else decoded.deadLetters.push(deadLetter(reading.reason, line, lineNumber));
  }
}

/** Decodes entries of one stream; what cannot be read is listed with its reason. */
export function decodeEntries(stream: string, entries: readonly StreamEntry[]): DecodedEntries {
  const decoded: DecodedEntries = { entryIds: entries.map(({ id }) => id), clicks: [], deadLetters: [], retryable: [] };
  for (const entry of entries) decodeEntry(stream, entry, decoded);
  return decoded;
}
