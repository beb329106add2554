import type { Dimensions, Entry, Measures } from '../../core/accounts.ts';
import type { Tx } from '../../infra/db.ts';

export type JournalKind =
  | 'booking'
  | 'release'
  | 'payout_lock'
  | 'payout_paid'
  | 'payout_fail'
  | 'receipt'
  | 'write_off';

export interface NewJournal {
  id: string;
  brandId: string;
  kind: JournalKind;
}

export interface NewJournalLine {
  journalId: string;
  position: number;
  dimensions: Dimensions;
  measures: Measures;
}

export interface NewJournalEntry extends Entry {
  journalId: string;
  brandId: string;
  position: number;
  /** Null where money moves without a line. */
  linePosition: number | null;
}

// Numbers rise in the order given. A trigger queues each journal for the sealer in the same transaction.
const INSERT_JOURNALS = `
insert into journals (id, brand_id, kind)
select input.id, input.brand_id, input.kind
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as input (id, brand_id, kind, place)
order by input.place`;

/** Adds journals, numbered in the order given. */
export async function insertJournals(tx: Tx, journals: readonly NewJournal[]): Promise<void> {
  const values = [
    journals.map(({ id }) => id),
    journals.map(({ brandId }) => brandId),
    journals.map(({ kind }) => kind),
  ];
  await tx.query({ name: 'insert_journals', text: INSERT_JOURNALS, values });
}

const INSERT_JOURNAL_LINES = `
insert into journal_lines (journal_id, position, brand_id, line_id, order_id, store_id, product_id, platform, link_id, tag, influencer_id,
  agency_payee_id, method, paid_at, lines_delta, paid_delta_fen, refunded_delta_fen)
select input.journal_id, input.position, input.brand_id, input.line_id, input.order_id, input.store_id, input.product_id, input.platform,
  input.link_id, input.tag, input.influencer_id, input.agency_payee_id, input.method, input.paid_at, input.lines_delta,
  input.paid_delta_fen, input.refunded_delta_fen
from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::integer[], $16::bigint[], $17::bigint[])
  as input (journal_id, position, brand_id, line_id, order_id, store_id, product_id, platform, link_id, tag, influencer_id,
    agency_payee_id, method, paid_at, lines_delta, paid_delta_fen, refunded_delta_fen)`;

/** Adds what journals say of lines: the dimensions at posting and the change of the buyers' money. */
export async function insertJournalLines(tx: Tx, lines: readonly NewJournalLine[]): Promise<void> {
  if (lines.length === 0) return;
  const dimension = <Key extends keyof Dimensions>(key: Key): Dimensions[Key][] =>
    lines.map(({ dimensions }) => dimensions[key]);
  const values = [
    lines.map(({ journalId }) => journalId),
    lines.map(({ position }) => position),
    dimension('brandId'),
    dimension('lineId'),
    dimension('orderId'),
    dimension('storeId'),
    dimension('productId'),
    dimension('platform'),
    dimension('linkId'),
    dimension('tag'),
    dimension('influencerId'),
    dimension('agencyPayeeId'),
    dimension('method'),
    dimension('paidAt'),
    lines.map(({ measures }) => measures.lines),
    lines.map(({ measures }) => measures.paidFen),
    lines.map(({ measures }) => measures.refundedFen),
  ];
  await tx.query({ name: 'insert_journal_lines', text: INSERT_JOURNAL_LINES, values });
}

// The sum of each journal is checked at COMMIT by the deferred constraint journal_entries_balanced.
const INSERT_JOURNAL_ENTRIES = `
insert into journal_entries (journal_id, position, brand_id, line_position, payee_id, account, amount_fen, reversed_delta_fen)
select input.journal_id, input.position, input.brand_id, input.line_position, input.payee_id, input.account, input.amount_fen,
  input.reversed_delta_fen
from unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
  as input (journal_id, position, brand_id, line_position, payee_id, account, amount_fen, reversed_delta_fen)`;

/** Adds the entries of journals; each journal must sum to 0 fen or COMMIT is refused. */
export async function insertJournalEntries(tx: Tx, entries: readonly NewJournalEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const values = [
    entries.map(({ journalId }) => journalId),
    entries.map(({ position }) => position),
    entries.map(({ brandId }) => brandId),
    entries.map(({ linePosition }) => linePosition),
    entries.map(({ payeeId }) => payeeId),
    entries.map(({ account }) => account),
    entries.map(({ amountFen }) => amountFen),
    entries.map(({ reversedFen }) => reversedFen),
  ];
  await tx.query({ name: 'insert_journal_entries', text: INSERT_JOURNAL_ENTRIES, values });
}
