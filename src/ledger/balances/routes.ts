import { z } from 'zod';
import { brandScope, influencerScope } from '../../access/principal.ts';
import { dayOrInstant, prefixedId, problemResponses } from '../../http/fields.ts';
import { type CsvColumn, jsonOrCsv, sendCsv, wantsCsv } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { POSITION_COLUMNS, positionFields, requireCovered } from '../route-fields.ts';
import { findCoverage } from '../seal/sealer.ts';
import { listBalances, payeeExists } from './queries.ts';

const balance = z.object({ brandId: z.string(), ...positionFields });
type Balance = z.output<typeof balance>;

const balanceColumns = (['brandId', ...POSITION_COLUMNS] as const).map((name): CsvColumn<Balance> => ({
  name,
  value: (row) => row[name],
}));

/** What each payee has. */
export async function balanceRoutes(app: Server, deps: { db: Db }): Promise<void> {
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
      requireCovered(await findCoverage(deps.db, query.asOf));
      const data = await listBalances(deps.db, { ...scope, asOf: query.asOf ?? null });
      if (wantsCsv(request)) return sendCsv(reply, data, balanceColumns);
      return { data };
    },
  );
}
