import type { EntryKind } from '../../core/vocabulary.ts';
import type { Amounts, Dimensions, Posting } from '../../core/money/accounts.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';

export interface NewEntry {
  id: string;
  brandId: string;
  kind: EntryKind;
}

/** An order line that an entry touches: the dimensions at posting, and the change of the buyers' money. */
export interface NewEntryLine {
  entryId: string;
  position: number;
  dimensions: Dimensions;
  amounts: Amounts;
}

export interface NewPosting extends Posting {
  entryId: string;
  brandId: string;
  position: number;
  /** Null where money moves without a line. */
  linePosition: number | null;
}

// Triggers queue each entry for the sealer, and check its sum at COMMIT where these postings alone do not sum to 0 (postings_balanced).
// Foreign keys are checked at the end of the statement, when all three parts are there.
const INSERT_ENTRIES = `
with posted as (
  insert into journal_entries (id, brand_id, kind)
  select input.id, input.brand_id, input.kind
  from unnest($1::text[], $2::text[], $3::text[]) as input (id, brand_id, kind)
), lines as (
  insert into entry_lines (entry_id, position, brand_id, line_id, order_id, store_id, product_id, platform, link_id, tag,
    influencer_id, agency_payee_id, method, paid_at, lines_delta, paid_delta_fen, refunded_delta_fen)
  select input.entry_id, input.position, input.brand_id, input.line_id, input.order_id, input.store_id, input.product_id,
    input.platform, input.link_id, input.tag, input.influencer_id, input.agency_payee_id, input.method, input.paid_at,
    input.lines_delta, input.paid_delta_fen, input.refunded_delta_fen
  from unnest($4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
      $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[], $18::integer[], $19::bigint[], $20::bigint[])
    as input (entry_id, position, brand_id, line_id, order_id, store_id, product_id, platform, link_id, tag, influencer_id,
      agency_payee_id, method, paid_at, lines_delta, paid_delta_fen, refunded_delta_fen)
)
insert into postings (entry_id, position, brand_id, line_position, payee_id, account, amount_fen, reversed_delta_fen)
select input.entry_id, input.position, input.brand_id, input.line_position, input.payee_id, input.account, input.amount_fen,
  input.reversed_delta_fen
from unnest($21::text[], $22::integer[], $23::text[], $24::integer[], $25::text[], $26::text[], $27::bigint[], $28::bigint[])
  as input (entry_id, position, brand_id, line_position, payee_id, account, amount_fen, reversed_delta_fen)`;

/** Adds entries with the lines that they touch and their postings; each entry must sum to 0 fen, or COMMIT is refused. */
export async function insertEntries(
  tx: Tx,
  {
    entries,
    lines,
    postings,
  }: { entries: readonly NewEntry[]; lines: readonly NewEntryLine[]; postings: readonly NewPosting[] },
): Promise<void> {
  const dimension = <Key extends keyof Dimensions>(key: Key): Dimensions[Key][] =>
    lines.map(({ dimensions }) => dimensions[key]);
  const values = [
    entries.map(({ id }) => id),
    entries.map(({ brandId }) => brandId),
    entries.map(({ kind }) => kind),
    lines.map(({ entryId }) => entryId),
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
    lines.map(({ amounts }) => amounts.lines),
    lines.map(({ amounts }) => amounts.paidFen),
    lines.map(({ amounts }) => amounts.refundedFen),
    postings.map(({ entryId }) => entryId),
    postings.map(({ position }) => position),
    postings.map(({ brandId }) => brandId),
    postings.map(({ linePosition }) => linePosition),
    postings.map(({ payeeId }) => payeeId),
    postings.map(({ account }) => account),
    postings.map(({ amountFen }) => amountFen),
    postings.map(({ reversedFen }) => reversedFen),
  ];
  await tx.query({ name: 'insert_entries', text: INSERT_ENTRIES, values: arrayLiterals(values) });
}
