/**
 * The facts a platform tells us about an order, in our own words.
 *
 * Every source (Youzan pushes, a brand's own shop, later Taobao rows) is read into these shapes by `platforms/`; everything behind
 * them (fold, attribution, commission) knows nothing about a marketplace. Money is fen, times are instants.
 */
import type { OrderEventType, RefundKind } from '../vocabulary.ts';

export interface OrderEvent {
  type: OrderEventType;
  externalOrderId: string;
  /** Orders two events of one type on one order; never compared across types (Youzan: outer `version`; for refunds the inner one). */
  version: bigint;
  /** When the source says it happened. */
  occurredAt: Date;
  /** When the buyer placed the order, if this event says so. */
  createdAt?: Date;
  /** When the buyer paid, if it differs from `occurredAt` (Youzan's `pay_time`). */
  paidAt?: Date;
  /** On `created` and `paid`: every line of the order. */
  lines?: OrderLineFact[];
  /** On `received` and `closed`: the lines meant; absent or empty means all of them. */
  lineIds?: string[];
  /** On `closed`: the buyer got everything back, so received lines are zeroed too. */
  fullRefund?: boolean;
  /** On `refunded`, `refund_requested`, `refund_closed`. */
  refund?: RefundFact;
}

export interface OrderLineFact {
  externalLineId: string;
  /** Names of the item that a product may be registered under, most specific first: `item:600000000001`, `alias:2exampleali0001`. */
  itemKeys: string[];
  quantity: number;
  /** What the buyer paid for the line after discounts, without freight, fen. 0n for gifts. */
  paidFen: bigint;
  evidence: LineEvidence;
}

/** Everything a line says about where the buyer came from. Absent fields were absent in the message. */
export interface LineEvidence {
  clickId?: string;
  couponCode?: string;
  /** Codes and aliases found in the buyer's note, canonical form; the note itself is personal data and never kept. */
  noteCodes?: string[];
  adzoneId?: string;
  relationId?: string;
  specialId?: string;
  sls?: string;
  /** The platform's own time of the buyer's arrival (Taobao `click_time`). */
  clickedAt?: Date;
}

export interface RefundFact {
  refundId: string;
  /** `exchange` never takes money back. */
  kind: RefundKind;
  /** One portion per amount named: one line id = that line; several = spread over them; none = spread over the order. */
  portions: { lineIds: string[]; refundedFen: bigint }[];
}
