/** What is written of orders once they are decided. The caller holds their locks. */
import type { FoldedLine, FoldedOrder } from '../../core/orders/order.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';
import type { StoredAttribution } from './state-queries.ts';

export interface NewOrderEvent {
  brandId: string;
  messageId: bigint;
  orderId: string;
  /** Of the event in its message. */
  position: number;
  type: string;
  version: bigint;
  occurredAt: Date;
  fingerprint: Buffer;
  makesFacts: boolean;
  event: unknown;
}

export interface LineToWrite extends FoldedLine {
  /** Its own where it is stored already. */
  lineId: string;
  brandId: string;
  orderId: string;
  productId: string | undefined;
}

export interface AttributionToWrite {
  lineId: string;
  brandId: string;
  attribution: StoredAttribution;
  dispute: unknown;
  /** Whether the sweep should look at the line again. */
  retry: boolean;
}

// Adds events, and brings lines and attributions to what was decided: rows that exist are replaced whole, lines once known are never deleted.
// One statement for three tables, because a statement costs more than its rows. Foreign keys are checked at the end of the statement.
// received_seen_at keeps the moment at which the receipt first reached us, by Postgres' clock; a corrected receipt does not move it.
// decided_at moves only when the decision does. Unmatched lines are looked at again ever more rarely: every 30 s while clicks are on their
// way, then each 10 min on the first day, 6 h in the first week, daily for 60 days; then only new facts bring them back.
// item_keys travel as one JSON text a line, because arrays of different lengths cannot be unnested together.
const WRITE_LINES = `
with event as (
  insert into order_events (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
  select input.brand_id, input.message_id, input.order_id, input.position, input.type, input.version, input.occurred_at,
    input.fingerprint, input.makes_facts, input.event
  from unnest($1::text[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::bigint[], $7::timestamptz[], $8::bytea[],
      $9::boolean[], $10::jsonb[])
    as input (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
), line as (
  insert into order_lines as l (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
    refund_excess_fen, closed, refund_open, received_at, received_seen_at)
  select input.id, input.brand_id, input.order_id, input.external_line_id, input.product_id,
    array(select jsonb_array_elements_text(input.item_keys)), input.quantity, input.paid_fen, input.refunded_fen,
    input.refund_excess_fen, input.closed, input.refund_open, input.received_at,
    case when input.received_at is not null then now() end
  from unnest($11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::jsonb[], $17::bigint[], $18::bigint[],
      $19::bigint[], $20::bigint[], $21::boolean[], $22::boolean[], $23::timestamptz[])
    as input (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
      refund_excess_fen, closed, refund_open, received_at)
  on conflict on constraint order_lines_external_key do update
  set product_id = excluded.product_id, item_keys = excluded.item_keys, quantity = excluded.quantity, paid_fen = excluded.paid_fen,
    refunded_fen = excluded.refunded_fen, refund_excess_fen = excluded.refund_excess_fen, closed = excluded.closed,
    refund_open = excluded.refund_open, received_at = excluded.received_at,
    received_seen_at = case when excluded.received_at is not null then coalesce(l.received_seen_at, now()) end
  returning l.id, l.first_seen_at
)
insert into attributions as a (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason,
  candidates, dispute, retry_at)
select input.line_id, input.brand_id, input.state, input.method, input.confidence, input.link_id, input.influencer_id, input.click_id,
  input.clicked_at, input.tag, input.reason, input.candidates, input.dispute,
  case
    when not input.retry then null
    when input.reason = 'waiting_for_clicks' then now() + interval '30 seconds'
    else (
      select case
        when line.first_seen_at > now() - interval '1 day' then now() + interval '10 minutes'
        when line.first_seen_at > now() - interval '7 days' then now() + interval '6 hours'
        when line.first_seen_at > now() - interval '60 days' then now() + interval '1 day'
      end
      from line where line.id = input.line_id)
  end
from unnest($24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[],
    $32::timestamptz[], $33::text[], $34::text[], $35::jsonb[], $36::jsonb[], $37::boolean[])
  as input (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason, candidates,
    dispute, retry)
on conflict on constraint attributions_pkey do update
set state = excluded.state, method = excluded.method, confidence = excluded.confidence, link_id = excluded.link_id,
  influencer_id = excluded.influencer_id, click_id = excluded.click_id, clicked_at = excluded.clicked_at, tag = excluded.tag,
  reason = excluded.reason, candidates = excluded.candidates, dispute = excluded.dispute, retry_at = excluded.retry_at,
  decided_at = case
    when (a.state, a.method, a.link_id, a.click_id, a.reason) is distinct from
      (excluded.state, excluded.method, excluded.link_id, excluded.click_id, excluded.reason) then now()
    else a.decided_at
  end`;

