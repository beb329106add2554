import type { Logger } from 'pino';

import type { Click } from '../../core/clicks/click.ts';
import { decodeClickLine, splitClickLines } from '../click-batch.ts';
import type { IngestMetrics } from './metrics.ts';
import type { IngestStep } from './store-batch.ts';
import type { DeadLetter } from './store-queries.ts';
import type { StreamEntry, StreamReader } from './stream-consumer.ts';

export interface EntrySourceDeps {
  shard: number;
  reader: StreamReader;
  metrics: IngestMetrics;
  log: Logger;
  limits: EntrySourceLimits;
  onStep: (step: IngestStep) => Promise<void> | void;
}

export interface EntrySourceLimits {
  /** Most entries read at once; each holds 1 to 1,000 clicks, some 30 under load. */
  entriesPerRead: number;
  blockMs: number;
  /** An entry of this worker that is not finished after so long is tried once more. More than a batch ever takes. */
  minIdleMs: number;
  claimEveryMs: number;
}

/**
 * A transaction takes whole entries until it has about so many clicks: well below a second of work, and bounded memory. Larger ones raise the
 * counts of a popular link less often, and cost the worker more: three batches live at once, and the collector copies what lives.
 */
const CLICKS_PER_BATCH = 4_000;
/** The number of clicks in an entry is a guess until it is read: rather a somewhat larger batch than a small one after it. */
const MOST_CLICKS_PER_BATCH = 1.2 * CLICKS_PER_BATCH;
/** A click is a line of some 90 characters. */
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

/**
 * Returns the function that brings the entries of the next batch; none where nothing came for a while.
 *
 * Whoever gets a shard first takes over what its former consumers left unfinished, whatever became of them, and does so again after a read
 * that failed; later, from time to time, its own entries that could not be finished; else new ones.
 */
export function createEntrySource(deps: EntrySourceDeps): () => Promise<StreamEntry[]> {
  const { reader, limits } = deps;
  let waiting: StreamEntry[] = [];
  let isTakingOver = true;
  let claimAtMs = -Infinity;
  /** Of late; guessed before anything was read. */
  let clicksPerEntry = 30;

  const claim = async (): Promise<StreamEntry[]> => {
    const minIdleMs = isTakingOver ? 0 : limits.minIdleMs;
    const { entries, vanished, isEnd } = await reader.claim({ count: limits.entriesPerRead, minIdleMs });
    await deps.onStep('claimed');
    if (vanished > 0) {
      deps.metrics.vanished(vanished);
      deps.log.error({ shard: deps.shard, vanished }, 'stream entries were deleted before they were stored');
    }
    if (isEnd) isTakingOver = false;
    // As long as there are some, the next ones follow at once.
    if (isEnd && entries.length === 0) claimAtMs = performance.now() + limits.claimEveryMs;
    return entries;
  };

  const read = async (): Promise<StreamEntry[]> => {
    const count = Math.min(limits.entriesPerRead, Math.max(1, Math.round(CLICKS_PER_BATCH / clicksPerEntry)));
    const entries = await reader.read({ count, blockMs: limits.blockMs }).catch((error: unknown) => {
      // Redis may have delivered entries in an answer that never came: they are taken over like those of a former consumer.
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

/** A click and where in the stream it stands. */
export interface StreamClick {
  entryId: string;
  /** From 1. */
  lineNumber: number;
  /** As encoded. */
  line: string;
  click: Click;
}

/** What is to be known of entries when their clicks are stored. */
export interface ReadEntries {
  entryIds: string[];
  /** What will never be readable: set aside at once. */
  letters: DeadLetter[];
  /** What another program version, or a later try, may be able to store: set aside after several deliveries. */
  doubtful: DeadLetter[];
}

/** Entries as read from the stream, taken apart. */
export interface DecodedEntries extends ReadEntries {
  clicks: StreamClick[];
}

function decodeEntry(stream: string, entry: StreamEntry, decoded: DecodedEntries): void {
  const letter = (reason: string, payload: string, lineNumber = 0): DeadLetter => {
    return { stream, entryId: entry.id, lineNumber, payload, reason };
  };
  if (entry.text === undefined) {
    decoded.letters.push(letter('no_clicks_field', entry.raw()));
    return;
  }
  const split = splitClickLines(entry.text);
  if (!split.ok) {
    // During a rolling upgrade a newer process may have written it, and a newer worker will read it.
    const list = split.reason === 'unknown_version' ? decoded.doubtful : decoded.letters;
    list.push(letter(split.reason, entry.text));
    return;
  }
  let lineNumber = 0;
  for (const line of split.lines) {
    lineNumber += 1;
    const reading = decodeClickLine(line);
    if (reading.ok) decoded.clicks.push({ entryId: entry.id, lineNumber, line, click: reading.click });
    else decoded.letters.push(letter(reading.reason, line, lineNumber));
  }
}

/** Takes entries of one stream apart; what cannot be read is named. */
export function decodeEntries(stream: string, entries: readonly StreamEntry[]): DecodedEntries {
  const decoded: DecodedEntries = { entryIds: entries.map(({ id }) => id), clicks: [], letters: [], doubtful: [] };
  for (const entry of entries) decodeEntry(stream, entry, decoded);
  return decoded;
}
