/**
 * The facts of an order in one form for all sources.
 *
 * `platforms/` reads the messages of every source (Youzan pushes, a brand's own shop, rows of Taobao's affiliate API) into these shapes. The
 * fold, attribution and commission use only them and know no marketplace. Money is fen, times are instants.
 */
import type { OrderEventType, RefundKind } from '../vocabulary.ts';

export interface OrderEvent {
  type: OrderEventType;
  externalOrderId: string;
  /** Orders the events of one type of one order; never compared across types (Youzan: the outer `version`, for refunds the inner one). */
  version: bigint;
  /** The time of the event by the source's clock. */
  occurredAt: Date;
  /** When the buyer placed the order, where this event states it. */
  createdAt?: Date;
  /** When the buyer paid, where the event states it (Youzan's `pay_time`); else `occurredAt` counts. */
  paidAt?: Date;
  /** On `created` and `paid`: every line of the order. */
  lines?: OrderLineFact[];
  /** On `received`, `settled` and `closed`: the lines concerned; absent or empty means all lines. */
  lineIds?: string[];
  /** On `closed`: everything was refunded, so received lines are zeroed too. */
  fullRefund?: boolean;
  /** On `refunded`, `refund_requested`, `refund_closed`. */
  refund?: RefundFact;
}

export interface OrderLineFact {
  externalLineId: string;
  /** Names of the item that a product may be registered under, most specific first: `item:600000000001`, `alias:2exampleali0001`. */
  itemKeys: string[];
  quantity: number;
  /** The amount paid for the line after discounts, without freight, fen. 0n for gifts. */
  paidFen: bigint;
  evidence: LineEvidence;
}

/** The facts of a line that can name a link, an influencer or a click. Absent fields were absent in the message. */
export interface LineEvidence {
  clickId?: string;
  couponCode?: string;
  /** Codes and aliases found in the buyer's note, in canonical form. The note is personal data and is not kept. */
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
  /** One portion for each amount. With one line id it is that line's; with several or none it is spread over them, or over the order. */
  portions: { lineIds: string[]; refundedFen: bigint }[];
}
