import { z } from 'zod';
import { brandScope } from '../../access/principal.ts';
import { ACCOUNT_KINDS } from '../../core/money/accounts.ts';
import {
  dayOrInstant,
  endsAfterItBegins,
  fen,
  instant,
  prefixedId,
  problemResponses,
  RANGE_FAULT,
} from '../../http/fields.ts';
import {
  type CsvColumn,
  cursorTime,
  decodeCursor,
  jsonOrCsv,
  listOf,
  pageOf,
  pageQuery,
  sendPage,
} from '../../http/list.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { type JournalRow, listJournal } from './queries.ts';

const posting = z.object({
  journalId: z.string(),
  position: z.int(),
  kind: z.string(),
  postedAt: instant,
  sequence: z
    .int()
    .nullable()
    .meta({ description: 'place in the sealed chain of the brand; null for a second after posting' }),
  brandId: z.string(),
  payeeId: z.string(),
  account: z.enum(ACCOUNT_KINDS),
  amountFen: fen.meta({ description: 'fen, debit positive' }),
  reversedDeltaFen: fen,
  lineId: z.string().nullable(),
  orderId: z.string().nullable(),
  influencerId: z.string().nullable(),
  linkId: z.string().nullable(),
  productId: z.string().nullable(),
});
type JournalPosting = z.output<typeof posting>;

const journalQuery = z
  .strictObject({
    ...pageQuery,
    lineId: prefixedId('lin').optional(),
    brandId: prefixedId('brd').optional(),
    payeeId: prefixedId('pye').optional(),
    account: z.enum(ACCOUNT_KINDS).optional(),
    from: dayOrInstant.optional(),
    to: dayOrInstant.optional(),
  })
  .refine(endsAfterItBegins, RANGE_FAULT);
const cursorShape = z.tuple([cursorTime, z.string().max(64), z.int().min(0).max(2_147_483_647)]);

function answerPosting({ postedAtExact: _cursor, sequence, ...row }: JournalRow): JournalPosting {
  return { ...row, sequence: sequence === null ? null : Number(sequence) };
}

const postingColumns = (Object.keys(posting.shape) as (keyof JournalPosting)[]).map(
  (name): CsvColumn<JournalPosting> => ({
    name,
    value: (row) => row[name],
  }),
);

/** The postings behind every total. */
export async function journalRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.get(
    '/v1/journal',
    {
      config: { roles: ['finance', 'admin'] },
      schema: {
        summary: 'Journal entries in the order they were posted, one row a posting',
        description: '`from` and `to` filter by posting time. Debit is positive; every journal sums to 0.',
        tags: ['Commissions'],
        querystring: journalQuery,
        response: { 200: jsonOrCsv(listOf(posting)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, cursorShape);
      const rows = await listJournal(deps.db, {
        brandScope: brandScope(principal) ?? null,
        brandId: query.brandId ?? null,
        lineId: query.lineId ?? null,
        payeeId: query.payeeId ?? null,
        account: query.account ?? null,
        from: query.from ?? null,
        to: query.to ?? null,
        after: after === undefined ? null : { postedAtExact: after[0], journalId: after[1], position: after[2] },
        limit: query.limit + 1,
      });
      const page = pageOf(rows, {
        limit: query.limit,
        keyOf: (row) => [row.postedAtExact, row.journalId, row.position],
        answerOf: answerPosting,
      });
      return sendPage(request, reply, { page, columns: postingColumns });
    },
  );
}
