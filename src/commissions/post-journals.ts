import type { Entry, Posting } from '../core/accounts.ts';
import { newAscendingId } from '../http/new-id.ts';
import type { Tx } from '../infra/db.ts';
import {
  insertJournals,
  type JournalKind,
  type NewJournalEntry,
  type NewJournalLine,
} from './booking/journal-queries.ts';

/** One journal to be posted: what it does to lines, and what moves without a line. All of one brand, summing to 0 fen. */
export interface JournalDraft {
  brandId: string;
  kind: JournalKind;
  postings: readonly Posting[];
  /** Entries that belong to no line (a brand pays what it owes). */
  entries?: readonly Entry[];
}

/**
 * Posts journals in the caller's transaction, whose time is the time of posting. Their ids ascend, so the journal shows what one transaction
 * posts in the order in which it was posted. Nothing is ever changed afterwards (triggers).
 *
 * @throws at COMMIT, by a deferred constraint, when a journal does not sum to 0 fen
 */
export async function postJournals(tx: Tx, drafts: readonly JournalDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  const journals = drafts.map((draft) => ({ id: newAscendingId('jrn'), brandId: draft.brandId, kind: draft.kind }));
  const lines: NewJournalLine[] = [];
  const entries: NewJournalEntry[] = [];
  for (const [index, draft] of drafts.entries()) {
    const journalId = journals[index]?.id ?? '';
    let position = 0;
    const add = (linePosition: number | null, part: readonly Entry[]): void => {
      for (const entry of part) {
        position += 1;
        entries.push({ ...entry, journalId, brandId: draft.brandId, position, linePosition });
      }
    };
    for (const [line, posting] of draft.postings.entries()) {
      lines.push({ journalId, position: line + 1, dimensions: posting.dimensions, measures: posting.measures });
      add(line + 1, posting.entries);
    }
    add(null, draft.entries ?? []);
  }
  await insertJournals(tx, { journals, lines, entries });
}
