import type { CommissionBasis } from '../../core/money/commission.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Queryable, Tx } from '../../infra/db.ts';

/** The terms copied onto a line when it was first booked, and what time and people have done to it since. */
export interface PricedLine {
  lineId: string;
  brandId: string;
  termsId: string;
  productId: string;
  influencerId: string;
  orderCreatedAt: Date;
  basis: CommissionBasis;
  rateBp: number | null;
  flatFen: bigint | null;
  windowDays: number;
  holdDays: number;
  platformFeeBp: number;
  agencyPayeeId: string | null;
  agencyShareBp: number;
  influencerPayeeId: string;
  payableAt: Date | null;
  releasedAt: Date | null;
  holdNote: string | null;
  holdBy: string | null;
}

// The frozen terms and state of lines, one row each, in no order; lines never booked are absent. order_lines gives the brand that
// priced_lines is keyed by. Served by order_lines_id_idx and priced_lines_pkey.
const LIST_FROZEN = `
select c.line_id as "lineId", c.brand_id as "brandId", c.terms_id as "termsId", c.product_id as "productId",
  c.influencer_id as "influencerId", c.order_created_at as "orderCreatedAt", c.basis, c.rate_bp as "rateBp", c.flat_fen as "flatFen",
  c.window_days as "windowDays", c.hold_days as "holdDays", c.platform_fee_bp as "platformFeeBp",
  c.agency_payee_id as "agencyPayeeId", c.agency_share_bp as "agencyShareBp", c.influencer_payee_id as "influencerPayeeId",
  c.payable_at as "payableAt", c.released_at as "releasedAt", c.hold_note as "holdNote", c.hold_by as "holdBy"
from order_lines l
join priced_lines c on c.brand_id = l.brand_id and c.line_id = l.id
where l.id = any ($1::text[])`;

/** Line id → its frozen terms and state; a line that was never booked is absent. */
export async function listPricedLines(db: Queryable, lineIds: readonly string[]): Promise<Map<string, PricedLine>> {
  const { rows } = await db.query<PricedLine>({ name: 'list_frozen', text: LIST_FROZEN, values: [lineIds] });
  return new Map(rows.map((row) => [row.lineId, row]));
}

// Writes the rows whole but for the hold, which only people set. The caller holds the locks of the orders, so nobody writes between its
// reading and this. priced_at moves only when the terms were chosen anew.
const UPSERT_FROZEN = `
insert into priced_lines as c (line_id, brand_id, terms_id, product_id, influencer_id, order_created_at, basis, rate_bp, flat_fen,
  window_days, hold_days, platform_fee_bp, agency_payee_id, agency_share_bp, influencer_payee_id, payable_at, released_at)
select input.line_id, input.brand_id, input.terms_id, input.product_id, input.influencer_id, input.order_created_at, input.basis,
  input.rate_bp, input.flat_fen, input.window_days, input.hold_days, input.platform_fee_bp, input.agency_payee_id,
  input.agency_share_bp, input.influencer_payee_id, input.payable_at, input.released_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::integer[], $9::bigint[],
    $10::integer[], $11::integer[], $12::integer[], $13::text[], $14::integer[], $15::text[], $16::timestamptz[], $17::timestamptz[])
  as input (line_id, brand_id, terms_id, product_id, influencer_id, order_created_at, basis, rate_bp, flat_fen, window_days, hold_days,
    platform_fee_bp, agency_payee_id, agency_share_bp, influencer_payee_id, payable_at, released_at)
on conflict on constraint priced_lines_pkey do update set
  priced_at = case
    when (c.terms_id, c.product_id, c.influencer_id, c.order_created_at)
      is distinct from (excluded.terms_id, excluded.product_id, excluded.influencer_id, excluded.order_created_at) then now()
    else c.priced_at end,
  terms_id = excluded.terms_id, product_id = excluded.product_id, influencer_id = excluded.influencer_id,
  order_created_at = excluded.order_created_at, basis = excluded.basis, rate_bp = excluded.rate_bp, flat_fen = excluded.flat_fen,
  window_days = excluded.window_days, hold_days = excluded.hold_days, platform_fee_bp = excluded.platform_fee_bp,
  agency_payee_id = excluded.agency_payee_id, agency_share_bp = excluded.agency_share_bp,
  influencer_payee_id = excluded.influencer_payee_id, payable_at = excluded.payable_at, released_at = excluded.released_at`;

