import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { decodeCursor, encodeCursor, sendCsv, wantsCsv } from './list.ts';
import type { CsvColumn } from './list.ts';

export interface Page<Answer> {
  data: Answer[];
  nextCursor: string | null;
}

/**
 * One page of a list, from a query that asked for `limit + 1` rows: the extra row only tells that there is more.
 *
 * @param keyOf the sort key of a row, as `decodeCursor` of this list reads it back
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

/** Sends a page as JSON, or as CSV where the caller asked for it; the cursor of a CSV page stands in the `Next-Cursor` header. */
export function sendPage<Answer>(
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  { page, columns }: { page: Page<Answer>; columns: readonly CsvColumn<Answer>[] },
): FastifyReply {
  if (!wantsCsv(request)) return reply.send(page);
  if (page.nextCursor !== null) reply.header('next-cursor', page.nextCursor);
  return sendCsv(reply, page.data, columns);
}
