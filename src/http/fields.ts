import { z } from 'zod';

import { dayToInstant, isDay } from '../core/calendar.ts';
import { fenToJson } from '../core/money/money.ts';
import type { IdPrefix } from './new-id.ts';

/**
 * Building blocks of request and answer schemas.
 *
 * All two-way blocks are zod codecs: a request is decoded (JSON → our value), an answer is encoded (our value → JSON), so one schema serves
 * both and OpenAPI shows the JSON side. Do not use `.transform()` in an answer, because it cannot be encoded.
 */

/** No NUL and no lone surrogate: Postgres refuses the first in text and both in jsonb, which would end as a 500. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Trimmed text of 1 to `maxLength` characters that Postgres can store. */
export function text(maxLength: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .refine(isStorableText, { error: 'must not contain NUL or broken characters' });
}

/** Money: a JSON integer of fen ↔ bigint. A request may not send a negative amount; an answer may show one (a correction in a total). */
export const fen = z
  .codec(z.int(), z.bigint(), {
    decode: (amount, context) => {
      if (amount >= 0) return BigInt(amount);
      context.issues.push({ code: 'custom', message: 'must be 0 or more', input: amount });
      return z.NEVER;
    },
    encode: (amountFen) => fenToJson(amountFen),
  })
  .meta({ description: 'fen (1/100 yuan)' });

/** A count or quantity of an int8 column: JSON integer ↔ bigint, never negative. */
export const count = z.codec(z.int().min(0), z.bigint().min(0n), {
  decode: (value) => BigInt(value),
  encode: (value) => fenToJson(value),
});

/** Basis points, 0 to 9000 (150 = 1.5 %). */
export const rateBp = z.int().min(0).max(9000).meta({ description: 'basis points (150 = 1.5 %)' });

const EARLIEST = new Date('1970-01-01T00:00:00Z');
const LATEST = new Date('9999-12-31T00:00:00Z');

/** An instant: ISO 8601 with a zone in requests, UTC with `Z` in answers ↔ Date. */
export const instant = z.codec(z.iso.datetime({ offset: true }), z.date().min(EARLIEST).max(LATEST), {
  decode: (iso) => new Date(iso),
  encode: (date) => date.toISOString(),
});

/** A calendar day of Asia/Shanghai, `2026-11-22`; text on both sides. */
export const day = z.string().refine(isDay, { error: 'must be a real day, as 2026-11-22' }).meta({ format: 'date' });

/** `from` and `to`: an instant, or a day, which means its 00:00 +08:00 → Date. Requests only. */
export const dayOrInstant = z
  .union([day, z.iso.datetime({ offset: true })])
  .transform((value) => (isDay(value) ? dayToInstant(value) : new Date(value)))
  .pipe(z.date().min(EARLIEST).max(LATEST));

/**
 * Refuses a range that ends before it begins, in queries with `from` and `to`: it is a mistake that an empty list or a total of 0 would hide.
 * An empty range is allowed.
 */
export function endsAfterItBegins({ from, to }: { from?: Date | undefined; to?: Date | undefined }): boolean {
  return from === undefined || to === undefined || from <= to;
}
export const RANGE_FAULT = { path: ['to'], error: 'must not be before from' };

/** An id with its prefix, `brd_…`; the rest is opaque. In a path, an id that does not fit answers 404 as an unknown one does. */
export function prefixedId(prefix: IdPrefix) {
  return z
    .string()
    .regex(new RegExp(`^${prefix}_[a-z0-9_]{1,48}$`), { error: `must be an id that starts with ${prefix}_` });
}

/** Problems of an object that a person should look at; the object goes on working. */
export const troubles = z.array(z.object({ code: z.string(), since: instant, detail: z.string() })).meta({
  description:
    'what is wrong and since when; nothing is paused by it. `destination_broken`: the page it leads to was gone at every check',
  examples: [
    [
      {
        code: 'destination_broken',
        since: '2026-11-22T03:04:05.000Z',
        detail: 'The shop answers that the page does not exist (404).',
      },
    ],
  ],
});

/** The body of every error answer under /v1 and /hooks. */
export const problemBody = z
  .object({
    type: z.url(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ description: 'RFC 9457 problem details' });

const problemAnswer = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemBody } },
});

/** Spread into `response` of every route: `response: { 201: brand, ...problemResponses }`. */
export const problemResponses = {
  '4xx': problemAnswer('The request was refused; nothing changed.'),
  '5xx': problemAnswer('A fault of ours; the request may be repeated.'),
};
