import { z } from 'zod';
import { actorOf, brandScope } from '../../access/principal.ts';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import type { Server } from '../../http/server.ts';
import { type Db, inTransaction } from '../../infra/db.ts';
import { holdLine, unholdLine } from './hold.ts';

const params = z.object({ id: prefixedId('lin') });
const held = z.object({ lineId: z.string(), held: z.boolean(), note: z.string().nullable() });

/** Holds: a person keeps a line from being paid, and lets it go again. */
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
      const request = { lineId: id, brandScope: brandScope(principal), actor: actorOf(principal) };
      await inTransaction(deps.db, (tx) => holdLine(tx, { ...request, note }));
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
      const request = { lineId: id, brandScope: brandScope(principal), actor: actorOf(principal) };
      await inTransaction(deps.db, (tx) => unholdLine(tx, request));
      return { lineId: id, held: false, note: null };
    },
  );
}
