/** What is stored of orders, read behind their locks. */
import type { PricedLine } from '../../commissions/pricing/queries.ts';
import type { AttributionMethod, Confidence, DecisionFact, UnmatchedReason } from '../../core/attribution/facts.ts';
import { arrayLiterals } from '../../infra/array-literal.ts';
import type { Tx } from '../../infra/db.ts';
import type { OrderKey } from '../locks.ts';

/** An order whose state is read; `newId` is the id it was given in this transaction, should it not have existed before. */
export interface StateKey extends OrderKey {
  newId?: string;
}

export interface StoredEventRow {
  orderId: string;
  fingerprint: Buffer;
  /** false: from a source that may only give evidence. */
  makesFacts: boolean;
  event: unknown;
}

// Every fact of the orders, in no order: the fold does not depend on one. An order that carries `new_id` was made in this transaction, so
// nothing is stored of it. Served by orders_external_key and order_events_order_idx.
const LIST_STORED_EVENTS = `
select e.order_id as "orderId", e.fingerprint, e.makes_facts as "makesFacts", e.event
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as input (brand_id, store_id, external_order_id, new_id)
join orders o on o.brand_id = input.brand_id and o.store_id = input.store_id and o.external_order_id = input.external_order_id
  and o.id is distinct from input.new_id
join order_events e on e.order_id = o.id`;

/** All stored events of the orders that existed before. The caller holds the locks. */
export async function listStoredEvents(tx: Tx, keys: readonly StateKey[]): Promise<StoredEventRow[]> {
  if (keys.length === 0) return [];
  const values = arrayLiterals(keyColumns(keys));
  const { rows } = await tx.query<StoredEventRow>({ name: 'list_stored_events', text: LIST_STORED_EVENTS, values });
  return rows;
}

/** An attribution as it is stored: what the ladder answered, without its trace. */
export interface StoredAttribution {
  state: 'matched' | 'unmatched' | 'review';
  method?: AttributionMethod;
  confidence?: Confidence;
  linkId?: string;
  influencerId?: string;
  clickId?: string;
  clickedAt?: Date;
  tag?: string;
  reason?: UnmatchedReason;
  candidates?: unknown;
}

/** A line as it stands before its order is decided again. */
export interface StoredLine {
  lineId: string;
  orderId: string;
  externalLineId: string;
  receivedSeenAt: Date | undefined;
  attribution: StoredAttribution | undefined;
  /** A person's standing decision. */
  decision: DecisionFact | undefined;
  /** The terms copied onto the line, and its release. */
  priced: PricedLine | undefined;
}

interface StoredLineRow {
  lineId: string;
  orderId: string;
  externalLineId: string;
  receivedSeenAt: Date | null;
  attribution: Record<string, unknown> | null;
  clickedAt: Date | null;
  decisionKind: 'assign' | 'reject' | null;
  decisionLinkId: string | null;
  overruledLinkId: string | null;
}

type PricedColumns = { [Key in keyof PricedLine as `priced_${Key}`]: PricedLine[Key] | null };

// One row a line of an order that existed before, with its attribution, the decision that stands (line_decisions_standing_key: at most one)
// and its copy of the terms. Served by orders_external_key, order_lines_external_key, attributions_pkey, line_decisions_standing_key and
// priced_lines_pkey.
const LIST_STORED_LINES = `
select l.id as "lineId", l.order_id as "orderId", l.external_line_id as "externalLineId", l.received_seen_at as "receivedSeenAt",
  case when a.line_id is not null then jsonb_strip_nulls(jsonb_build_object('state', a.state, 'method', a.method,
    'confidence', a.confidence, 'linkId', a.link_id, 'influencerId', a.influencer_id, 'clickId', a.click_id, 'tag', a.tag,
    'reason', a.reason)) || jsonb_build_object('candidates', a.candidates) end as "attribution",
  a.clicked_at as "clickedAt",
  d.kind as "decisionKind", d.link_id as "decisionLinkId", d.overruled_link_id as "overruledLinkId",
  c.line_id as "priced_lineId", c.brand_id as "priced_brandId", c.terms_id as "priced_termsId", c.product_id as "priced_productId",
  c.influencer_id as "priced_influencerId", c.order_created_at as "priced_orderCreatedAt", c.basis as "priced_basis",
  c.rate_bp as "priced_rateBp", c.flat_fen as "priced_flatFen", c.window_days as "priced_windowDays", c.hold_days as "priced_holdDays",
  c.platform_fee_bp as "priced_platformFeeBp", c.agency_payee_id as "priced_agencyPayeeId", c.agency_share_bp as "priced_agencyShareBp",
  c.influencer_payee_id as "priced_influencerPayeeId", c.payable_at as "priced_payableAt", c.released_at as "priced_releasedAt",
  c.hold_note as "priced_holdNote", c.hold_by as "priced_holdBy"
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as input (brand_id, store_id, external_order_id, new_id)
join orders o on o.brand_id = input.brand_id and o.store_id = input.store_id and o.external_order_id = input.external_order_id
  and o.id is distinct from input.new_id
join order_lines l on l.brand_id = o.brand_id and l.order_id = o.id
left join attributions a on a.brand_id = l.brand_id and a.line_id = l.id
left join line_decisions d on d.brand_id = l.brand_id and d.line_id = l.id and d.undone_at is null
left join priced_lines c on c.brand_id = l.brand_id and c.line_id = l.id`;

/** All stored lines of the orders that existed before. The caller holds the locks. */
export async function listStoredLines(tx: Tx, keys: readonly StateKey[]): Promise<StoredLine[]> {
  if (keys.length === 0) return [];
  const { rows } = await tx.query<StoredLineRow & PricedColumns>({
    name: 'list_stored_lines_of_orders',
    text: LIST_STORED_LINES,
    values: arrayLiterals(keyColumns(keys)),
  });
  return rows.map(storedLineOf);
}

function keyColumns(keys: readonly StateKey[]): unknown[][] {
  return [
    keys.map((key) => key.brandId),
    keys.map((key) => key.storeId),
    keys.map((key) => key.externalOrderId),
    keys.map((key) => key.newId ?? null),
  ];
}

function storedLineOf(row: StoredLineRow & PricedColumns): StoredLine {
  const { lineId, orderId, externalLineId, receivedSeenAt, attribution, clickedAt, decisionKind } = row;
  return {
    lineId,
    orderId,
    externalLineId,
    receivedSeenAt: receivedSeenAt ?? undefined,
    attribution:
      attribution === null
        ? undefined
        : ({ ...attribution, ...(clickedAt !== null && { clickedAt }) } as unknown as StoredAttribution),
    decision:
      decisionKind === null
        ? undefined
        : {
            kind: decisionKind,
            ...(row.decisionLinkId !== null && { linkId: row.decisionLinkId }),
            ...(row.overruledLinkId !== null && { overruledLinkId: row.overruledLinkId }),
          },
    priced: row.priced_lineId === null ? undefined : pricedLineOf(row),
  };
}

const PRICED = 'priced_';

function pricedLineOf(row: object): PricedLine {
  const columns = Object.entries(row).filter(([name]) => name.startsWith(PRICED));
  return Object.fromEntries(
    columns.map(([name, value]) => [name.slice(PRICED.length), value]),
  ) as unknown as PricedLine;
}
