import type { FastifyReply, FastifyRequest } from 'fastify';
import { stringify } from 'csv-stringify';
import { Readable, pipeline } from 'node:stream';
import { z } from 'zod';

import { isStorableText } from './fields.ts';
import { problems } from './problem.ts';

/** Query fields of every list; spread them: `z.strictObject({ ...pageQuery, status: … })`. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1000).optional(),
};

/** The answer of a list as JSON: `{ data, nextCursor }`. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ data: z.array(item), nextCursor: z.string().nullable() });
}

/** The 200 of a route that also answers CSV, for `response`: JSON by this schema, or text/csv. */
export function jsonOrCsv<Body extends z.ZodType>(body: Body) {
  return {
    description:
      'JSON, or CSV with `Accept: text/csv`; where a list goes on, its CSV has the cursor in the header `Next-Cursor`',
    content: { 'application/json': { schema: body }, 'text/csv': { schema: z.string() } },
  };
}

/**
 * The place after the last row of a page: the values of the sort key, in order.
 *
 * Dates become ISO texts and bigints digits. A timestamptz has microseconds and a Date has not: sort by id, or put the timestamp's own text
 * (`cursorTime`) into the key, or rows are skipped.
 */
export function encodeCursor(values: readonly unknown[]): string {
  const json = JSON.stringify(values, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return Buffer.from(json, 'utf8').toString('base64url');
}

/**
 * Reads a cursor back by a zod tuple (`z.tuple([instant, z.string()])`).
 *
 * @throws Problem validation_failed on anything that is not a cursor of this shape: callers can forge one
 */
export function decodeCursor<Shape extends z.ZodType>(cursor: string, shape: Shape): z.output<Shape> {
  const refused = problems.validationFailed([{ path: 'cursor', message: 'is not a cursor of this list' }]);
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refused;
  }
  const storable = Array.isArray(values) && values.every((value) => typeof value !== 'string' || isStorableText(value));
  const parsed = storable ? shape.safeParse(values) : undefined;
  if (parsed === undefined || !parsed.success) throw refused;
  return parsed.data;
}

/** A bigint inside a cursor: digits ↔ bigint within int8. */
export const cursorBigint = z.codec(
  z.string().regex(/^-?\d{1,19}$/),
  z
    .bigint()
    .min(-(2n ** 63n))
    .max(2n ** 63n - 1n),
  { decode: (digits) => BigInt(digits), encode: (value) => value.toString() },
);

/**
 * A timestamptz inside a cursor, as text that keeps the microseconds. Postgres has no year 0, which ISO 8601 has. Select it as
 * `to_char(t.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')` and pass it back as `$1::timestamptz`.
 */
export const cursorTime = z.iso.datetime().refine((time) => time >= '1970');

/** Whether the caller accepts CSV rather than JSON. */
export function wantsCsv(request: Pick<FastifyRequest, 'headers'>): boolean {
  const accepted = (request.headers.accept ?? '').toLowerCase().split(',');
  const quality = (wanted: readonly string[]): number =>
    Math.max(
      0,
      ...accepted.map((range) => {
        const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
        if (!wanted.includes(name)) return 0;
        const q = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1');
        return Number.isFinite(q) ? q : 0;
      }),
    );
  const csv = quality(['text/csv']);
  return csv > 0 && csv >= quality(['application/json']);
}

export type CsvValue = string | number | bigint | boolean | Date | null | undefined;

/** One column: its heading (the JSON name of the field) and the value of a row. */
export interface CsvColumn<Row> {
  name: string;
  value: (row: Row) => CsvValue;
}

/** A cell as text. Numbers and dates are written as they are; only text from outside can hold a formula. */
function cellText(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

/** A cell that a spreadsheet would run as a formula: also behind blanks, and in the full-width forms that it folds (＝ ＋ － ＠). */
const FORMULA = /^[\s\u00a0\ufeff]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

function safeCell(value: CsvValue): string {
  const cell = cellText(value);
  return typeof value === 'string' && FORMULA.test(cell) ? `'${cell}` : cell;
}

/** The part of a reply that `sendCsv` uses, so that routes with a typed reply fit too. */
type CsvReply = Pick<FastifyReply, 'type'> & { send(payload: never): unknown };

/**
 * Answers rows as CSV: UTF-8 with BOM, so that spreadsheet programs show Chinese; CRLF; safe against formula injection. Rows are streamed, so
 * a long list is not in memory twice; pass an async iterable for one that should not be in memory at all.
 *
 * Use as `if (wantsCsv(request)) return sendCsv(reply, rows, columns);`
 */
export function sendCsv<Row>(
  reply: CsvReply,
  rows: Iterable<Row> | AsyncIterable<Row>,
  columns: readonly CsvColumn<Row>[],
): FastifyReply {
  const csv = stringify({
    bom: true,
    header: true,
    columns: columns.map((column) => column.name),
    record_delimiter: 'windows',
  });
  async function* records(): AsyncGenerator<string[]> {
    for await (const row of rows) yield columns.map((column) => safeCell(column.value(row)));
  }
  // A fault in the rows destroys the answer half-way, so the client sees a broken transfer and not a short file. Fastify logs the fault.
  pipeline(Readable.from(records()), csv, () => {});
  reply.type('text/csv; charset=utf-8');
  return reply.send(csv as never) as FastifyReply;
}

export interface Page<Answer> {
  data: Answer[];
  nextCursor: string | null;
}

/**
 * One page of a list, from a query with `limit + 1` rows: the extra row only shows that there is a next page.
 *
 * @param keyOf  the sort key of a row, as `decodeCursor` of this list reads it back
 */
export function pageOf<Row, Answer>(
  rows: readonly Row[],
  { limit, keyOf, answerOf }: { limit: number; keyOf: (row: Row) => unknown[]; answerOf: (row: Row) => Answer },
): Page<Answer> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { data: kept.map(answerOf), nextCursor };
}

const idCursor = z.tuple([z.string().max(64)]);

/** The id after which a page of a list sorted by id begins. @throws Problem validation_failed on a forged cursor */
export function readIdCursor(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : decodeCursor(cursor, idCursor)[0];
}

/** Sends a page as JSON, or as CSV for `Accept: text/csv`; the cursor of a CSV page stands in the `Next-Cursor` header. */
export function sendPage<Answer>(
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  { page, columns }: { page: Page<Answer>; columns: readonly CsvColumn<Answer>[] },
): FastifyReply {
  if (!wantsCsv(request)) return reply.send(page);
  if (page.nextCursor !== null) reply.header('next-cursor', page.nextCursor);
  return sendCsv(reply, page.data, columns);
}
