import { z } from 'zod';
import { actingAs } from '../../access/principal.ts';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { repriceLine } from './reprice-line.ts';

/** Repricing: a person lets a line take the terms that now cover it, with a note. */
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
      const outcome = await repriceLine(deps.db, actingAs(principal), { lineId: id, note });
      if (!outcome.ok) {
        if (outcome.reason === 'unknown_line') throw problems.notFound();
        throw problems.conflict('this line earns no commission, so there is nothing to price anew');
      }
      const { previousTermsId, termsId } = outcome;
      return { lineId: id, previousTermsId, termsId };
    },
  );
}
