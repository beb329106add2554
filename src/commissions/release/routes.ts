import { z } from 'zod';
import { actingAs } from '../../access/principal.ts';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import { type Problem, problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { holdLine, type HoldRefusal, unholdLine } from './hold.ts';

const params = z.object({ id: prefixedId('lin') });
const held = z.object({ lineId: z.string(), held: z.boolean(), note: z.string().nullable() });

/** Holds: a person keeps a line from being paid, and releases it again. */
export async function holdRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.post(
    '/v1/order-lines/:id/hold',
    {
      config: { roles: ['finance', 'admin'] },
      schema: {
        summary: 'Hold a line back: it is not released, and what was payable of it is pending again',
        tags: ['Commissions'],
        params,
        body: z.strictObject({ note: text(500) }).meta({ examples: [{ note: '买家投诉，核实中' }] }),
        response: { 200: held, ...problemResponses },
      },
    },
    async ({ params: { id }, body: { note }, principal }) => {
      const outcome = await holdLine(deps.db, actingAs(principal), { lineId: id, note });
      if (!outcome.ok) throw refusalProblem(outcome);
      return { lineId: id, held: true, note };
    },
  );

  app.delete(
    '/v1/order-lines/:id/hold',
    {
      config: { roles: ['finance', 'admin'] },
      schema: {
        summary: 'Take the hold off a line; it is released again once it is due',
        tags: ['Commissions'],
        params,
        response: { 200: held, ...problemResponses },
      },
    },
    async ({ params: { id }, principal }) => {
      const outcome = await unholdLine(deps.db, actingAs(principal), id);
      if (!outcome.ok) throw refusalProblem(outcome);
      return { lineId: id, held: false, note: null };
    },
  );
}

function refusalProblem({ reason }: HoldRefusal): Problem {
  if (reason !== 'never_earned') return problems.notFound();
  return problems.conflict('this line has never earned a commission, so there is nothing to hold');
}
