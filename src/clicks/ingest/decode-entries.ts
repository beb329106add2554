import { decodeClickLine, splitClickLines } from '../click-batch.ts';
import type { Click } from '../../core/clicks/click.ts';
import type { DeadLetter } from './queries.ts';
import type { StreamEntry } from './stream-consumer.ts';

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
