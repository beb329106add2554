import { z } from 'zod';

import { brandScope, influencerScope } from '../../access/principal.ts';
import { VERDICTS } from '../../core/click.ts';
import { canonicalCode } from '../../core/link-code.ts';
import { count, dayOrInstant, fen, instant, problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { findLinkSales, findStatsLink, listSeries, listTagCounts } from './queries.ts';
import type { ClickCounts } from './queries.ts';

/** Tags that are listed; the sums are over all of them. */
const MAX_TAGS = 200;

const notCountedVerdicts = VERDICTS.filter((verdict) => verdict !== 'counted');

const clicks = z.object({
  counted: count,
  unique: count.meta({
    description: 'Visitors with a counted click, per Shanghai day; over several days the sum of the days',
  }),
  notCounted: z
    .partialRecord(z.enum(notCountedVerdicts), count)
    .meta({ description: 'Recorded but not counted, by verdict' }),
});
type Clicks = z.output<typeof clicks>;

const statsAnswer = z.object({
  clicks,
  orders: count.meta({ description: 'Orders with a line credited to this link' }),
  paidFen: fen,
  commissionFen: fen,
  series: z.array(clicks.extend({ from: instant })),
  byTag: z.array(clicks.extend({ tag: z.string().nullable() })),
});

const querystring = z
  .strictObject({
    from: dayOrInstant.optional(),
    to: dayOrInstant.optional(),
    interval: z.enum(['hour', 'day']).default('day'),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    path: ['to'],
    error: 'must be later than from',
  });

function clicksOf(rows: readonly ClickCounts[]): Clicks {
  const total: Clicks = { counted: 0n, unique: 0n, notCounted: {} };
  for (const { verdict, clicks, uniques } of rows) {
    total.unique += uniques;
    if (verdict === 'counted') total.counted += clicks;
    else total.notCounted[verdict] = (total.notCounted[verdict] ?? 0n) + clicks;
  }
  return total;
}

const DESCRIPTION = `Clicks are filtered by the time of the click, in whole hours: an hour belongs to the range when it begins in it.
Orders, paidFen and commissionFen are those of lines credited to this link and paid within the range; an influencer sees its own leg of the
commission. Times without clicks are left out of \`series\`; \`byTag\` lists the ${MAX_TAGS} tags with the most counted clicks, clicks without a tag under null.`;

/** `GET /v1/links/:code/stats`: what a link brought. */
export async function linkStatsRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  app.get(
    '/v1/links/:code/stats',
    {
      config: { roles: ['influencer', 'brand', 'finance', 'admin'] },
      schema: {
        summary: 'Clicks and sales of a link',
        description: DESCRIPTION,
        tags: ['Links'],
        params: z.object({ code: z.string().max(128) }),
        querystring,
        response: { 200: statsAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const { from, to, interval } = request.query;
      const scope = { brandId: brandScope(request.principal), influencerId: influencerScope(request.principal) };
      const code = canonicalCode(request.params.code);
      // One snapshot: the parts of the answer agree with each other.
      const stats = await inTransaction(
        db,
        async (tx) => {
          const link = code === undefined ? undefined : await findStatsLink(tx, code, scope);
          if (link === undefined) return undefined;
          const { linkNumber, linkId, influencerId } = link;
          const payeeId = scope.influencerId === undefined ? undefined : link.payeeId;
          const series = await listSeries(tx, { linkNumber, from, to, interval });
          const tags = await listTagCounts(tx, { linkNumber, from, to, most: MAX_TAGS });
          return { series, tags, sales: await findLinkSales(tx, { influencerId, linkId, from, to, payeeId }) };
        },
        { isolation: 'repeatable read' },
      );
      if (stats === undefined) throw problems.notFound();
      const byTime = Map.groupBy(stats.series, (row) => row.from.getTime());
      const byTag = Map.groupBy(stats.tags, (row) => row.tag);
      return {
        clicks: clicksOf(stats.series),
        ...stats.sales,
        series: [...byTime].map(([atMs, rows]) => ({ from: new Date(atMs), ...clicksOf(rows) })),
        byTag: [...byTag].map(([tag, rows]) => ({ tag: tag === '' ? null : tag, ...clicksOf(rows) })),
      };
    },
  );
}