/** Adds the events of an order, and writes its lines with their attributions whole. Events are never changed afterwards (trigger). */
export async function writeLines(
  tx: Tx,
  input: {
    events: readonly NewOrderEvent[];
    lines: readonly LineToWrite[];
    attributions: readonly AttributionToWrite[];
  },
): Promise<void> {
  if (input.events.length + input.lines.length === 0) return;
  await tx.query({
    name: 'write_lines',
    text: WRITE_LINES,
    values: arrayLiterals([
      ...eventColumns(input.events),
      ...lineColumns(input.lines),
      ...attributionColumns(input.attributions),
    ]),
  });
}

function eventColumns(events: readonly NewOrderEvent[]): unknown[][] {
  return [
    events.map((event) => event.brandId),
    events.map((event) => event.messageId),
    events.map((event) => event.orderId),
    events.map((event) => event.position),
    events.map((event) => event.type),
    events.map((event) => event.version),
    events.map((event) => event.occurredAt),
    events.map((event) => event.fingerprint),
    events.map((event) => event.makesFacts),
    events.map((event) => JSON.stringify(event.event)),
  ];
}

function lineColumns(lines: readonly LineToWrite[]): unknown[][] {
  return [
    lines.map((line) => line.lineId),
    lines.map((line) => line.brandId),
    lines.map((line) => line.orderId),
    lines.map((line) => line.externalLineId),
    lines.map((line) => line.productId ?? null),
    lines.map((line) => JSON.stringify(line.itemKeys)),
    lines.map((line) => line.quantity),
    lines.map((line) => line.paidFen),
    lines.map((line) => line.refundedFen),
    lines.map((line) => line.refundExcessFen),
    lines.map((line) => line.closed),
    lines.map((line) => line.refundOpen),
    lines.map((line) => line.receivedAt ?? null),
  ];
}

function attributionColumns(rows: readonly AttributionToWrite[]): unknown[][] {
  const column = <K extends keyof StoredAttribution>(name: K): (StoredAttribution[K] | null)[] =>
    rows.map(({ attribution }) => attribution[name] ?? null);
  return [
    rows.map((row) => row.lineId),
    rows.map((row) => row.brandId),
    column('state'),
    column('method'),
    column('confidence'),
    column('linkId'),
    column('influencerId'),
    column('clickId'),
    column('clickedAt'),
    column('tag'),
    column('reason'),
    column('candidates').map((candidates) => JSON.stringify(candidates ?? [])),
    rows.map((row) => (row.dispute === undefined ? null : JSON.stringify(row.dispute))),
    rows.map((row) => row.retry),
  ];
}

// Served by orders_id_idx.
const UPDATE_ORDERS = `
update orders
set status = input.status, created_at = input.created_at, paid_at = input.paid_at,
  received_at = input.received_at, closed_at = input.closed_at
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
  as input (id, status, created_at, paid_at, received_at, closed_at)
where orders.id = input.id`;

export type OrderRow = Pick<FoldedOrder, 'status' | 'createdAt' | 'paidAt' | 'receivedAt' | 'closedAt'>;

/** Writes what the facts say of each order as a whole. */
export async function updateOrders(tx: Tx, orders: readonly (OrderRow & { id: string })[]): Promise<void> {
  if (orders.length === 0) return;
  await tx.query({
    name: 'update_orders',
    text: UPDATE_ORDERS,
    values: arrayLiterals([
      orders.map((order) => order.id),
      orders.map((order) => order.status),
      orders.map((order) => order.createdAt),
      orders.map((order) => order.paidAt ?? null),
      orders.map((order) => order.receivedAt ?? null),
      orders.map((order) => order.closedAt ?? null),
    ]),
  });
}
