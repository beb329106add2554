import { z } from 'zod';
import { actorOf, brandScope } from '../../access/principal.ts';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import type { Server } from '../../http/server.ts';
import { type Db, inTransaction } from '../../infra/db.ts';
import { repriceLine } from './reprice-line.ts';

/** Pricing a line anew, by a person and with a note. */
export async function repriceRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.post(
    '/v1/order-lines/:id/reprice',
    {
      config: { roles: ['finance', 'admin'] },
      schema: {
        summary: 'Price a line anew by the terms that now cover its sale, and book the difference',
        description:
          'Terms are copied onto a line at its first booking and stay. After a mistake in them was mended (an admin may add a version that begins in the past), this takes the copy again. Audited.',
        tags: ['Commissions'],
        params: z.object({ id: prefixedId('lin') }),
        body: z.strictObject({ note: text(500) }).meta({ examples: [{ note: '佣金率登记有误，按更正后的规则重算' }] }),
        response: {
          200: z.object({ lineId: z.string(), previousTermsId: z.string(), termsId: z.string() }),
          ...problemResponses,
        },
      },
    },
    async ({ params: { id }, body: { note }, principal }) => {
      const request = { lineId: id, brandScope: brandScope(principal), actor: actorOf(principal), note };
      return { lineId: id, ...(await inTransaction(deps.db, (tx) => repriceLine(tx, request))) };
    },
  );
}
