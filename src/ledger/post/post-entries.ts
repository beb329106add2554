import type { EntryKind } from '../../core/vocabulary.ts';
import type { LineEntry, Posting } from '../../core/money/accounts.ts';
import { newAscendingId } from '../../http/new-id.ts';
import type { Tx } from '../../infra/db.ts';
import { insertEntries, type NewEntryLine, type NewPosting } from './queries.ts';

/** A journal entry to be posted: what it does to order lines, and what moves without a line. All of one brand, summing to 0 fen. */
export interface EntryDraft {
  brandId: string;
  kind: EntryKind;
  lineEntries: readonly LineEntry[];
  /** Postings that belong to no line (a brand pays what it owes). */
  postings?: readonly Posting[];
}

/**
 * Posts entries in the caller's transaction. Their ids ascend in the order given, so the journal shows what one transaction posts in that
 * order. Triggers refuse every later change.
 *
 * @throws at COMMIT, by a deferred constraint, when an entry does not sum to 0 fen
 */
export async function postEntries(tx: Tx, drafts: readonly EntryDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  const entries = drafts.map((draft) => ({ ...draft, id: newAscendingId('jrn') }));
  await insertEntries(tx, {
    entries,
    lines: entries.flatMap(({ id, lineEntries }) =>
      lineEntries.map(({ dimensions, amounts }, index): NewEntryLine => ({
        entryId: id,
        position: index + 1,
        dimensions,
        amounts,
      })),
    ),
    postings: entries.flatMap(postingsOf),
  });
}

/** The postings of an entry, numbered from 1: those of its lines first, in the order of the lines. */
function postingsOf({ id, brandId, lineEntries, postings = [] }: EntryDraft & { id: string }): NewPosting[] {
  const parts = [
    ...lineEntries.map((lineEntry, index) => ({ linePosition: index + 1, postings: lineEntry.postings })),
    { linePosition: null, postings },
  ];
  return parts
    .flatMap(({ linePosition, postings: part }) => part.map((posting) => ({ ...posting, linePosition })))
    .map((posting, index) => ({ ...posting, entryId: id, brandId, position: index + 1 }));
}
