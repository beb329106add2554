/**
 * Reads a Youzan message into an order event. Personal data is left out. The buyer's notes are returned beside the event; the caller searches
 * them for codes and does not store them.
 */
import type { OrderEvent } from '../../core/orders/order-event.ts';
import type { OrderEventType } from '../../core/vocabulary.ts';
import type { JsonObject } from '../json-text.ts';
import type { YouzanEnvelope } from './envelope.ts';
import { instantOfVersion, integerAt, nameAt, objectAt, timeAt } from './fields.ts';
import { readLines, readRefund } from './message-parts.ts';

export type YouzanReading =
  | {
      kind: 'event';
      event: OrderEvent;
      /** The buyer's note by line id. Personal data: never stored. */
      notes: Record<string, string>;
    }
  | { kind: 'ignored'; reason: IgnoredReason }
  | NotUnderstood;

type IgnoredReason = 'heartbeat' | 'confirms_payment' | 'shipping' | 'memo' | 'salesman';

interface NotUnderstood {
  kind: 'not_understood';
  reason:
    | 'unknown_type'
    | 'message_unreadable'
    | 'version_unreadable'
    | 'order_number_unreadable'
    | 'order_number_conflict'
    | 'time_unreadable'
    | 'lines_missing'
    | 'line_unreadable'
    | 'line_amount_unreadable'
    | 'duplicate_line'
    | 'refund_unreadable'
    | 'refund_amount_unreadable'
    | 'refund_type_unknown';
}

/** The fields of every event. */
type EventHead = Pick<OrderEvent, 'externalOrderId' | 'version' | 'occurredAt'>;

/**
 * `trade_TradeBuyerPay` repeats the order after payment, with versions of its own type. They are not comparable with those of TradePaid, so it
 * is not read as `paid`. Nothing can depend on it, because it is never sent for virtual goods.
 */
const IGNORED: ReadonlyMap<string, IgnoredReason> = new Map([
  ['trade_TradeBuyerPay', 'confirms_payment'],
  ['trade_TradePartlySellerShip', 'shipping'],
  ['trade_TradeSellerShip', 'shipping'],
  ['trade_TradeMemoModified', 'memo'],
  ['salesman_order_settle_state_update', 'salesman'],
  ['salesman_customer_relation_change_biz', 'salesman'],
]);

const FULL_ORDERS: ReadonlyMap<string, 'created' | 'paid'> = new Map([
  ['trade_TradeCreate', 'created'],
  ['trade_TradePaid', 'paid'],
]);

type RefundEventType = Extract<OrderEventType, 'refunded' | 'refund_requested' | 'refund_closed'>;

/**
 * A step between the request and the end leaves the refund open. In the newer set (`youzan_trade_…`) only RefundSuccess is an end, because
 * there an agreement also precedes a return of goods.
 */
const REFUNDS: ReadonlyMap<string, RefundEventType> = new Map([
  ['trade_refund_BuyerCreated', 'refund_requested'],
  ['trade_refund_RefundAgain', 'refund_requested'],
  ['trade_refund_RefundSellerCreated', 'refund_requested'],
  ['trade_refund_RefundSellerAgreeReturnGoods', 'refund_requested'],
  ['trade_refund_RefundBuyerReturnGoods', 'refund_requested'],
  ['trade_refund_RefundSellerRefuse', 'refund_requested'],
  ['trade_refund_RefundSellerRefuseBuyerReturnGoods', 'refund_requested'],
  ['trade_refund_YouzanInterApplied', 'refund_requested'],
  ['trade_refund_RefundSellerAgree', 'refunded'],
  ['trade_refund_RefundSuccess', 'refunded'],
  ['trade_refund_SysRefund', 'refunded'],
  ['trade_refund_RefundClosed', 'refund_closed'],
  ['youzan_trade_RefundCreated', 'refund_requested'],
  ['youzan_trade_RefundSellerAgree', 'refund_requested'],
  ['youzan_trade_RefundSuccess', 'refunded'],
  ['youzan_trade_RefundClosed', 'refund_closed'],
]);

/** `close_type` of an order that was closed because everything was refunded. */
const CLOSED_BY_REFUND = 2n;

/**
 * Reads one verified message.
 *
 * @returns the event, or the reason for none: `ignored` for a message that concerns no order money, `not_understood` for one that may, which a
 *   person must look at
 */
