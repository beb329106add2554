import { z } from 'zod';
import { influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { cursorTime, decodeCursor, jsonOrCsv, listOf, pageOf, pageQuery, sendPage } from '../http/list.ts';
import { shanghaiDay } from '../core/calendar.ts';
import { canonicalCode, canonicalTag } from '../core/links/link-code.ts';
import { prefixedId, problemResponses } from '../http/fields.ts';
import type { CsvColumn } from '../http/list.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { changeLink } from './change-link.ts';
import { firstOrigin } from './entry-domains/entry-domains.ts';
import type { EntryDomains } from './entry-domains/entry-domains.ts';
import { entryDomainRoutes } from './entry-domains/routes.ts';
import { findOwnLink } from './find-link.ts';
import { issueLink } from './issue-link.ts';
import type { IssueDeps, IssueRefusal } from './issue-link.ts';
import { captionKit, captionKitOf } from './kit/caption-kit.ts';
import { landingModeRoutes } from './landing-modes/routes.ts';
import { leaseRoutes } from './leases/routes.ts';
import { linkAnswer, linkAnswerOf, linkBody, linkChangeBody } from './link-fields.ts';
import type { LinkAnswer } from './link-fields.ts';
import { listLinks } from './queries.ts';
import type { LinkRow } from './queries.ts';

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
const listCursor = z.tuple([cursorTime, prefixedId('lnk')]);

/** Links, and with them caption kits, tracking slots, coupons, entry domains and landing modes. */
export async function linkRoutes(app: Server, deps: LinkDeps): Promise<void> {
  issuingRoutes(app, deps);
  readingRoutes(app, deps);
  kitRoute(app, deps);
  await entryDomainRoutes(app, deps);
  await leaseRoutes(app, deps);
  await landingModeRoutes(app, deps);
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
      const outcome = await issueLink(deps, { productId, alias, influencerId: owner });
      if (!outcome.ok) throw issueProblem(outcome);
      return reply.code(outcome.isNew ? 201 : 200).send(answerOf(outcome.link));
    },
  );

  app.patch(
    '/v1/links/:code',
    {
      config: { roles: ['influencer', 'brand', 'admin'] },
      schema: {
        summary: 'Pause or resume a link, or change what its visitors see',
        tags,
        params,
        body: linkChangeBody,
        response: { 200: linkAnswer, ...problemResponses },
      },
    },
    async (request) => {
      const code = canonicalCode(request.params.code);
      if (code === undefined) throw problems.notFound();
      const outcome = await changeLink(deps.db, request.principal, code, request.body);
      if (outcome !== 'changed') throw outcome === 'forbidden' ? problems.forbidden() : problems.notFound();
      return answerOf((await getOwnLink(deps.db, request.principal, code)).link);
    },
  );
}

/** Reading the links of an influencer. */
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
      const { limit, cursor, productId, influencerId: named } = request.query;
      const own = influencerScope(request.principal);
      if (own !== undefined && named !== undefined) throw namesInfluencer();
      const after = cursor === undefined ? undefined : decodeCursor(cursor, listCursor);
      const rows = await listLinks(deps.db, { influencerId: own ?? named, productId, after, limit: limit + 1 });
      return sendPage(request, reply, {
        page: pageOf(rows, { limit, keyOf: (row) => [row.cursorTime, row.id], answerOf }),
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

/** `GET /v1/links/:code/kit?tag=…`: texts and pictures for one video. */
function kitRoute(app: Server, { db, entryDomains }: Pick<LinkDeps, 'db' | 'entryDomains'>): void {
  app.get(
    '/v1/links/:code/kit',
    {
      config: { roles: ['influencer', 'admin'] },
      schema: {
        summary: 'Texts and pictures to publish a link with; a tag makes them those of one video',
        tags,
        params,
        querystring: z.strictObject({
          tag: z.string().max(64).exactOptional().meta({ description: 'the video: 1 to 32 of a-z, 0-9, - and _' }),
        }),
        response: { 200: captionKit, ...problemResponses },
      },
    },
    async (request) => {
      const { tag: rawTag } = request.query;
      const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
      if (rawTag !== undefined && tag === undefined)
        throw problems.validationFailed([{ path: 'tag', message: 'must be 1 to 32 of a-z, 0-9, - and _' }]);
      // A kit for an alias shows the alias, because the influencer publishes the spelling that was requested.
      const { link, requestedCode } = await getOwnLink(db, request.principal, request.params.code);
      return captionKitOf({ ...link, origin: firstOrigin(entryDomains), code: requestedCode, tag });
    },
  );
}

/** As `findOwnLink`. @throws Problem not_found */
async function getOwnLink(
  db: Db,
  principal: Principal,
  text: string,
): Promise<{ link: LinkRow; requestedCode: string }> {
  const found = await findOwnLink(db, principal, text);
  if (found === undefined) throw problems.notFound();
  return found;
}

function issueProblem(refusal: IssueRefusal): Error {
  switch (refusal.reason) {
    case 'not_found':
      return problems.notFound();
    case 'store_not_eligible':
      return problems.storeNotEligible(refusal.reasons);
    case 'alias_reserved':
      return problems.aliasReserved(refusal.alias);
    case 'alias_taken':
      return problems.aliasTaken(refusal.alias);
    default:
      return problems.validationFailed([
        { path: 'alias', message: 'must be 4 to 32 of a-z, 0-9 and -, with a letter or digit at both ends' },
      ]);
  }
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
