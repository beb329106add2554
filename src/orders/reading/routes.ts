import { z } from 'zod';
import { brandScope, influencerScope, type Principal } from '../../access/principal.ts';
import {
  dayOrInstant,
  endsAfterItBegins,
  instant,
  prefixedId,
  problemResponses,
  RANGE_FAULT,
} from '../../http/fields.ts';
import { decodeCursor, encodeCursor, jsonOrCsv, listOf, pageQuery, sendCsv, wantsCsv } from '../../http/list.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { findOrder, findPayeeOfInfluencer, listLinesOfOrders, listOrders, type OrderRow } from './queries.ts';
import { lineAnswer, order, type OrderAnswer, orderColumns } from './order-answer.ts';

const orderQuery = z
  .strictObject({
    ...pageQuery,
    status: z.enum(['created', 'paid', 'received', 'closed']).optional(),
    attribution: z.enum(['matched', 'unmatched', 'review']).optional(),
    disputed: z.literal('true').optional(),
    storeId: prefixedId('str').optional(),
    from: dayOrInstant.optional(),
    to: dayOrInstant.optional(),
  })
  .refine(endsAfterItBegins, RANGE_FAULT);
const cursorShape = z.tuple([instant, z.string()]);

/** Orders with their lines: the sale, its attribution and its commission. */
export async function orderRoutes(app: Server, deps: { db: Db }): Promise<void> {
  app.get(
    '/v1/orders',
    {
      config: { roles: ['brand', 'finance', 'admin'] },
      schema: {
        summary: 'Orders with lines and attribution, newest first',
        description:
          '`from` and `to` filter by payment time. `attribution` keeps orders with at least one such line, `disputed=true` those with a line whose later evidence disagrees with what stands.',
        tags: ['Orders'],
        querystring: orderQuery,
        response: { 200: jsonOrCsv(listOf(order)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, cursorShape);
      const rows = await listOrders(deps.db, {
        brandScope: brandScope(principal) ?? null,
        storeId: query.storeId ?? null,
        status: query.status ?? null,
        attribution: query.attribution ?? null,
        disputed: query.disputed === 'true',
        from: query.from ?? null,
        to: query.to ?? null,
        after: after === undefined ? null : { sortedAt: after[0], id: after[1] },
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const nextCursor =
        rows.length > page.length && last !== undefined ? encodeCursor([last.sortedAt, last.id]) : null;
      const data = await withLines(deps.db, page, principal);
      if (wantsCsv(request)) {
        if (nextCursor !== null) reply.header('next-cursor', nextCursor);
        return sendCsv(
          reply,
          data.flatMap((each) => each.lines.map((line) => ({ order: each, line }))),
          orderColumns,
        );
      }
      return { data, nextCursor };
    },
  );

  app.get(
    '/v1/orders/:id',
    {
      config: { roles: ['brand', 'finance', 'admin', 'influencer'] },
      schema: {
        summary: 'One order; an influencer sees its own lines and its own leg of the commission',
        tags: ['Orders'],
        params: z.object({ id: prefixedId('ord') }),
        response: { 200: order, ...problemResponses },
      },
    },
    async (request) => {
      const found = await findOrder(deps.db, {
        orderId: request.params.id,
        brandScope: brandScope(request.principal) ?? null,
        influencerScope: influencerScope(request.principal) ?? null,
      });
      if (found === undefined) throw problems.notFound();
      const [answer] = await withLines(deps.db, [found], request.principal);
      if (answer === undefined) throw problems.notFound();
      return answer;
    },
  );
}

async function withLines(db: Db, orders: OrderRow[], principal: Principal): Promise<OrderAnswer[]> {
  const influencerId = influencerScope(principal);
  const payeeId = influencerId === undefined ? undefined : await findPayeeOfInfluencer(db, influencerId);
  const lines = await listLinesOfOrders(db, {
    orderIds: orders.map((each) => each.id),
    payeeId: payeeId ?? null,
    influencerScope: influencerId ?? null,
  });
  const linesOf = Map.groupBy(lines, (line) => line.orderId);
  return orders.map(({ sortedAt: _sortedAt, platform, ...rest }) => ({
    ...rest,
    platform: platform as OrderAnswer['platform'],
    // A dispute names another influencer's claim, which is not this influencer's to read.
    lines: (linesOf.get(rest.id) ?? []).map((line) =>
      lineAnswer(influencerId === undefined ? line : Object.assign(line, { dispute: null })),
    ),
  }));
}
