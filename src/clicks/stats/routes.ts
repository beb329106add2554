import { z } from 'zod';

import { brandScope, influencerScope } from '../../access/principal.ts';
import { VERDICTS } from '../../core/clicks/click.ts';
import { canonicalCode } from '../../core/links/link-code.ts';
import { count, dayOrInstant, fen, instant, problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db } from '../../infra/db.ts';
import { findLinkSales, findStatsLink, listFunnel, listSeries, listTagCounts } from './queries.ts';
import type { ClickCounts, FunnelCounts } from './queries.ts';

/** Limit of listed tags; the sums include all tags. */
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

const funnelOfApp = z
  .object({
    app: z.string().meta({ description: 'the app whose browser the visitor was in; `other` is a plain browser' }),
    shown: count.meta({ description: 'Middle pages served to people (clicks counted or repeated)' }),
    view: count.meta({ description: 'Pages that were seen' }),
    copy: count.meta({ description: 'Pages whose 淘口令 was copied' }),
    open: count.meta({ description: 'Pages whose button to open the shop’s app was tapped' }),
    continue: count.meta({ description: 'Visitors who went on in the browser' }),
  })
  .meta({ examples: [{ app: 'douyin', shown: 120, view: 118, copy: 31, open: 64, continue: 9 }] });
type FunnelOfApp = z.output<typeof funnelOfApp>;

const statsAnswer = z.object({
  clicks,
  orders: count.meta({ description: 'Orders with a line credited to this link' }),
  paidFen: fen,
  commissionFen: fen,
  series: z.array(clicks.extend({ from: instant })),
  byTag: z.array(clicks.extend({ tag: z.string().nullable() })),
  funnel: z.array(funnelOfApp).meta({ description: 'The middle page by app; empty where no visitor got it' }),
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

function funnelOf(rows: readonly FunnelCounts[]): FunnelOfApp[] {
  return [...Map.groupBy(rows, ({ app }) => app)].map(([app, ofApp]) => {
    const funnel: FunnelOfApp = { app, shown: 0n, view: 0n, copy: 0n, open: 0n, continue: 0n };
    for (const { step, steps } of ofApp) funnel[step] = steps;
    return funnel;
  });
}

const DESCRIPTION = `Clicks are filtered by the time of the click, in whole hours: an hour belongs to the range when it begins in it.
Orders, paidFen and commissionFen are those of lines credited to this link and paid within the range; an influencer sees its own leg of the
commission. Times without clicks are left out of \`series\`; \`byTag\` lists the ${MAX_TAGS} tags with the most counted clicks, clicks without a tag under null.
\`funnel\` counts each step of a click once, on the Shanghai day of the click, and takes every day that the range touches.`;

/** `GET /v1/links/:code/stats`: clicks and sales of a link. */
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
      // One snapshot, so that the parts of the answer agree with each other.
      const stats = await inTransaction(
        db,
        async (tx) => {
          const link = code === undefined ? undefined : await findStatsLink(tx, code, scope);
          if (link === undefined) return undefined;
          const { linkNumber, linkId, influencerId } = link;
          const payeeId = scope.influencerId === undefined ? undefined : link.payeeId;
          const series = await listSeries(tx, { linkNumber, from, to, interval });
          const tags = await listTagCounts(tx, { linkNumber, from, to, most: MAX_TAGS });
          const funnel = await listFunnel(tx, { linkNumber, from, to });
          return { series, tags, funnel, sales: await findLinkSales(tx, { influencerId, linkId, from, to, payeeId }) };
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
        funnel: funnelOf(stats.funnel),
      };
    },
  );
}
