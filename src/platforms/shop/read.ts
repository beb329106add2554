/** Reads the body that a brand's own shop system posts: one event or up to a hundred, in the words of the HTTP contract. */
import { z } from 'zod';
import { MAX_LINE_FEN } from '../../core/money/money.ts';
import type { LineEvidence, OrderEvent, OrderLineFact, RefundFact } from '../../core/orders/order-event.ts';

export interface ShopEvent {
  event: OrderEvent;
  /** The buyer's note by line id. Personal data: never stored. */
  notes: Record<string, string>;
}

export type ShopReading =
  | { ok: true; events: ShopEvent[] }
  | { ok: false; errors: { path: string; message: string }[] };

const MAX_EVENTS = 100;
const MAX_LINES = 200;
const MAX_ERRORS = 20;
/** A path may contain an unknown key of any length. */
const MAX_ERROR_LENGTH = 300;
const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

/** A text that Postgres can store as text and jsonb: no control character, no half of a surrogate pair. */
const name = z
  .string()
  .min(1)
  .max(128)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must be text without control characters');

const note = z
  .string()
  .max(2000)
  .refine((text) => text.isWellFormed(), 'must be well-formed text');

const instant = z.iso
  .datetime({ offset: true, abort: true })
  .refine(isPlausible, 'must be a time between 2000 and 2100, with Z or an offset');

const WHOLE_NUMBER = 'must be a whole number from 0 to 9007199254740991, written without point or exponent';
const FEN = `must be a whole number of fen from 0 to ${MAX_LINE_FEN}, written without point or exponent`;
const fen = z.int({ error: FEN, abort: true }).min(0, FEN).max(Number(MAX_LINE_FEN), FEN);
const version = z.int(WHOLE_NUMBER).min(0, WHOLE_NUMBER);
const QUANTITY = 'must be a whole number from 1 to 1000000';
const quantity = z.int(QUANTITY).min(1, QUANTITY).max(1_000_000, QUANTITY);

const evidenceFields = {
  clickId: name.optional(),
  couponCode: name.optional(),
  buyerNote: note.optional(),
  adzoneId: name.optional(),
  relationId: name.optional(),
  clickedAt: instant.optional(),
};

const fullLine = z.strictObject({ lineId: name, itemId: name, quantity, paidFen: fen, ...evidenceFields });

/** A line that is only named. A shop may send whole lines with every event; the facts of the paid event count. */
const namedLine = z.strictObject({
  lineId: name,
  itemId: name.optional(),
  quantity: quantity.optional(),
  paidFen: fen.optional(),
  ...evidenceFields,
});

const fullLines = distinctLines(z.array(fullLine).min(1).max(MAX_LINES));
const namedLines = distinctLines(z.array(namedLine).min(1).max(MAX_LINES));

const head = { orderId: name, occurredAt: instant, version, createdAt: instant.optional() };

const refund = z.strictObject({
  refundId: name,
  lines: distinctLines(
    z
      .array(z.strictObject({ lineId: name, refundedFen: fen }))
      .min(1)
      .max(MAX_LINES),
  ),
});

/** A refund that is requested or withdrawn. Without lines it concerns the whole order. */
const openRefund = z.strictObject({
  refundId: name,
  lines: distinctLines(
    z
      .array(z.strictObject({ lineId: name, refundedFen: fen.optional() }))
      .min(1)
      .max(MAX_LINES),
  ).optional(),
});

const shopEventSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['order.created', 'order.paid']), ...head, lines: fullLines }),
  z.strictObject({ type: z.enum(['order.received', 'order.settled']), ...head, lines: namedLines.optional() }),
  z.strictObject({
    type: z.literal('order.closed'),
    ...head,
    lines: namedLines.optional(),
    /** Everything was refunded, received lines too. */
    fullRefund: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal('order.refunded'), ...head, lines: namedLines.optional(), refund }),
  z.strictObject({
    type: z.enum(['order.refund_requested', 'order.refund_closed']),
    ...head,
    lines: namedLines.optional(),
    refund: openRefund,
  }),
]);

const shopEventsSchema = z.strictObject({ events: z.array(shopEventSchema).min(1).max(MAX_EVENTS) });

/** The body as documented: one event, or a list of them. */
export const shopMessageSchema = z.union([shopEventSchema, shopEventsSchema]);

type ShopBody = z.infer<typeof shopEventSchema>;
type NamedLine = z.infer<typeof namedLine>;

/**
 * Reads a verified body.
 *
 * @returns the events in the order given, or the faults of the body, at most 20, each with the path of its field
 *   (`events.0.lines.2.paidFen`; '' for the body itself). A body with a fault gives no event.
 */
