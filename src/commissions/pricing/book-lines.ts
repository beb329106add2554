import assert from 'node:assert/strict';
import { type LineEntry, sumLineEntries } from '../../core/money/accounts.ts';
import { bookDifference } from '../../core/money/journal.ts';
import type { Tx } from '../../infra/db.ts';
import { together } from '../../infra/together.ts';
import type { EntryKind } from '../../ledger/post/queries.ts';
import { listPricedLines, findLinkProducts, type PricedLine, listBooked, upsertPricedLines } from './queries.ts';
import { type BookableAttribution, type BookableLine, desiredLine } from './desired-line.ts';
import { payableAt } from '../../core/money/payable-at.ts';
import { type EntryDraft, postEntries } from '../../ledger/post/post-entries.ts';
import { loadSplits, splitKey, type Splits, type RateCard } from '../terms/terms.ts';
import type { SplitRow } from '../terms/split-queries.ts';

export type { BookableAttribution, BookableLine } from './desired-line.ts';

/** A line that earns: paid, attributed, its product known. */
interface EarningLine extends BookableLine {
  productId: string;
  paidAt: Date;
  attribution: BookableAttribution;
}

/** What stands in the books of lines, by line id. */
export interface StandingPositions {
  frozen: ReadonlyMap<string, PricedLine>;
  booked: ReadonlyMap<string, readonly LineEntry[]>;
}

/** What is to be written to bring the books of lines to their facts. */
export interface Booking {
  states: readonly PricedLine[];
  drafts: readonly EntryDraft[];
}

/**
 * Brings the books of lines to what their facts say now: freezes terms on first booking, posts what differs, takes back everything of a
 * line that is no longer attributed. Without a difference nothing is written.
 *
 * Terms are chosen once, by when the order was created, product, store and influencer. They are chosen anew only when one of these changes
 * and the line is not released; on a released line only when a person gave it to another influencer.
 *
 * @param lines  each line once; the caller holds the locks of their orders
 * @param books  brand id → its terms; used only for lines whose terms are chosen now
 * @param options.reprice  a person says that the copies were wrong: terms are chosen anew for every line, also a released one
 */
export async function bookLines(
  tx: Tx,
  lines: readonly BookableLine[],
  books: ReadonlyMap<string, RateCard>,
  { reprice = false }: { reprice?: boolean } = {},
): Promise<void> {
  const standing = await readStandingPositions(
    tx,
    lines.map((line) => line.lineId),
  );
  await writeBooking(tx, await planBooking(tx, lines, { books, standing, reprice }));
}

/** First part of `bookLines`, for a caller that has other things to read in the same round trip. */
export async function readStandingPositions(tx: Tx, lineIds: readonly string[]): Promise<StandingPositions> {
  if (lineIds.length === 0) return { frozen: new Map(), booked: new Map() };
  const [frozen, booked] = await together(tx, () => [listPricedLines(tx, lineIds), listBooked(tx, lineIds)]);
  return { frozen, booked };
}

/**
 * Second part of `bookLines`: decides, and writes nothing.
 *
 * @param input.standing  of every line that was stored before; a line that is absent has no books
 * @param input.splits  those the caller has read already; what is missing is read here
 */
export async function planBooking(
  tx: Tx,
  lines: readonly BookableLine[],
  input: { books: ReadonlyMap<string, RateCard>; standing: StandingPositions; splits?: Splits; reprice?: boolean },
): Promise<Booking> {
  const { books, standing, splits = new Map(), reprice = false } = input;
  const { frozen } = standing;
  // A line that was never booked and earns nothing has no books to look at.
  const concerned = lines.filter((line) => line.attribution !== undefined || frozen.has(line.lineId));
  if (concerned.length === 0) return { states: [], drafts: [] };

  const earning = await listEarning(tx, concerned);
  const terms = await freezeTerms(tx, { earning, frozen, books, splits, reprice });
  const states = new Map<string, PricedLine>();
  for (const line of concerned) {
    const state = stateOf(line, {
      earns: earning.get(line.lineId),
      now: terms.get(line.lineId),
      before: frozen.get(line.lineId),
    });
    if (state !== undefined) states.set(line.lineId, state);
  }
  return {
    states: [...states.values()].filter((state) => reprice || !isSameState(state, frozen.get(state.lineId))),
    drafts: draftDifferences({ lines: concerned, states, booked: standing.booked, kind: 'booking' }),
  };
}

/** Last part of `bookLines`: one round trip. */
export async function writeBooking(tx: Tx, { states, drafts }: Booking): Promise<void> {
  await together(tx, () => [upsertPricedLines(tx, states), postEntries(tx, drafts)]);
}

/** The lines that earn, by id, each with the product it is priced by. */
async function listEarning(tx: Tx, lines: readonly BookableLine[]): Promise<Map<string, EarningLine>> {
  const unnamed = lines.filter((line) => line.attribution !== undefined && !line.productId);
  const products =
    unnamed.length === 0
      ? new Map<string, string>()
      : await findLinkProducts(
          tx,
          unnamed.flatMap((line) => line.attribution?.linkId ?? []),
        );
  const earning = new Map<string, EarningLine>();
  for (const line of lines) {
    const { attribution, paidAt } = line;
    if (attribution === undefined || paidAt === undefined) continue;
    const productId = line.productId || products.get(attribution.linkId);
    assert(productId !== undefined, 'a link promotes a product');
    earning.set(line.lineId, { ...line, productId, paidAt, attribution });
  }
  return earning;
}