/** Stores the frozen terms and state of lines. */
export async function upsertPricedLines(tx: Tx, lines: readonly PricedLine[]): Promise<void> {
  if (lines.length === 0) return;
  const column = <Key extends keyof PricedLine>(key: Key): PricedLine[Key][] => lines.map((line) => line[key]);
  const values = [
    column('lineId'),
    column('brandId'),
    column('termsId'),
    column('productId'),
    column('influencerId'),
    column('orderCreatedAt'),
    column('basis'),
    column('rateBp'),
    column('flatFen'),
    column('windowDays'),
    column('holdDays'),
    column('platformFeeBp'),
    column('agencyPayeeId'),
    column('agencyShareBp'),
    column('influencerPayeeId'),
    column('payableAt'),
    column('releasedAt'),
  ];
  await tx.query({ name: 'upsert_frozen', text: UPSERT_FROZEN, values: arrayLiterals(values) });
}

/** The facts of a line as stored, for booking it again without reading its events. */
export interface StoredLine {
  lineId: string;
  brandId: string;
  orderId: string;
  storeId: string;
  platform: string;
  /** The line's own product, or the link's where the line names none that is registered. */
  productId: string | null;
  quantity: bigint;
  paidFen: bigint;
  refundedFen: bigint;
  orderCreatedAt: Date | null;
  paidAt: Date | null;
  receivedAt: Date | null;
  receivedSeenAt: Date | null;
  refundOpen: boolean;
  method: string | null;
  linkId: string | null;
  influencerId: string | null;
  tag: string | null;
}

// The facts and the standing attribution of lines, in no order. Served by order_lines_id_idx and the primary keys.
const LIST_STORED_LINES = `
select l.id as "lineId", l.brand_id as "brandId", l.order_id as "orderId", o.store_id as "storeId", s.platform,
  coalesce(l.product_id, k.product_id) as "productId", l.quantity, l.paid_fen as "paidFen", l.refunded_fen as "refundedFen",
  o.created_at as "orderCreatedAt", o.paid_at as "paidAt", l.received_at as "receivedAt", l.received_seen_at as "receivedSeenAt",
  l.refund_open as "refundOpen", a.method, a.link_id as "linkId", a.influencer_id as "influencerId", a.tag
from order_lines l
join orders o on o.brand_id = l.brand_id and o.id = l.order_id
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
left join attributions a on a.brand_id = l.brand_id and a.line_id = l.id and a.state = 'matched'
left join links k on k.brand_id = a.brand_id and k.id = a.link_id
where l.id = any ($1::text[])`;

/** The stored facts of lines; method, linkId and influencerId are null together where the line is not attributed. */
export async function listStoredLines(db: Queryable, lineIds: readonly string[]): Promise<StoredLine[]> {
  const { rows } = await db.query<StoredLine>({
    name: 'list_stored_lines',
    text: LIST_STORED_LINES,
    values: [lineIds],
  });
  return rows;
}

// Served by links_id_idx.
const LIST_LINK_PRODUCTS = `
select k.id as "linkId", k.product_id as "productId" from links k where k.id = any ($1::text[])`;

/** Link id → the product it promotes. */
export async function listLinkProducts(db: Queryable, linkIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ linkId: string; productId: string }>(LIST_LINK_PRODUCTS, [linkIds]);
  return new Map(rows.map((row) => [row.linkId, row.productId]));
}
