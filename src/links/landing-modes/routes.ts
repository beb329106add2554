import { z } from 'zod';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import type { VisitWay } from '../../core/links/landing-mode.ts';
import { APPS } from '../../core/clicks/visitor-place.ts';
import type { App } from '../../core/clicks/visitor-place.ts';
import { prefixedId, problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Queryable, Tx } from '../../infra/db.ts';
import { listVisitWays, lockBrand, lockVisitWays, replaceVisitWays } from './queries.ts';

/** How visitors of a link are answered; also for the link itself. */
export const visitWay = z.enum(['direct', 'page']).meta({
  description: '`direct`: sent straight on; `page`: shown the middle page first',
});

const byApp = z.partialRecord(z.enum(APPS), visitWay).meta({
  description:
    'By the app whose browser the visitor is in; `other` is every plain browser. Apps left out go the usual way.',
});
const waysBody = z.strictObject({ byApp }).meta({ examples: [{ byApp: { wechat: 'direct', douyin: 'page' } }] });
const waysAnswer = z.object({ byApp });
type Ways = z.output<typeof waysAnswer>;

const params = z.object({ id: prefixedId('brd') });
const tags = ['Links'];

const description = `Without a wish, Taobao and Tmall links go through the middle page on phones and tablets outside Alibaba’s own apps, everything else
goes straight on. A link’s own \`way\` goes before its brand’s wish for the app, and that before the operator’s. A change reaches every process
within a second; links that are in videos keep their addresses.`;

async function readWays(db: Queryable, brandId: string | null): Promise<Ways> {
  const rows = await listVisitWays(db, brandId);
  // An app may be there that only a newer program knows.
  const known = rows.filter(({ app }) => (APPS as readonly string[]).includes(app));
  return { byApp: Object.fromEntries(known.map(({ app, way }) => [app, way])) };
}

async function replaceWays(
  tx: Tx,
  { brandId, principal, wanted }: { brandId: string | null; principal: Principal; wanted: Ways },
): Promise<Ways> {
  const before = await readWays(tx, brandId);
  const ways = Object.entries(wanted.byApp).map(([app, way]): { app: App; way: VisitWay } => ({
    app: app as App,
    way,
  }));
  await replaceVisitWays(tx, { brandId, ways });
  const after = await readWays(tx, brandId);
  await recordAudit(tx, {
    actor: actorOf(principal),
    action: 'landing_modes.replaced',
    objectId: brandId ?? 'operator',
    brandId,
    detail: { before: before.byApp, after: after.byApp },
  });
  return after;
}

const response = { 200: waysAnswer, ...problemResponses };

/** `/v1/brands/:id/visit-ways`: what a brand wants instead of the usual way, per app. */
function brandWayRoutes(app: Server, { db }: { db: Db }): void {
  app.get(
    '/v1/brands/:id/visit-ways',
    {
      config: { roles: ['brand', 'admin'] },
      schema: { summary: 'What the brand wants per app', description, tags, params, response },
    },
    async (request) => {
      const { id } = request.params;
      return inTransaction(db, async (tx) => {
        if (!(await lockBrand(tx, { brandId: id, scope: brandScope(request.principal) }))) throw problems.notFound();
        return readWays(tx, id);
      });
    },
  );

  app.put(
    '/v1/brands/:id/visit-ways',
    {
      config: { roles: ['brand', 'admin'] },
      schema: { summary: 'Replace what the brand wants per app', description, tags, params, body: waysBody, response },
    },
    async (request) => {
      const { id } = request.params;
      const { principal, body: wanted } = request;
      return inTransaction(db, async (tx) => {
        if (!(await lockBrand(tx, { brandId: id, scope: brandScope(principal) }))) throw problems.notFound();
        return replaceWays(tx, { brandId: id, principal, wanted });
      });
    },
  );
}

/** Both `/v1/brands/:id/visit-ways` and `/v1/visit-ways`, the operator's, which hold where a brand says nothing. */
export async function visitWayRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  brandWayRoutes(app, { db });

  app.get(
    '/v1/visit-ways',
    {
      config: { roles: ['admin'] },
      schema: { summary: 'What the operator wants per app', description, tags, response },
    },
    async () => readWays(db, null),
  );

  app.put(
    '/v1/visit-ways',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Replace what the operator wants per app, for every brand that wants nothing else',
        description,
        tags,
        body: waysBody,
        response,
      },
    },
    async ({ principal, body: wanted }) =>
      inTransaction(db, async (tx) => {
        await lockVisitWays(tx);
        return replaceWays(tx, { brandId: null, principal, wanted });
      }),
  );
}
