import type { Queryable } from '../../infra/db.ts';

export interface OrderRow {
  id: string;
  brandId: string;
  storeId: string;
  platform: string;
  externalOrderId: string;
  status: 'created' | 'paid' | 'received' | 'closed';
  createdAt: Date;
  paidAt: Date | null;
  receivedAt: Date | null;
  closedAt: Date | null;
  /** The sort key of the list: payment time, or creation time while unpaid. */
  sortedAt: Date;
}

export interface OrderFilter {
  /** The brand the caller is confined to; null for all brands. */
  brandScope: string | null;
  storeId: string | null;
  status: string | null;
  attribution: 'matched' | 'unmatched' | 'review' | null;
  /** Only orders with a line whose later evidence disagrees with what stands. */
  disputed: boolean;
  from: Date | null;
  to: Date | null;
  after: { sortedAt: Date; id: string } | null;
  limit: number;
}

// Newest first by payment time (creation time while unpaid), ties by id. Orders known only from another source's evidence have no
// creation time and are no orders yet. Served by orders_brand_paid_idx for a brand, orders_paid_idx for all.
const LIST_ORDERS = `
select o.id, o.brand_id as "brandId", o.store_id as "storeId", s.platform, o.external_order_id as "externalOrderId", o.status,
  o.created_at as "createdAt", o.paid_at as "paidAt", o.received_at as "receivedAt", o.closed_at as "closedAt",
  coalesce(o.paid_at, o.created_at) as "sortedAt"
from orders o
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
where o.created_at is not null
  and ($1::text is null or o.brand_id = $1)
  and ($2::text is null or o.store_id = $2)
  and ($3::text is null or o.status = $3)
  and ($4::text is null or exists (
    select from order_lines l join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
    where l.brand_id = o.brand_id and l.order_id = o.id and a.state = $4))
  and (not $10::boolean or exists (
    select from order_lines l join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
    where l.brand_id = o.brand_id and l.order_id = o.id and a.dispute is not null))
  and ($5::timestamptz is null or o.paid_at >= $5)
  and ($6::timestamptz is null or o.paid_at < $6)
  and ($7::timestamptz is null or (coalesce(o.paid_at, o.created_at), o.id) < ($7, $8))
order by coalesce(o.paid_at, o.created_at) desc, o.id desc
limit $9`;

/** One page of orders, newest first; `from`/`to` filter by payment time, so they leave unpaid orders out. */
export async function listOrders(db: Queryable, filter: OrderFilter): Promise<OrderRow[]> {
  const { rows } = await db.query<OrderRow>({
    name: 'list_orders',
    text: LIST_ORDERS,
    values: [
      filter.brandScope,
      filter.storeId,
      filter.status,
      filter.attribution,
      filter.from,
      filter.to,
      filter.after?.sortedAt ?? null,
      filter.after?.id ?? null,
      filter.limit,
      filter.disputed,
    ],
  });
  return rows;
}

// Served by orders_id_idx.
const FIND_ORDER = `
select o.id, o.brand_id as "brandId", o.store_id as "storeId", s.platform, o.external_order_id as "externalOrderId", o.status,
  o.created_at as "createdAt", o.paid_at as "paidAt", o.received_at as "receivedAt", o.closed_at as "closedAt",
  coalesce(o.paid_at, o.created_at) as "sortedAt"
from orders o
join stores s on s.brand_id = o.brand_id and s.id = o.store_id
where o.id = $1 and o.created_at is not null
  and ($2::text is null or o.brand_id = $2)
  and ($3::text is null or exists (
    select from order_lines l join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
    where l.brand_id = o.brand_id and l.order_id = o.id and a.influencer_id = $3))`;

/** One order the caller may see: of its brand, or (an influencer) with a line credited to it. Undefined otherwise, as for an unknown id. */
export async function findOrder(
  db: Queryable,
  input: { orderId: string; brandScope: string | null; influencerScope: string | null },
): Promise<OrderRow | undefined> {
  const { rows } = await db.query<OrderRow>({
    name: 'find_order',
    text: FIND_ORDER,
    values: [input.orderId, input.brandScope, input.influencerScope],
  });
  return rows[0];
}

