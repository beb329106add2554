import { z } from 'zod';
import { TIME_BASES } from '../../core/vocabulary.ts';
import { dayOrInstant, endsAfterItBegins, problemResponses, RANGE_FAULT } from '../../http/fields.ts';
import { type CsvColumn, jsonOrCsv, sendCsv, wantsCsv } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { requireSealed } from '../as-of.ts';
import { commissionFilter, commissionFilterQuery } from '../commission-filter.ts';
import { BALANCE_COLUMNS, balanceFields, buyerFields } from '../figures.ts';
import { type Grouping, GROUPINGS, sumTotals, type TotalsRow } from './queries.ts';

/** More rows than a person or a spreadsheet reads; beyond it the caller is asked to narrow. */
const MAX_ROWS = 20_000;

/** The field of a row that holds the value of a grouping. */
const FIELD_OF = {
  influencer: 'influencerId',
  brand: 'brandId',
  store: 'storeId',
  product: 'productId',
  link: 'linkId',
  tag: 'tag',
  platform: 'platform',
  method: 'method',
  month: 'month',
  day: 'day',
  stage: 'stage',
} as const satisfies Record<Grouping, keyof TotalsRow>;

const figures = { orders: z.int(), lines: z.int(), ...buyerFields, ...balanceFields };
const group = z.string().nullable().optional();
const row = z.object({
  influencerId: group,
  brandId: group,
  storeId: group,
  productId: group,
  linkId: group,
  tag: group,
  platform: group,
  method: group,
  month: group,
  day: group,
  stage: group,
  ...figures,
});
type Row = z.output<typeof row>;

const totals = z.object({ data: z.array(row), total: z.object(figures) });

const groupBy = z
  .string()
  .max(200)
  .transform((text) => [...new Set(text.split(',').map((name) => name.trim()))])
  .pipe(z.array(z.enum(GROUPINGS)))
  .meta({ description: `Comma-separated, any of ${GROUPINGS.join(', ')}`, example: 'influencer,month' });

const totalsQuery = z
  .strictObject({
    ...commissionFilterQuery,
    groupBy: groupBy.optional(),
    timeBasis: z.enum(TIME_BASES).default('paid'),
    asOf: dayOrInstant.optional(),
  })
  .refine(endsAfterItBegins, RANGE_FAULT);

/** The sums finance signs. */
export async function totalsRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.get(
    '/v1/commissions/totals',
    {
      config: { roles: ['finance', 'brand', 'influencer', 'admin'] },
      schema: {
        summary: 'Commission totals, by any grouping, now or as of any sealed instant',
        description:
          'Sums over the journal. `from` and `to` filter by payment time, or by posting time with `timeBasis=posted`; months and days are ' +
          'Asia/Shanghai’s. Every row and the total hold commissionFen = pendingFen + payableFen + inPayoutFen + paidOutFen − debtFen; ' +
          'rows add up to the total in everything but `orders`, which counts an order once in each. An influencer sees its own leg. ' +
          'CSV holds the rows without the total.',
        tags: ['Commissions'],
        querystring: totalsQuery,
        response: { 200: jsonOrCsv(totals), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const groupings = query.groupBy ?? [];
      await requireSealed(deps.db, query.asOf);
      const rows = await sumTotals(deps.db, {
        ...commissionFilter(principal, query),
        groupBy: groupings,
        timeBasis: query.timeBasis,
        asOf: query.asOf ?? null,
        limit: MAX_ROWS,
      });
      const data = rows.filter(({ isTotal }) => !isTotal).map((each) => answerRow(each, groupings));
      if (data.length > MAX_ROWS) {
        throw problems.validationFailed(`These are more than ${MAX_ROWS} rows; group by less, or narrow from and to.`);
      }
      if (wantsCsv(request)) return sendCsv(reply, data, columnsFor(groupings));
      const total = rows.find(({ isTotal }) => isTotal);
      if (total === undefined) throw new Error('totals without their total');
      return { data, total: answerRow(total, []) };
    },
  );
}

/** A row with the groups asked for (null where the sale has none, such as a tag) and no others. */
function answerRow(from: TotalsRow, groupings: readonly Grouping[]): Row {
  const groups = Object.fromEntries(groupings.map((name) => [FIELD_OF[name], from[FIELD_OF[name]]]));
  const { paidFen, refundedFen, commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen, reversedFen } =
    from;
  return {
    ...groups,
    orders: Number(from.orders),
    lines: Number(from.lines),
    paidFen,
    refundedFen,
    commissionFen,
    pendingFen,
    payableFen,
    inPayoutFen,
    paidOutFen,
    debtFen,
    reversedFen,
  };
}

function columnsFor(groupings: readonly Grouping[]): CsvColumn<Row>[] {
  const fields = groupings.map((name) => FIELD_OF[name]);
  const names = [...fields, 'orders', 'lines', 'paidFen', 'refundedFen', ...BALANCE_COLUMNS] as const;
  return names.map((name) => ({ name, value: (each) => each[name] }));
}
