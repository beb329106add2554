import type { Posting, LineEntry } from '../../core/money/accounts.ts';
import type { EntryKind } from '../../core/vocabulary.ts';
import { newAscendingId } from '../../http/new-id.ts';
import type { Tx } from '../../infra/db.ts';
import { insertJournals, type NewJournalEntry, type NewJournalLine } from './queries.ts';

/** One journal to be posted: what it does to lines, and what moves without a line. All of one brand, summing to 0 fen. */
export interface EntryDraft {
  brandId: string;
  kind: EntryKind;
  lineEntries: readonly LineEntry[];
  /** Entries that belong to no line (a brand pays what it owes). */
  postings?: readonly Posting[];
}

/**
 * Posts entries in the caller's transaction. Their ids ascend in the order given, so the journal shows what one transaction posts in that
 * order. Nothing is ever changed afterwards (triggers).
 *
 * @throws at COMMIT, by a deferred constraint, when a journal does not sum to 0 fen
 */
export async function postEntries(tx: Tx, drafts: readonly EntryDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  const journals = drafts.map((draft) => ({ id: newAscendingId('jrn'), brandId: draft.brandId, kind: draft.kind }));
  const lines: NewJournalLine[] = [];
  const postings: NewJournalEntry[] = [];
  for (const [index, draft] of drafts.entries()) {
    const journalId = journals[index]?.id ?? '';
    let position = 0;
    const add = (linePosition: number | null, part: readonly Posting[]): void => {
      for (const posting of part) {
        position += 1;
        postings.push({ ...posting, journalId, brandId: draft.brandId, position, linePosition });
      }
    };
    for (const [line, lineEntry] of draft.lineEntries.entries()) {
      lines.push({ journalId, position: line + 1, dimensions: lineEntry.dimensions, amounts: lineEntry.amounts });
      add(line + 1, lineEntry.postings);
    }
    add(null, draft.postings ?? []);
  }
  await insertJournals(tx, { journals, lines, postings });
}
