import { z } from 'zod';
import { influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { cursorTime, decodeCursor, jsonOrCsv, listOf, pageOf, pageQuery, sendPage } from '../http/list.ts';
import { shanghaiDay } from '../core/calendar.ts';
import { canonicalCode } from '../core/links/link-code.ts';
import { prefixedId, problemResponses } from '../http/fields.ts';
import type { CsvColumn } from '../http/list.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import { changeLink } from './change-link.ts';
import { couponRoutes } from './coupons/routes.ts';
import type { EntryDomains } from './entry-domains/entry-domains.ts';
import { entryDomainRoutes } from './entry-domains/routes.ts';
import { kitRoutes } from './kit/routes.ts';
import { issueLink } from './issue-link.ts';
import type { IssueDeps } from './issue-link.ts';
import { linkAnswer, linkAnswerOf, linkBody, linkChangeBody } from './link-fields.ts';
import type { LinkAnswer } from './link-fields.ts';
import { getOwnLink } from './own-link.ts';
import { listLinks } from './queries.ts';
import type { LinkRow } from './queries.ts';
import { trackingSlotRoutes } from './tracking-slots/routes.ts';
import { visitWayRoutes } from './landing-modes/routes.ts';

export interface LinkDeps extends IssueDeps {
  /** The hosts of short links. */
  entryDomains: EntryDomains;
}

const columns: CsvColumn<LinkAnswer>[] = [
  { name: 'id', value: (link) => link.id },
  { name: 'code', value: (link) => link.code },
  { name: 'url', value: (link) => link.url },
  { name: 'aliases', value: (link) => link.aliases.join(' ') },
  { name: 'productId', value: (link) => link.productId },
  { name: 'influencerId', value: (link) => link.influencerId },
  { name: 'status', value: (link) => link.status },
  { name: 'destinationUrl', value: (link) => link.destinationUrl },
  { name: 'createdAt', value: (link) => link.createdAt },
];

const params = z.object({ code: z.string().max(128) });
const tags = ['Links'];
const linkCursor = z.tuple([cursorTime, z.string().max(64)]);

/** Links and what belongs to them: captions, tracking slots, coupons, entry domains and landing modes. */
export async function linkRoutes(app: Server, deps: LinkDeps): Promise<void> {
  issuingRoutes(app, deps);
  readingRoutes(app, deps);
  await kitRoutes(app, deps);
  await entryDomainRoutes(app, deps);
  await trackingSlotRoutes(app, deps);
  await couponRoutes(app, deps);
  await visitWayRoutes(app, deps);
}

function answerWith({ entryDomains, eligibilityRule, now }: LinkDeps): (row: LinkRow) => LinkAnswer {
  return (row) =>
    linkAnswerOf(row, { origins: entryDomains.origins(), rule: eligibilityRule, today: shanghaiDay(now()) });
}

/** Issuing links and changing them. */
function issuingRoutes(app: Server, deps: LinkDeps): void {
  const answerOf = answerWith(deps);

  app.post(
    '/v1/links',
    {
      config: { roles: ['influencer', 'admin'] },
      schema: {
        summary: 'Take a link for a product; the same pair always gives the same link',
        tags,
        body: linkBody,
        response: { 200: linkAnswer, 201: linkAnswer, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { productId, alias, influencerId } = request.body;
      const owner = ownerOf(request.principal, influencerId);
      const { isNew, link } = await issueLink(deps, { productId, alias, influencerId: owner });
      return reply.code(isNew ? 201 : 200).send(answerOf(link));
    },
  );

  app.patch(
    '/v1/links/:code',
    {
      config: { roles: ['influencer', 'brand', 'admin'] },
      schema: {
        summary: 'Pause or resume a link, or change what its visitors are shown',
        tags,
        params,
        body: linkChangeBody,
        response: { 200: linkAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const code = canonicalCode(request.params.code);
      if (code === undefined) throw problems.notFound();
      await changeLink(deps.db, request.principal, code, request.body);
      return answerOf((await getOwnLink(deps.db, request.principal, code)).link);
    },
  );
}

/** Reading an influencer's own links. */
function readingRoutes(app: Server, deps: LinkDeps): void {
  const answerOf = answerWith(deps);

  app.get(
    '/v1/links',
    {
      config: { roles: ['influencer', 'admin'] },
      schema: {
        summary: 'List links, the newest first',
        tags,
        querystring: z.strictObject({
          ...pageQuery,
          productId: prefixedId('prd').exactOptional(),
          influencerId: prefixedId('inf').exactOptional().meta({ description: 'admin keys only' }),
        }),
        response: { 200: jsonOrCsv(listOf(linkAnswer)), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { limit, cursor, productId, influencerId: wanted } = request.query;
      const own = influencerScope(request.principal);
      if (own !== undefined && wanted !== undefined) throw namesInfluencer();
      const [createdAtExact, id] = cursor === undefined ? [] : decodeCursor(cursor, linkCursor);
      const after = createdAtExact === undefined || id === undefined ? undefined : { createdAtExact, id };
      const rows = await listLinks(deps.db, { influencerId: own ?? wanted, productId, after, limit: limit + 1 });
      return sendPage(request, reply, {
        page: pageOf(rows, { limit, keyOf: (row) => [row.createdAtExact, row.id], answerOf }),
        columns,
      });
    },
  );

  app.get(
    '/v1/links/:code',
    {
      config: { roles: ['influencer', 'admin'] },
      schema: {
        summary: 'Read a link by its code or an alias',
        tags,
        params,
        response: { 200: linkAnswer, ...problemResponses },
      },
    },
    async (request) => answerOf((await getOwnLink(deps.db, request.principal, request.params.code)).link),
  );
}

function namesInfluencer(): Error {
  return problems.validationFailed([{ path: 'influencerId', message: 'only an admin key may name the influencer' }]);
}

function ownerOf(principal: Principal, named: string | undefined): string {
  const own = influencerScope(principal);
  if (own !== undefined) {
    if (named === undefined) return own;
    throw namesInfluencer();
  }
  if (named !== undefined) return named;
  throw problems.validationFailed([{ path: 'influencerId', message: 'an admin key must name the influencer' }]);
}
