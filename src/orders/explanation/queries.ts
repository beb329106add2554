import type { AccountKind } from '../../core/money/accounts.ts';
import type { CommissionBasis } from '../../core/money/commission.ts';
import type { ClickVerdict } from '../../core/attribution/facts.ts';
import type { Queryable } from '../../infra/db.ts';

// Every fact of the order with its source, oldest first. Served by order_events_order_idx.
const LIST_SEEN_EVENTS = `
select e.type, m.source, e.version, e.occurred_at as "occurredAt", e.recorded_at as "recordedAt", e.makes_facts as "makesFacts",
  e.fingerprint, e.event
from order_events e
join inbox_messages m on m.brand_id = e.brand_id and m.id = e.message_id
where e.order_id = $1
order by e.recorded_at, e.message_id, e.position`;

export interface SeenEventRow {
  type: string;
  source: string;
  version: bigint;
  occurredAt: Date;
  recordedAt: Date;
  makesFacts: boolean;
  fingerprint: Buffer;
  event: unknown;
}

/** All stored events of an order. */
export async function listSeenEvents(db: Queryable, orderId: string): Promise<SeenEventRow[]> {
  const { rows } = await db.query<SeenEventRow>(LIST_SEEN_EVENTS, [orderId]);
  return rows;
}

// Served by stores_id_idx.
const FIND_ORDER_SOURCE = `
select s.order_source as "orderSource"
from stores s
where s.id = $1`;

/** Which source makes the facts of the store's orders. */
export async function getOrderSource(db: Queryable, storeId: string): Promise<'youzan' | 'shop' | 'tbk'> {
  const { rows } = await db.query<{ orderSource: 'youzan' | 'shop' | 'tbk' }>(FIND_ORDER_SOURCE, [storeId]);
  const [store] = rows;
  if (store === undefined) throw new Error(`store ${storeId} of an order is not there`);
  return store.orderSource;
}

// The terms each line was first booked with; a line never attributed has none. Served by order_lines_id_idx and priced_lines_pkey.
const LIST_PRICED_TERMS = `
select c.line_id as "lineId", c.terms_id as "termsId", c.basis, c.rate_bp as "rateBp", c.flat_fen as "flatFen",
  c.window_days as "windowDays", c.hold_days as "holdDays", c.platform_fee_bp as "platformFeeBp",
  c.agency_share_bp as "agencyShareBp", c.agency_payee_id as "agencyPayeeId", c.influencer_id as "influencerId",
  c.influencer_payee_id as "influencerPayeeId", c.priced_at as "frozenAt", c.payable_at as "payableAt", c.released_at as "releasedAt"
from order_lines l
join priced_lines c on c.brand_id = l.brand_id and c.line_id = l.id
where l.id = any ($1::text[])`;

export interface PricedTermsRow {
  lineId: string;
  termsId: string;
  basis: CommissionBasis;
  rateBp: number | null;
  flatFen: bigint | null;
  windowDays: number;
  holdDays: number;
  platformFeeBp: number;
  agencyShareBp: number;
  agencyPayeeId: string | null;
  influencerId: string;
  influencerPayeeId: string;
  frozenAt: Date;
  payableAt: Date | null;
  releasedAt: Date | null;
}

/** Line id → the terms copied onto the line; a line that was never priced is absent. */
export async function listPricedTermsByLine(
  db: Queryable,
  lineIds: readonly string[],
): Promise<Map<string, PricedTermsRow>> {
  const { rows } = await db.query<PricedTermsRow>(LIST_PRICED_TERMS, [lineIds]);
  return new Map(rows.map((row) => [row.lineId, row]));
}

// The 50 newest clicks on each line's product in its window, whatever their verdict; influencer null: of every influencer. Read backward from
// clicks_product_idx.
const LIST_CLICKS_CONSIDERED = `
select input.line_id as "lineId", c.click_id as "clickId", c.clicked_at as "clickedAt", d.code as "linkCode",
  c.influencer_id as "influencerId", c.verdict, c.tag
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as input (line_id, product_id, from_at, until_at)
cross join lateral (
  select k.click_id, k.clicked_at, k.link_id, k.influencer_id, k.verdict, k.tag
  from clicks k
  where k.product_id = input.product_id and k.clicked_at >= input.from_at and k.clicked_at <= input.until_at
    and ($5::text is null or k.influencer_id = $5)
  order by k.clicked_at desc
  limit 50
) c
join link_codes d on d.link_id = c.link_id and d.kind = 'code'
order by input.line_id, c.clicked_at desc, c.click_id collate "C"`;

export interface ConsideredClickRow {
  lineId: string;
  clickId: string;
  clickedAt: Date;
  linkCode: string;
  influencerId: string;
  verdict: ClickVerdict;
  tag: string | null;
}

/** Clicks on the product of each line from `from` to `until`, both inclusive. */
export async function listClicksConsidered(
  db: Queryable,
  lines: readonly { lineId: string; productId: string; from: Date; until: Date }[],
  influencerScope: string | undefined,
): Promise<ConsideredClickRow[]> {
  const { rows } = await db.query<ConsideredClickRow>(LIST_CLICKS_CONSIDERED, [
    lines.map((line) => line.lineId),
    lines.map((line) => line.productId),
    lines.map((line) => line.from),
    lines.map((line) => line.until),
    influencerScope ?? null,
  ]);
  return rows;
}

// Every posting of the lines in the order of the journal; payee null: of every payee. Served by entry_lines_line_idx.
const LIST_POSTINGS_OF_LINES = `
select l.line_id as "lineId", e.id as "journalId", e.kind, e.posted_at as "postedAt", p.payee_id as "payeeId", p.account,
  p.amount_fen as "amountFen", p.reversed_delta_fen as "reversedDeltaFen"
from entry_lines l
join journal_entries e on e.brand_id = l.brand_id and e.id = l.entry_id
join postings p on p.brand_id = l.brand_id and p.entry_id = l.entry_id and p.line_position = l.position
where l.line_id = any ($1::text[]) and ($2::text is null or p.payee_id = $2)
order by e.posted_at, e.id, p.position`;

export interface PostingRow {
  lineId: string;
  journalId: string;
  kind: string;
  postedAt: Date;
  payeeId: string;
  account: AccountKind;
  amountFen: bigint;
  reversedDeltaFen: bigint;
}

/** The postings of the lines, in the order of the journal. */
export async function listPostingsOfLines(
  db: Queryable,
  lineIds: readonly string[],
  payeeId: string | undefined,
): Promise<PostingRow[]> {
  const { rows } = await db.query<PostingRow>(LIST_POSTINGS_OF_LINES, [lineIds, payeeId ?? null]);
  return rows;
}

// Served by link_codes_link_idx. Only codes of the order's brand are ever shown.
const LIST_CODES_OF_LINKS = `
select c.link_id as "linkId", c.code
from link_codes c
where c.link_id = any ($1::text[]) and c.kind = 'code' and c.brand_id = $2`;

/** Link id → its generated code, for links of the brand. */
export async function listCodesByLink(
  db: Queryable,
  { linkIds, brandId }: { linkIds: readonly string[]; brandId: string },
): Promise<Map<string, string>> {
  const { rows } = await db.query<{ linkId: string; code: string }>(LIST_CODES_OF_LINKS, [linkIds, brandId]);
  return new Map(rows.map(({ linkId, code }) => [linkId, code]));
}