/** The terms of each line that earns: its frozen copy, or a new one where none stands or what it was chosen by has changed. */
async function freezeTerms(
  tx: Tx,
  input: {
    earning: ReadonlyMap<string, EarningLine>;
    frozen: ReadonlyMap<string, PricedLine>;
    books: ReadonlyMap<string, RateCard>;
    splits: Splits;
    reprice: boolean;
  },
): Promise<Map<string, PricedLine>> {
  const terms = new Map<string, PricedLine>();
  const unpriced: EarningLine[] = [];
  for (const line of input.earning.values()) {
    const before = input.frozen.get(line.lineId);
    if (before !== undefined && !input.reprice && keepsTerms(line, before)) terms.set(line.lineId, before);
    else unpriced.push(line);
  }
  if (unpriced.length === 0) return terms;
  const asked = unpriced.map(shareOf).filter((share) => !input.splits.has(splitKey(share)));
  const read = await loadSplits(tx, asked);
  for (const line of unpriced) {
    const key = splitKey(shareOf(line));
    const split = input.splits.get(key) ?? read.get(key);
    const book = input.books.get(line.brandId);
    assert(split !== undefined && book !== undefined, 'the influencer exists and the terms of the brand were read');
    const before = input.frozen.get(line.lineId);
    // Where no terms cover what the line has become, those it has stay; another influencer's never do.
    const copy = copyTerms(line, { book, split, before });
    const kept = before?.influencerId === line.attribution.influencerId ? before : undefined;
    const stands = copy ?? kept;
    if (stands !== undefined) terms.set(line.lineId, stands);
  }
  return terms;
}

function shareOf(line: EarningLine): { influencerId: string; at: Date } {
  return { influencerId: line.attribution.influencerId, at: line.orderCreatedAt };
}

function keepsTerms(line: EarningLine, frozen: PricedLine): boolean {
  if (frozen.influencerId !== line.attribution.influencerId) return false;
  if (frozen.releasedAt !== null) return true;
  return frozen.productId === line.productId && frozen.orderCreatedAt.getTime() === line.orderCreatedAt.getTime();
}

function copyTerms(
  line: EarningLine,
  from: { book: RateCard; split: SplitRow; before: PricedLine | undefined },
): PricedLine | undefined {
  const { influencerId } = line.attribution;
  const { orderCreatedAt, productId, storeId } = line;
  const chosen = from.book.termsFor({ createdAt: orderCreatedAt, productId, storeId, influencerId });
  if (chosen === undefined) return undefined;
  return {
    lineId: line.lineId,
    brandId: line.brandId,
    termsId: chosen.termsId,
    productId,
    influencerId,
    orderCreatedAt,
    basis: chosen.basis,
    rateBp: chosen.rate.kind === 'rate' ? chosen.rate.rateBp : null,
    flatFen: chosen.rate.kind === 'flat' ? chosen.rate.flatFen : null,
    windowDays: chosen.windowDays,
    holdDays: chosen.holdDays,
    platformFeeBp: from.book.policyAt(orderCreatedAt).platformFeeBp,
    agencyPayeeId: from.split.agencyPayeeId,
    agencyShareBp: from.split.agencyShareBp ?? 0,
    influencerPayeeId: from.split.payeeId,
    payableAt: null,
    releasedAt: from.before?.releasedAt ?? null,
    holdNote: from.before?.holdNote ?? null,
    holdBy: from.before?.holdBy ?? null,
  };
}

/** What priced_lines should say of a line; undefined where it has never earned anything. */
function stateOf(
  line: BookableLine,
  {
    earns,
    now,
    before,
  }: { earns: EarningLine | undefined; now: PricedLine | undefined; before: PricedLine | undefined },
): PricedLine | undefined {
  if (earns === undefined || now === undefined) {
    // Nothing is payable any more, so nothing is released: should the line earn again, its hold is looked at again.
    return before === undefined ? undefined : { ...before, payableAt: null, releasedAt: null };
  }
  if (now.releasedAt !== null) return { ...now, payableAt: before?.payableAt ?? null };
  const { receivedAt, receivedSeenAt } = line;
  const dueAt = receivedAt && payableAt({ receivedAt, receivedSeenAt, holdDays: now.holdDays });
  return { ...now, payableAt: dueAt ?? null };
}

function isSameState(state: PricedLine, before: PricedLine | undefined): boolean {
  return (
    before !== undefined &&
    before.termsId === state.termsId &&
    before.influencerId === state.influencerId &&
    before.productId === state.productId &&
    before.orderCreatedAt.getTime() === state.orderCreatedAt.getTime() &&
    before.payableAt?.getTime() === state.payableAt?.getTime() &&
    before.releasedAt?.getTime() === state.releasedAt?.getTime()
  );
}

/**
 * Posts what the books of lines lack, one entry for each difference.
 *
 * @param states  line id → its frozen terms and state as stored; a line that earns is absent only where no terms cover it
 */
export async function postDifferences(
  tx: Tx,
  input: { lines: readonly BookableLine[]; states: ReadonlyMap<string, PricedLine>; kind: EntryKind },
): Promise<void> {
  const booked = await listBooked(
    tx,
    input.lines.map((line) => line.lineId),
  );
  await postEntries(tx, draftDifferences({ ...input, booked }));
}

function draftDifferences(input: {
  lines: readonly BookableLine[];
  states: ReadonlyMap<string, PricedLine>;
  booked: ReadonlyMap<string, readonly LineEntry[]>;
  kind: EntryKind;
}): EntryDraft[] {
  return input.lines.flatMap((line) => {
    const buckets = sumLineEntries(input.booked.get(line.lineId) ?? []);
    const desired = desiredLine(line, { state: input.states.get(line.lineId), booked: buckets });
    return bookDifference({ booked: buckets, desired }).map((lineEntry) => ({
      brandId: line.brandId,
      kind: input.kind,
      lineEntries: [lineEntry],
    }));
  });
}