export interface OrderLineRow {
  id: string;
  orderId: string;
  externalLineId: string;
  productId: string | null;
  quantity: bigint;
  paidFen: bigint;
  refundedFen: bigint;
  refundExcessFen: bigint;
  closed: boolean;
  refundOpen: boolean;
  receivedAt: Date | null;
  state: 'matched' | 'unmatched' | 'review' | null;
  method: string | null;
  confidence: string | null;
  linkCode: string | null;
  influencerId: string | null;
  clickId: string | null;
  clickedAt: Date | null;
  tag: string | null;
  reason: string | null;
  candidates: unknown;
  dispute: unknown;
  commissionFen: bigint;
  pendingFen: bigint;
  payableFen: bigint;
  inPayoutFen: bigint;
  paidOutFen: bigint;
  debtFen: bigint;
}

// The lines of the orders with their attribution and money; commission is summed from the journal, its only source.
// payee null: whole lines; else that payee's leg. Served by orders_id_idx, order_lines_external_key and entry_lines_line_idx.
const LIST_LINES_OF_ORDERS = `
select l.id, l.order_id as "orderId", l.external_line_id as "externalLineId", l.product_id as "productId", l.quantity,
  l.paid_fen as "paidFen", l.refunded_fen as "refundedFen", l.refund_excess_fen as "refundExcessFen", l.closed,
  l.refund_open as "refundOpen", l.received_at as "receivedAt",
  a.state, a.method, a.confidence, c.code as "linkCode", a.influencer_id as "influencerId", a.click_id as "clickId",
  a.clicked_at as "clickedAt", a.tag, a.reason, a.candidates, a.dispute,
  coalesce(b.commission_fen, 0)::bigint as "commissionFen", coalesce(b.pending_fen, 0)::bigint as "pendingFen",
  coalesce(b.payable_fen, 0)::bigint as "payableFen", coalesce(b.in_payout_fen, 0)::bigint as "inPayoutFen",
  coalesce(b.paid_out_fen, 0)::bigint as "paidOutFen", coalesce(b.debt_fen, 0)::bigint as "debtFen"
from orders o
join order_lines l on l.brand_id = o.brand_id and l.order_id = o.id
left join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
left join link_codes c on c.link_id = a.link_id and c.kind = 'code'
left join lateral (
  select
    sum(f.commission_fen) as commission_fen, sum(f.pending_fen) as pending_fen, sum(f.payable_fen) as payable_fen,
    sum(f.in_payout_fen) as in_payout_fen, sum(f.paid_out_fen) as paid_out_fen, sum(f.debt_fen) as debt_fen
  from entry_lines e
  join posting_figures f on f.brand_id = e.brand_id and f.entry_id = e.entry_id and f.line_position = e.position
  where e.line_id = l.id and ($2::text is null or f.payee_id = $2)
) b on true
where o.id = any ($1::text[])
  and ($3::text is null or a.influencer_id = $3)
order by l.order_id, l.external_line_id`;

/** The lines of the orders; for an influencer only its own, with its own leg of the commission. */
export async function listLinesOfOrders(
  db: Queryable,
  input: { orderIds: string[]; payeeId: string | null; influencerScope: string | null },
): Promise<OrderLineRow[]> {
  const { rows } = await db.query<OrderLineRow>({
    name: 'list_lines_of_orders',
    text: LIST_LINES_OF_ORDERS,
    values: [input.orderIds, input.payeeId, input.influencerScope],
  });
  return rows;
}

const FIND_PAYEE_OF_INFLUENCER = `
select i.payee_id as "payeeId" from influencers i where i.id = $1`;

/** The payee of an influencer; undefined for an unknown influencer. */
export async function findPayeeOfInfluencer(db: Queryable, influencerId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ payeeId: string }>({
    name: 'find_payee_of_influencer',
    text: FIND_PAYEE_OF_INFLUENCER,
    values: [influencerId],
  });
  return rows[0]?.payeeId;
}
