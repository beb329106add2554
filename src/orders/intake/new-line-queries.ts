import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';
import { attributionColumns, type AttributionToWrite } from '../attribution/attribution-queries.ts';
import { eventColumns, type NewOrderEvent } from './intake-queries.ts';
import { lineColumns, type LineToWrite } from './recompute-queries.ts';

// What insert_order_events, upsert_order_lines and upsert_attributions write of an order that was made in this transaction: nobody else can
// have written any of it, so nothing is looked for before it is inserted, and three statements are one. Foreign keys are checked at the end
// of the statement, when all parts are there. A new line was first seen now, so only the first steps of the sweep's ladder can be its.
const INSERT_NEW_LINES = `
with event as (
  insert into order_events (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
  select input.brand_id, input.message_id, input.order_id, input.position, input.type, input.version, input.occurred_at,
    input.fingerprint, input.makes_facts, input.event
  from unnest($1::text[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::bigint[], $7::timestamptz[], $8::bytea[],
      $9::boolean[], $10::jsonb[])
    as input (brand_id, message_id, order_id, position, type, version, occurred_at, fingerprint, makes_facts, event)
), line as (
  insert into order_lines (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
    refund_excess_fen, closed, refund_open, received_at, received_seen_at)
  select input.id, input.brand_id, input.order_id, input.external_line_id, input.product_id,
    array(select jsonb_array_elements_text(input.item_keys)), input.quantity, input.paid_fen, input.refunded_fen,
    input.refund_excess_fen, input.closed, input.refund_open, input.received_at,
    case when input.received_at is not null then now() end
  from unnest($11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::jsonb[], $17::bigint[], $18::bigint[],
      $19::bigint[], $20::bigint[], $21::boolean[], $22::boolean[], $23::timestamptz[])
    as input (id, brand_id, order_id, external_line_id, product_id, item_keys, quantity, paid_fen, refunded_fen,
      refund_excess_fen, closed, refund_open, received_at)
)
insert into attributions (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason,
  candidates, dispute, retry_at)
select input.line_id, input.brand_id, input.state, input.method, input.confidence, input.link_id, input.influencer_id, input.click_id,
  input.clicked_at, input.tag, input.reason, input.candidates, input.dispute,
  case
    when not input.retry then null
    when input.reason = 'waiting_for_clicks' then now() + interval '30 seconds'
    else now() + interval '10 minutes'
  end
from unnest($24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[],
    $32::timestamptz[], $33::text[], $34::text[], $35::jsonb[], $36::jsonb[], $37::boolean[])
  as input (line_id, brand_id, state, method, confidence, link_id, influencer_id, click_id, clicked_at, tag, reason, candidates,
    dispute, retry)`;

/** Adds the events, lines and attributions of orders that were made in this transaction. */
export async function insertNewLines(
  tx: Tx,
  input: {
    events: readonly NewOrderEvent[];
    lines: readonly LineToWrite[];
    attributions: readonly AttributionToWrite[];
  },
): Promise<void> {
  await tx.query({
    name: 'insert_new_lines',
    text: INSERT_NEW_LINES,
    values: arrayLiterals([
      ...eventColumns(input.events),
      ...lineColumns(input.lines),
      ...attributionColumns(input.attributions),
    ]),
  });
}
