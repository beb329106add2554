import { z } from 'zod';
import { APPS, LANDING_MODES, type App, type LandingMode } from '../../core/vocabulary.ts';
import { actorOf, brandScope } from '../../access/principal.ts';
import type { Principal } from '../../access/principal.ts';
import { recordAudit } from '../../audit/record-audit.ts';
import { prefixedId, problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { inTransaction } from '../../infra/db.ts';
import type { Db, Queryable, Tx } from '../../infra/db.ts';
import { listOverrides, lockBrand, lockOverrides, replaceOverrides } from './queries.ts';

/** How visitors of a link are answered; the field of the link itself uses it too. */
export const landingMode = z.enum(LANDING_MODES).meta({
  description: '`direct`: redirected to the shop; `page`: shown the middle page first',
});

const byApp = z.partialRecord(z.enum(APPS), landingMode).meta({
  description:
    'By the app whose browser the visitor is in; `other` is every plain browser. For apps left out the table of landing modes decides.',
});
const overridesBody = z.strictObject({ byApp }).meta({ examples: [{ byApp: { wechat: 'direct', douyin: 'page' } }] });
const overridesAnswer = z.object({ byApp });
type Overrides = z.output<typeof overridesAnswer>;

const params = z.object({ id: prefixedId('brd') });
const tags = ['Links'];

const description = `Without an override, Taobao and Tmall links show the middle page on phones and tablets outside Alibaba’s own apps, and every other
visitor is redirected. A link’s own \`landingMode\` goes before its brand’s override for the app, and that before the operator’s. A change reaches
every process within five seconds; links that are published already keep their addresses.`;

async function readOverrides(db: Queryable, brandId: string | null): Promise<Overrides> {
  const rows = await listOverrides(db, brandId);
  // A newer program may have stored an app that this one does not know.
  const known = rows.filter(({ app }) => (APPS as readonly string[]).includes(app));
  return { byApp: Object.fromEntries(known.map((row) => [row.app, row.landingMode])) };
}

async function replaceAndAudit(
  tx: Tx,
  { brandId, principal, input }: { brandId: string | null; principal: Principal; input: Overrides },
): Promise<Overrides> {
  const before = await readOverrides(tx, brandId);
  const overrides = Object.entries(input.byApp).map(([app, mode]): { app: App; landingMode: LandingMode } => ({
    app: app as App,
    landingMode: mode,
  }));
  await replaceOverrides(tx, { brandId, overrides });
  const after = await readOverrides(tx, brandId);
  await recordAudit(tx, {
    actor: actorOf(principal),
    action: 'landing_modes.replaced',
    objectId: brandId ?? 'operator',
    brandId,
    detail: { before: before.byApp, after: after.byApp },
  });
  return after;
}

const response = { 200: overridesAnswer, ...problemResponses };

/** `/v1/brands/:id/landing-modes`: the overrides of a brand, per app. */
function brandRoutes(app: Server, { db }: { db: Db }): void {
  app.get(
    '/v1/brands/:id/landing-modes',
    {
      config: { roles: ['brand', 'admin'] },
      schema: { summary: 'The landing modes that the brand sets per app', description, tags, params, response },
    },
    async (request) => {
      const { id } = request.params;
      return inTransaction(db, async (tx) => {
        if (!(await lockBrand(tx, { brandId: id, scope: brandScope(request.principal) }))) throw problems.notFound();
        return readOverrides(tx, id);
      });
    },
  );

  app.put(
    '/v1/brands/:id/landing-modes',
    {
      config: { roles: ['brand', 'admin'] },
      schema: {
        summary: 'Replace the landing modes that the brand sets per app',
        description,
        tags,
        params,
        body: overridesBody,
        response,
      },
    },
    async (request) => {
      const { id } = request.params;
      const { principal, body: input } = request;
      return inTransaction(db, async (tx) => {
        if (!(await lockBrand(tx, { brandId: id, scope: brandScope(principal) }))) throw problems.notFound();
        return replaceAndAudit(tx, { brandId: id, principal, input });
      });
    },
  );
}

/** `/v1/brands/:id/landing-modes`, and `/v1/landing-modes` of the operator, which apply where a brand sets none. */
export async function landingModeRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  brandRoutes(app, { db });

  app.get(
    '/v1/landing-modes',
    {
      config: { roles: ['admin'] },
      schema: { summary: 'The landing modes that the operator sets per app', description, tags, response },
    },
    async () => readOverrides(db, null),
  );

  app.put(
    '/v1/landing-modes',
    {
      config: { roles: ['admin'] },
      schema: {
        summary: 'Replace the landing modes that the operator sets per app, for brands without one of their own',
        description,
        tags,
        body: overridesBody,
        response,
      },
    },
    async ({ principal, body: input }) =>
      inTransaction(db, async (tx) => {
        await lockOverrides(tx);
        return replaceAndAudit(tx, { brandId: null, principal, input });
      }),
  );
}
