import assert from 'node:assert/strict';
import { z } from 'zod';
import { dayOrInstant, endsAfterItBegins, problemResponses, RANGE_FAULT } from '../../http/fields.ts';
import { type CsvColumn, jsonOrCsv, sendCsv, wantsCsv } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import {
  buyerFields,
  commissionFilter,
  commissionFilterQuery,
  POSITION_COLUMNS,
  positionFields,
  requireCovered,
} from '../route-fields.ts';
import { findCoverage } from '../seal/sealer.ts';
import { FIELD_OF_GROUPING, type GroupField, type Grouping, GROUPINGS, sumTotals, type TotalsRow } from './queries.ts';

/** More rows than a person or a spreadsheet reads; a query with more is refused with the advice to narrow it. */
const MAX_ROWS = 20_000;

const figures = { orders: z.int(), lines: z.int(), ...buyerFields, ...positionFields };
const group = z.string().nullable().optional();
const groups = Object.fromEntries(Object.values(FIELD_OF_GROUPING).map((field) => [field, group])) as Record<
  GroupField,
  typeof group
>;
const row = z.object({ ...groups, ...figures });
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
    timeBasis: z.enum(['paid', 'posted']).default('paid'),
    asOf: dayOrInstant.optional(),
  })
  .refine(endsAfterItBegins, RANGE_FAULT);

/** The sums that finance signs. */
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
      requireCovered(await findCoverage(deps.db, query.asOf));
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
      assert(total !== undefined, 'the total is always there');
      return { data, total: answerRow(total, []) };
    },
  );
}

/** A row with the groups requested (null where the sale has none, such as a tag) and no others. */
function answerRow({ isTotal: _isTotal, ...sums }: TotalsRow, groupings: readonly Grouping[]): Row {
  const others = GROUPINGS.filter((name) => !groupings.includes(name)).map((name) => [
    FIELD_OF_GROUPING[name],
    undefined,
  ]);
  return { ...sums, ...Object.fromEntries(others), orders: Number(sums.orders), lines: Number(sums.lines) };
}

function columnsFor(groupings: readonly Grouping[]): CsvColumn<Row>[] {
  const fields = groupings.map((name) => FIELD_OF_GROUPING[name]);
  const names = [...fields, 'orders', 'lines', 'paidFen', 'refundedFen', ...POSITION_COLUMNS] as const;
  return names.map((name) => ({ name, value: (each) => each[name] }));
}
