/** The lines of a full Youzan order, and what the buyer wrote on them. */
import type { OrderLineFact } from '../../core/orders/order-event.ts';
import { fieldOf, isJsonObject, JsonNumber, parseJsonText, type JsonObject, type JsonValue } from '../json-text.ts';
import { flagAt, integerAt, isAbsent, nameAt, objectAt, textAt, yuanAt } from './fields.ts';

type LineFault = 'lines_missing' | 'line_unreadable' | 'line_amount_unreadable' | 'duplicate_line';
type ReadLines = { ok: true; lines: OrderLineFact[]; notes: Record<string, string> } | { ok: false; reason: LineFault };

/** More lines than any real cart; bounds the work one message can cause. */
const MAX_LINES = 1000;
const MAX_QUANTITY = 1_000_000n;
const MAX_NOTE_LENGTH = 2000;
const ALIAS = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Reads `orders[]` of `full_order_info`.
 *
 * What the buyer paid for a line is its `payment`: the share after all discounts, without freight (`pay_info.payment` includes it).
 * Stored value and gift cards are part of it. Gifts are 0.
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
    // A push names neither a landing address nor a salesman's seller id, so a line carries no evidence beside the note.
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

/** `buyer_messages` is a JSON text of labels and answers, or the JSON itself, or plain words. */
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
