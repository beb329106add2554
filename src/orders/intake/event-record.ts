import { hash } from 'node:crypto';
import { z } from 'zod';
import type { OrderEvent } from '../../core/orders/order-event.ts';
import { ORDER_EVENT_TYPES, REFUND_KINDS } from '../../core/vocabulary.ts';
import { canonicalPlainJson } from '../../platforms/json-text.ts';

/**
 * How a normalised event stands in `order_events.event`: plain JSON, amounts and versions as strings (jsonb numbers would survive, but
 * JSON.parse on the way back would not keep them exact), instants in ISO. The codec is strict in both directions, so an event that a
 * later version of the program can no longer read fails loudly instead of folding differently.
 */
const bigintText = z.codec(z.string().regex(/^\d+$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});
const instantText = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
});

const evidence = z.strictObject({
  clickId: z.string().exactOptional(),
  couponCode: z.string().exactOptional(),
  noteCodes: z.array(z.string()).exactOptional(),
  adzoneId: z.string().exactOptional(),
  relationId: z.string().exactOptional(),
  specialId: z.string().exactOptional(),
  sls: z.string().exactOptional(),
  clickedAt: instantText.exactOptional(),
});

const line = z.strictObject({
  externalLineId: z.string(),
  itemKeys: z.array(z.string()),
  quantity: z.number().int(),
  paidFen: bigintText,
  evidence,
});

const refund = z.strictObject({
  refundId: z.string(),
  kind: z.enum(REFUND_KINDS),
  portions: z.array(z.strictObject({ lineIds: z.array(z.string()), refundedFen: bigintText })),
});

const eventCodec = z.strictObject({
  type: z.enum(ORDER_EVENT_TYPES),
  externalOrderId: z.string(),
  version: bigintText,
  occurredAt: instantText,
  createdAt: instantText.exactOptional(),
  paidAt: instantText.exactOptional(),
  lines: z.array(line).exactOptional(),
  lineIds: z.array(z.string()).exactOptional(),
  fullRefund: z.boolean().exactOptional(),
  refund: refund.exactOptional(),
});

/** The JSON object to store for an event. Throws on an event that is not well formed: a bug in `platforms/`, never user input. */
export function encodeOrderEvent(event: OrderEvent): z.input<typeof eventCodec> {
  return z.encode(eventCodec, event);
}

/** The event of a stored JSON object. Throws when the row was written by an incompatible version. */
export function decodeOrderEvent(stored: unknown): OrderEvent {
  return eventCodec.parse(stored);
}

/** SHA-256 over the stored form with sorted keys: equal facts have equal fingerprints, whatever path they came by. */
export function fingerprintOf(stored: z.input<typeof eventCodec>): Buffer {
  return hash('sha256', canonicalPlainJson(stored), 'buffer');
}
