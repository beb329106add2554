/** Step "book": what the ledger lacks to show what the lines earn by their facts and terms. */
import { bookDifference } from '../../core/money/journal.ts';
import { type LineEntry, sumLineEntries } from '../../core/money/accounts.ts';
import type { EntryKind } from '../../core/vocabulary.ts';
import type { Tx } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import { type EntryDraft, postEntries } from '../../ledger/post/post-entries.ts';
import type { RateCard } from '../terms/rate-cards.ts';
import { type BookableLine, desiredLine } from './desired-line.ts';
import { changedStates, priceLines } from './price-lines.ts';
import { listPricedLines, type PricedLine, upsertPricedLines } from './queries.ts';
import { listBooked } from '../../ledger/positions/queries.ts';
import { readBookableLines } from './stored-lines.ts';

export type { BookableAttribution, BookableLine } from './desired-line.ts';

/**
 * The entries that bring the ledger from what is booked for the lines to what their facts and terms say; none where it is right already. A line
 * that does not earn any more is taken back whole.
 *
 * @param input.priced  line id → its terms and state; a line that earns is absent only where no terms cover it
 * @param input.booked  line id → what stands; a line that was never booked is absent
 */
export function draftEntries(input: {
  lines: readonly BookableLine[];
  priced: ReadonlyMap<string, PricedLine>;
  booked: ReadonlyMap<string, readonly LineEntry[]>;
  kind: EntryKind;
}): EntryDraft[] {
  return input.lines.flatMap((line) => {
    const booked = sumLineEntries(input.booked.get(line.lineId) ?? []);
    const desired = desiredLine(line, { state: input.priced.get(line.lineId), booked });
    return bookDifference({ booked, desired }).map((lineEntry) => ({
      brandId: line.brandId,
      kind: input.kind,
      lineEntries: [lineEntry],
    }));
  });
}

/** Writes what pricing and booking decided, in one round trip. */
export async function writeBooking(
  tx: Tx,
  { states, entries }: { states: readonly PricedLine[]; entries: readonly EntryDraft[] },
): Promise<void> {
  await pipelined(tx, () => ({ priced: upsertPricedLines(tx, states), posted: postEntries(tx, entries) }));
}

/**
 * Prices and books lines whose facts the caller has at hand. Without a difference nothing is written.
 *
 * @param lines  each line once; the caller holds the locks of their orders
 * @param options.reprice  terms are chosen again for every line
 */
export async function priceAndBookLines(
  tx: Tx,
  lines: readonly BookableLine[],
  rateCards: ReadonlyMap<string, RateCard>,
  { reprice = false }: { reprice?: boolean } = {},
): Promise<void> {
  const lineIds = lines.map((line) => line.lineId);
  const { priced, booked } = await pipelined(tx, () => ({
    priced: listPricedLines(tx, lineIds),
    booked: listBooked(tx, lineIds),
  }));
  const states = await priceLines(tx, lines, { priced, rateCards, reprice });
  const entries = draftEntries({ lines, priced: states, booked, kind: 'booking' });
  await writeBooking(tx, { states: changedStates(states, { priced, reprice }), entries });
}

/** Books stored lines after their state in priced_lines changed (release, hold). The caller holds the locks of their orders. */
export async function bookStoredLines(tx: Tx, lineIds: readonly string[], kind: EntryKind): Promise<void> {
  if (lineIds.length === 0) return;
  const { priced, booked, lines } = await pipelined(tx, () => ({
    priced: listPricedLines(tx, lineIds),
    booked: listBooked(tx, lineIds),
    lines: readBookableLines(tx, lineIds),
  }));
  await postEntries(tx, draftEntries({ lines, priced, booked, kind }));
}