export function readShopMessage(rawBody: Uint8Array): ShopReading {
  const body = parseBody(rawBody);
  if (body === undefined) return { ok: false, errors: [{ path: '', message: 'must be JSON in UTF-8' }] };
  const isList = typeof body === 'object' && body !== null && Object.hasOwn(body, 'events');
  const parsed = isList ? shopEventsSchema.safeParse(body) : shopEventSchema.safeParse(body);
  if (parsed.success) {
    const bodies = 'events' in parsed.data ? parsed.data.events : [parsed.data];
    return { ok: true, events: bodies.map((one) => toEvent(one)) };
  }
  return { ok: false, errors: parsed.error.issues.flatMap(faultsOf).slice(0, MAX_ERRORS) };
}

/** Each unknown field gets a fault of its own with its path, as in the rest of the API. */
function faultsOf(issue: z.core.$ZodIssue): { path: string; message: string }[] {
  const isUnknown = issue.code === 'unrecognized_keys';
  const paths = isUnknown ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  const message = isUnknown ? 'is not a field of this event' : issue.message;
  return paths.map((path) => ({
    path: path.map(String).join('.').slice(0, MAX_ERROR_LENGTH),
    message: message.slice(0, MAX_ERROR_LENGTH),
  }));
}

function toEvent(body: ShopBody): ShopEvent {
  const event: OrderEvent = {
    type: withoutPrefix(body.type),
    externalOrderId: body.orderId,
    version: BigInt(body.version),
    occurredAt: new Date(body.occurredAt),
  };
  if (body.createdAt !== undefined) event.createdAt = new Date(body.createdAt);
  if (body.type === 'order.created' || body.type === 'order.paid') {
    event.lines = body.lines.map((line) => toLine(line));
    return { event, notes: notesOf(body.lines) };
  }
  if ('refund' in body) {
    event.refund = toRefund(body.refund);
    return { event, notes: {} };
  }
  if (body.lines !== undefined) event.lineIds = body.lines.map((line) => line.lineId);
  if (body.type === 'order.closed' && body.fullRefund !== undefined) event.fullRefund = body.fullRefund;
  return { event, notes: {} };
}

function toLine(line: z.infer<typeof fullLine>): OrderLineFact {
  const { lineId, itemId, quantity: count, paidFen } = line;
  return {
    externalLineId: lineId,
    itemKeys: [`item:${itemId}`],
    quantity: count,
    paidFen: BigInt(paidFen),
    evidence: evidenceOf(line),
  };
}

function evidenceOf({ clickId, couponCode, adzoneId, relationId, clickedAt }: NamedLine): LineEvidence {
  return {
    ...(clickId === undefined ? {} : { clickId }),
    ...(couponCode === undefined ? {} : { couponCode }),
    ...(adzoneId === undefined ? {} : { adzoneId }),
    ...(relationId === undefined ? {} : { relationId }),
    ...(clickedAt === undefined ? {} : { clickedAt: new Date(clickedAt) }),
  };
}

function notesOf(lines: readonly NamedLine[]): Record<string, string> {
  const notes = lines.map((line) => [line.lineId, line.buyerNote ?? ''] as const);
  return Object.fromEntries(notes.filter(([, text]) => text !== ''));
}

function toRefund({ refundId, lines }: z.infer<typeof openRefund>): RefundFact {
  const portions = lines?.map((line) => ({ lineIds: [line.lineId], refundedFen: BigInt(line.refundedFen ?? 0) }));
  return { refundId, kind: 'refund', portions: portions ?? [{ lineIds: [], refundedFen: 0n }] };
}

function withoutPrefix(type: ShopBody['type']): OrderEvent['type'] {
  return type.slice('order.'.length) as OrderEvent['type'];
}

function distinctLines<T extends z.ZodArray<z.ZodType<{ lineId: string }>>>(lines: T): T {
  return lines.refine((items) => new Set(items.map((item) => item.lineId)).size === items.length, 'names a line twice');
}

function isPlausible(text: string): boolean {
  const at = Date.parse(text);
  return at >= EARLIEST && at < LATEST;
}

type SourceReviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;

/** Created once, because creating one costs more than decoding a message with it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A number that is not written as a whole number becomes NaN, which no field accepts: 19900.0000000000001 must not pass as 19900. */
function parseBody(rawBody: Uint8Array): unknown {
  try {
    return parseWithSource(UTF8.decode(rawBody), (_key, value, { source }) =>
      typeof value === 'number' && !/^-?\d+$/.test(source ?? '') ? Number.NaN : value,
    );
  } catch {
    return undefined;
  }
}
