import { z } from 'zod';
import { ACCOUNT_KINDS } from '../../core/vocabulary.ts';
import { brandScope, influencerScope } from '../../access/principal.ts';
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
  pageQuery,
  sendCsv,
  wantsCsv,
} from '../../http/list.ts';
import { pageOf, sendPage } from '../../http/list-page.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { requireSealed } from '../as-of.ts';
import { BALANCE_COLUMNS, balanceFields } from '../figures.ts';
import { type JournalEntryRow, listBalances, listJournal, payeeExists } from './queries.ts';

const entry = z.object({
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
type JournalEntry = z.output<typeof entry>;

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

const balance = z.object({ brandId: z.string(), ...balanceFields });
type Balance = z.output<typeof balance>;

function answerEntry({ postedAtExact: _cursor, sequence, ...row }: JournalEntryRow): JournalEntry {
  return { ...row, sequence: sequence === null ? null : Number(sequence) };
}

const entryColumns = (Object.keys(entry.shape) as (keyof JournalEntry)[]).map((name): CsvColumn<JournalEntry> => ({
  name,
  value: (row) => row[name],
}));
const balanceColumns = (['brandId', ...BALANCE_COLUMNS] as const).map((name): CsvColumn<Balance> => ({
  name,
  value: (row) => row[name],
}));

/** The entries behind every total, and what each payee has. */
export async function journalRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.get(
    '/v1/journal',
    {
      config: { roles: ['finance', 'admin'] },
      schema: {
        summary: 'Journal entries in the order they were posted',
        description: '`from` and `to` filter by posting time. Debit is positive; every journal sums to 0.',
        tags: ['Commissions'],
        querystring: journalQuery,
        response: { 200: jsonOrCsv(listOf(entry)), ...problemResponses },
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
        answerOf: answerEntry,
      });
      return sendPage(request, reply, { page, columns: entryColumns });
    },
  );

  app.get(
    '/v1/payees/:id/balance',
    {
      config: { roles: ['finance', 'admin', 'influencer'] },
      schema: {
        summary: 'What a payee has, one row a brand, now or as of any sealed instant',
        description:
          'commissionFen = pendingFen + payableFen + inPayoutFen + paidOutFen − debtFen. Debt nets only inside its brand.',
        tags: ['Commissions'],
        params: z.object({ id: prefixedId('pye') }),
        querystring: z.strictObject({ asOf: dayOrInstant.optional() }),
        response: { 200: jsonOrCsv(z.object({ data: z.array(balance) })), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { params, query, principal } = request;
      const scope = {
        payeeId: params.id,
        influencerScope: influencerScope(principal) ?? null,
        brandScope: brandScope(principal) ?? null,
      };
      if (!(await payeeExists(deps.db, scope))) throw problems.notFound();
      await requireSealed(deps.db, query.asOf);
      const data = await listBalances(deps.db, { ...scope, asOf: query.asOf ?? null });
      if (wantsCsv(request)) return sendCsv(reply, data, balanceColumns);
      return { data };
    },
  );
}
