import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { canonicalCode, canonicalTag } from '../../core/links/link-code.ts';
import type { MissBudget } from '../unknown-code-limit.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { firstOrigin } from '../../links/entry-domains/entry-domains.ts';
import type { EntryDomains } from '../../links/entry-domains/entry-domains.ts';
import { qrPng, qrSvg } from '../../links/kit/qr-picture.ts';
import { findLink } from '../../links/queries.ts';
import type { LinkRow } from '../../links/queries.ts';
import { sendVisitorPage } from '../../http/visitor-page.ts';
import { previewPage } from './preview-page.ts';

export interface LinkPageDeps {
  db: Db;
  /** Pictures hold the first. */
  entryDomains: Pick<EntryDomains, 'origins'>;
  /** These addresses tell whether a code exists as the link itself does. */
  missBudget: MissBudget;
}

/** A picture changes only with the host that links are shown on; the code is for ever. */
const QR_CACHE = 'public, max-age=86400';

const params = z.object({ code: z.string().max(128) });
const tag = z.string().max(200).exactOptional().meta({ description: 'the video that the code in the picture names' });
const svgQuery = z.object({ tag });
const pngQuery = z.object({
  tag,
  size: z.enum(['screen', 'print']).exactOptional().meta({ description: '512 or 1,200 px wide' }),
});

interface FoundLink {
  link: LinkRow;
  /** The short link as it was asked for: an alias stays an alias, with the tag if one was given. */
  url: string;
}

/** Finds the link of a page within the miss budget of the visitor's network. @throws Problem rate_limited, shown as a page */
function createFind({ db, entryDomains, missBudget }: LinkPageDeps) {
  return async (request: FastifyRequest, rawTag?: string): Promise<FoundLink | undefined> => {
    const code = canonicalCode((request.params as { code: string }).code);
    const wantedTag = rawTag === undefined ? undefined : canonicalTag(rawTag);
    // A picture with another address than the one asked for would be printed.
    if (code === undefined || (rawTag !== undefined && wantedTag === undefined)) return undefined;
    const admission = missBudget.admit(request.ip ?? '');
    if (!admission.isAdmitted) throw problems.rateLimited(admission.retryAfterSeconds);
    const link = await findLink(db, { code, scope: undefined });
    if (link === undefined) {
      admission.missed();
      return undefined;
    }
    const url = `${firstOrigin(entryDomains)}/${code}`;
    return { link, url: wantedTag === undefined ? url : `${url}/${wantedTag}` };
  };
}

/** `/:code/qr.svg`, `/:code/qr.png` and `/:code/preview`, for anyone. None of them logs a click; unknown codes get the visitors' 404 page. */
export async function linkPageRoutes(app: Server, deps: LinkPageDeps): Promise<void> {
  const find = createFind(deps);

  app.get(
    '/:code/qr.svg',
    { schema: { params, querystring: svgQuery, ...page('The QR code of a link with the link under it, as SVG') } },
    async (request, reply) => {
      const found = await find(request, request.query.tag);
      if (found === undefined) return notFound(reply);
      return reply.type('image/svg+xml').header('cache-control', QR_CACHE).send(qrSvg(found.url));
    },
  );

  app.get(
    '/:code/qr.png',
    { schema: { params, querystring: pngQuery, ...page('The QR code of a link with the link under it, as PNG') } },
    async (request, reply) => {
      const { tag: rawTag, size = 'screen' } = request.query;
      const found = await find(request, rawTag);
      if (found === undefined) return notFound(reply);
      return reply.type('image/png').header('cache-control', QR_CACHE).send(qrPng(found.url, size));
    },
  );

  app.get(
    '/:code/preview',
    { schema: { params, ...page('Where a link leads; logs no click') } },
    async (request, reply) => {
      const found = await find(request);
      if (found === undefined) return notFound(reply);
      sendVisitorPage(reply.header('x-robots-tag', 'noindex'), 200, previewPage(found.link, found.url));
      return reply;
    },
  );
}

function page(summary: string): { summary: string; tags: string[] } {
  return { summary, tags: ['Visitors'] };
}

function notFound(reply: FastifyReply): FastifyReply {
  reply.callNotFound();
  return reply;
}
