/**
 * What a Youzan message says about an order, in our words. Personal data stays behind: of the buyer's note only a transient copy is
 * handed to the caller, who looks for codes in it and drops it.
 */
import type { OrderEvent } from '../../core/orders/order-event.ts';
import type { OrderEventType } from '../../core/vocabulary.ts';
import type { JsonObject } from '../json-text.ts';
import type { YouzanEnvelope } from './envelope.ts';
import { instantOfVersion, integerAt, nameAt, objectAt, timeAt } from './fields.ts';
import { readLines } from './lines.ts';
import { readRefund } from './refund.ts';

export type YouzanReading =
  | {
      kind: 'event';
      event: OrderEvent;
      /** Line id → what the buyer wrote. Personal data: never stored. */
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

/** What every event of ours begins with. */
type EventHead = Pick<OrderEvent, 'externalOrderId' | 'version' | 'occurredAt'>;

/**
 * `trade_TradeBuyerPay` repeats the order after payment under a version of its own type. Read as `paid` it would compete with
 * TradePaid, whose versions it may not be compared with; it never comes for virtual goods, so nothing can depend on it either.
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
 * Steps between the request and the end leave the refund open. Of the newer set (`youzan_trade_…`) only RefundSuccess is an end:
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

/** `close_type` of an order closed because everything was refunded. */
const CLOSED_BY_REFUND = 2n;

/**
 * Reads one verified message.
 *
 * @returns the event, or why there is none: `ignored` for what concerns no order money, `not_understood` for what might and must be
 *   looked at by a person
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
  // "Agreed" ends a refund without return; where goods must come back it is only a step on the way.
  const agreedOnly = type === 'refunded' && goodsComeBack && envelope.type === 'trade_refund_RefundSellerAgree';
  const event: OrderEvent = { type: agreedOnly ? 'refund_requested' : type, ...head, version, refund };
  return { kind: 'event', event, notes: {} };
}

/** Order number, version and time. A missing time is the one the version stands for (the two agree in nearly every capture). */
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
 * The envelope's business id is the order number. Another one would make two orders of one message, and booking money on either a
 * guess. Only the newer refund messages, of which no capture is known, are free to carry another id (their refund's).
 */
function agreesWithId({ id, type }: YouzanEnvelope, orderId: string): boolean {
  return id === undefined || id === orderId || type.startsWith('youzan_trade_');
}

function notUnderstood(reason: NotUnderstood['reason']): NotUnderstood {
  return { kind: 'not_understood', reason };
}
