import { z } from 'zod';
import { prefixedId, problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { orderExplanation } from './answer.ts';
import { explainOrder } from './explain-order.ts';
import type { ExplanationDeps } from './explain-order.ts';

/** The reasons for what an order earned, down to the last posting. */
export async function explanationRoutes(app: Server, deps: ExplanationDeps): Promise<void> {
  app.get(
    '/v1/orders/:id/explanation',
    {
      config: { roles: ['brand', 'finance', 'admin', 'influencer'] },
      schema: {
        summary: 'The explanation of each line: evidence, winner, losers and why, terms, arithmetic, journal',
        description: 'An influencer sees its own lines and its own leg; what concerns others is left out.',
        tags: ['Orders'],
        params: z.object({ id: prefixedId('ord') }),
        response: { 200: orderExplanation, ...problemResponses },
      },
    },
    async ({ params, principal }) => {
      const explanation = await explainOrder(deps, principal, params.id);
      if (explanation === undefined) throw problems.notFound();
      return explanation;
    },
  );
}