export function readYouzanMessage(envelope: YouzanEnvelope): YouzanReading {
  const { type, message } = envelope;
  if (envelope.heartbeat) return { kind: 'ignored', reason: 'heartbeat' };
  const ignored = IGNORED.get(type);
  if (ignored !== undefined) return { kind: 'ignored', reason: ignored };
  const fullOrder = FULL_ORDERS.get(type);
  const refund = REFUNDS.get(type);
  const known =
    fullOrder !== undefined || refund !== undefined || type === 'trade_TradeSuccess' || type === 'trade_TradeClose';
  if (!known) return notUnderstood('unknown_type');
  if (message === undefined) return notUnderstood('message_unreadable');
  if (fullOrder !== undefined) return readFullOrder(fullOrder, envelope, message);
  if (refund !== undefined) return readRefundEvent(refund, envelope, message);
  return type === 'trade_TradeSuccess' ? readSuccess(envelope, message) : readClose(envelope, message);
}

function readFullOrder(type: 'created' | 'paid', envelope: YouzanEnvelope, message: JsonObject): YouzanReading {
  const order = objectAt(message, 'full_order_info');
  const info = objectAt(order, 'order_info');
  if (order === undefined || info === undefined) return notUnderstood('message_unreadable');
  const head = readHead(envelope, info);
  if ('kind' in head) return head;
  const createdAt = timeAt(info, 'created');
  const paidAt = timeAt(info, 'pay_time');
  if (createdAt.state === 'unreadable' || paidAt.state === 'unreadable') return notUnderstood('time_unreadable');
  const read = readLines(order);
  if (!read.ok) return notUnderstood(read.reason);
  const event: OrderEvent = { type, ...head, lines: read.lines };
  if (createdAt.state === 'present') event.createdAt = createdAt.value;
  if (type === 'paid' && paidAt.state === 'present') event.paidAt = paidAt.value;
  return { kind: 'event', event, notes: read.notes };
}

function readSuccess(envelope: YouzanEnvelope, message: JsonObject): YouzanReading {
  const head = readHead(envelope, message);
  return 'kind' in head ? head : { kind: 'event', event: { type: 'received', ...head }, notes: {} };
}

function readClose(envelope: YouzanEnvelope, message: JsonObject): YouzanReading {
  const head = readHead(envelope, message);
  if ('kind' in head) return head;
  const closeType = integerAt(message, 'close_type');
  const fullRefund = closeType.state === 'present' && closeType.value === CLOSED_BY_REFUND;
  return { kind: 'event', event: { type: 'closed', ...head, fullRefund }, notes: {} };
}

function readRefundEvent(type: RefundEventType, envelope: YouzanEnvelope, message: JsonObject): YouzanReading {
  const head = readHead(envelope, message);
  if ('kind' in head) return head;
  const read = readRefund(message, head.version, type === 'refunded');
  if (!read.ok) return notUnderstood(read.reason);
  const { refund, version, goodsComeBack } = read;
  // An agreement ends a refund without return; when goods must be returned, it is only a step.
  const agreedOnly = type === 'refunded' && goodsComeBack && envelope.type === 'trade_refund_RefundSellerAgree';
  const event: OrderEvent = { type: agreedOnly ? 'refund_requested' : type, ...head, version, refund };
  return { kind: 'event', event, notes: {} };
}

/** Order number, version and time. Without a time the version gives it; the two agree in nearly every capture. */
function readHead(envelope: YouzanEnvelope, info: JsonObject): EventHead | NotUnderstood {
  const { version } = envelope;
  if (version === undefined) return notUnderstood('version_unreadable');
  const tid = nameAt(info, 'tid');
  if (tid.state !== 'present') return notUnderstood('order_number_unreadable');
  if (!agreesWithId(envelope, tid.value)) return notUnderstood('order_number_conflict');
  const updatedAt = timeAt(info, 'update_time');
  if (updatedAt.state === 'unreadable') return notUnderstood('time_unreadable');
  const occurredAt = updatedAt.state === 'present' ? updatedAt.value : instantOfVersion(version);
  if (occurredAt === undefined) return notUnderstood('time_unreadable');
  return { externalOrderId: tid.value, version, occurredAt };
}

/**
 * The envelope's business id must be the order number: with another one, the order of the money would be a guess. Only the newer refund
 * messages may carry another id, their refund's; no capture of them is known.
 */
function agreesWithId({ id, type }: YouzanEnvelope, orderId: string): boolean {
  return id === undefined || id === orderId || type.startsWith('youzan_trade_');
}

function notUnderstood(reason: NotUnderstood['reason']): NotUnderstood {
  return { kind: 'not_understood', reason };
}
