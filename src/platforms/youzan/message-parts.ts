/** The parts of a Youzan message that become facts of an order: the lines with the buyer's notes, and the refund. */
import type { OrderLineFact, RefundFact } from '../../core/orders/order-event.ts';
import { fieldOf, isJsonObject, JsonNumber, parseJsonText, type JsonObject, type JsonValue } from '../json-text.ts';
import { flagAt, integerAt, isAbsent, nameAt, objectAt, textAt, versionMs, yuanAt } from './fields.ts';

type LineFault = 'lines_missing' | 'line_unreadable' | 'line_amount_unreadable' | 'duplicate_line';
type ReadLines = { ok: true; lines: OrderLineFact[]; notes: Record<string, string> } | { ok: false; reason: LineFault };

/** More lines than any real cart; limits the work that one message can cause. */
const MAX_LINES = 1000;
const MAX_QUANTITY = 1_000_000n;
const MAX_NOTE_LENGTH = 2000;
const ALIAS = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Reads `orders[]` of `full_order_info`.
 *
 * The amount paid for a line is its `payment`: its share after all discounts, without freight (`pay_info.payment` includes freight). Stored
 * value and gift cards count as paid. Gifts are 0n.
 *
 * @returns the lines, and the buyer's notes by line id (personal data: never stored)
 */
export function readLines(order: JsonObject): ReadLines {
  const items = fieldOf(order, 'orders');
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_LINES)
    return { ok: false, reason: 'lines_missing' };
  const orderNote = textAt(objectAt(order, 'remark_info'), 'buyer_message');
  const lines: OrderLineFact[] = [];
  const notes = new Map<string, string>();
  for (const item of items) {
    const line = readLine(item);
    if (typeof line === 'string') return { ok: false, reason: line };
    lines.push(line);
    const note = [orderNote, ...lineNotesOf(item)].filter((text) => text !== undefined).join('\n');
    if (note !== '') notes.set(line.externalLineId, note.slice(0, MAX_NOTE_LENGTH).toWellFormed());
  }
  const distinct = new Set(lines.map((line) => line.externalLineId)).size;
  if (distinct !== lines.length) return { ok: false, reason: 'duplicate_line' };
  return { ok: true, lines, notes: Object.fromEntries(notes) };
}

function readLine(item: JsonValue): OrderLineFact | LineFault {
  if (!isJsonObject(item)) return 'line_unreadable';
  const lineId = nameAt(item, 'oid');
  const quantity = integerAt(item, 'num');
  if (lineId.state !== 'present' || quantity.state !== 'present') return 'line_unreadable';
  if (quantity.value < 1n || quantity.value > MAX_QUANTITY) return 'line_unreadable';
  const payment = flagAt(item, 'is_present') ? ({ state: 'present', value: 0n } as const) : yuanAt(item, 'payment');
  if (payment.state !== 'present') return 'line_amount_unreadable';
  return {
    externalLineId: lineId.value,
    itemKeys: itemKeysOf(item),
    quantity: Number(quantity.value),
    paidFen: payment.value,
    // A push contains neither a landing address nor a salesman's seller id, so the note is the only evidence of a line.
    evidence: {},
  };
}

function itemKeysOf(item: JsonObject): string[] {
  const keys: string[] = [];
  const itemId = textAt(item, 'item_id');
  if (itemId !== undefined && /^[1-9]\d{0,19}$/.test(itemId)) keys.push(`item:${itemId}`);
  const alias = textAt(item, 'alias');
  if (alias !== undefined && ALIAS.test(alias)) keys.push(`alias:${alias}`);
  return keys;
}

/** The texts of `buyer_messages`: a JSON text of labels and answers, or that JSON itself, or plain words. */
function lineNotesOf(item: JsonValue): string[] {
  if (!isJsonObject(item)) return [];
  const written = fieldOf(item, 'buyer_messages');
  if (written === undefined || isAbsent(written)) return [];
  return textsIn(typeof written === 'string' ? (parseJsonText(written) ?? written) : written);
}

function textsIn(value: JsonValue): string[] {
  if (typeof value === 'string') return isAbsent(value) ? [] : [value];
  if (value instanceof JsonNumber) return [value.source];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((inner: JsonValue) => textsIn(inner));
}

type ReadRefund =
  | {
      ok: true;
      refund: RefundFact;
      /** Milliseconds. */
      version: bigint;
      goodsComeBack: boolean;
    }
  | { ok: false; reason: 'refund_unreadable' | 'refund_amount_unreadable' | 'refund_type_unknown' };

const KINDS: ReadonlyMap<string, RefundFact['kind']> = new Map([
  ['REFUND_ONLY', 'refund'],
  ['REFUND_AND_RETURN', 'refund'],
  ['EXCHANGE_GOODS_FLOW', 'exchange'],
]);
const REFUNDED_LINE_ID = /^[\x21-\x7e]{1,64}$/;

/**
 * Reads the refund of a `trade_refund_…` or `youzan_trade_Refund…` message.
 *
 * `oids` names the lines (none: the whole order), `refunded_fee` is one amount for all of them. The inner `version` is in milliseconds, the
 * envelope's in seconds. Messages of one refund are compared with each other, so without an inner version the outer one is converted to
 * milliseconds.
 *
 * @param mustHaveAmount  true for a refund that was paid out, because it cannot be booked without its amount
 */
export function readRefund(message: JsonObject, outerVersion: bigint, mustHaveAmount: boolean): ReadRefund {
  const refundId = nameAt(message, 'refund_id');
  const inner = integerAt(message, 'version');
  const lineIds = readLineIds(message);
  if (refundId.state !== 'present' || inner.state === 'unreadable' || lineIds === undefined) {
    return { ok: false, reason: 'refund_unreadable' };
  }
  const refundType = textAt(message, 'refund_type');
  const kind = refundType === undefined ? 'refund' : KINDS.get(refundType);
  if (kind === undefined) return { ok: false, reason: 'refund_type_unknown' };
  const amount = yuanAt(message, 'refunded_fee');
  const lacksAmount = amount.state === 'absent' && mustHaveAmount && kind === 'refund';
  if (amount.state === 'unreadable' || lacksAmount) return { ok: false, reason: 'refund_amount_unreadable' };
  const refundedFen = amount.state === 'present' ? amount.value : 0n;
  return {
    ok: true,
    refund: { refundId: refundId.value, kind, portions: [{ lineIds, refundedFen }] },
    version: versionMs(inner.state === 'present' ? inner.value : outerVersion),
    goodsComeBack: refundType === 'REFUND_AND_RETURN',
  };
}

/** The ids of "2893…31,2893…32", each once; undefined when a part is not an id. */
function readLineIds(message: JsonObject): string[] | undefined {
  if (isAbsent(fieldOf(message, 'oids'))) return [];
  const ids = new Set(
    textAt(message, 'oids')
      ?.split(',')
      .map((id) => id.trim())
      .filter((id) => id !== ''),
  );
  const readable = ids.size > 0 && ids.size <= MAX_LINES && [...ids].every((id) => REFUNDED_LINE_ID.test(id));
  return readable ? [...ids] : undefined;
}
