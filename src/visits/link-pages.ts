import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { canonicalCode, canonicalTag } from '../core/links/link-code.ts';
import type { UnknownCodeLimit } from './unknown-code-limit.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { Db } from '../infra/db.ts';
import { firstOrigin } from '../links/entry-domains/entry-domains.ts';
import type { EntryDomains } from '../links/entry-domains/entry-domains.ts';
import { qrPng, qrSvg } from '../links/kit/qr-picture.ts';
import { findLink } from '../links/queries.ts';
import type { LinkRow } from '../links/queries.ts';
import { escapeHtml, sendVisitorPage, visitorPage } from '../http/visitor-page.ts';
import { formatFenAsYuan } from '../core/money/money.ts';
import { PLATFORM_NAMES } from '../platforms/platform.ts';

export interface LinkPageDeps {
  db: Db;
  /** A QR code contains the first origin. */
  entryDomains: Pick<EntryDomains, 'origins'>;
  /** These addresses reveal whether a code exists, as the link itself does. */
  unknownCodeLimit: UnknownCodeLimit;
}

/** A picture changes only with the first entry domain, because a code never changes. */
const QR_CACHE = 'public, max-age=86400';

const params = z.object({ code: z.string().max(128) });
const tag = z.string().max(200).exactOptional().meta({ description: 'the video that the link in the picture names' });
const svgQuery = z.object({ tag });
const pngQuery = z.object({
  tag,
  size: z.enum(['screen', 'print']).exactOptional().meta({ description: '512 or 1,200 px wide' }),
});

interface FoundLink {
  link: LinkRow;
  /** The short link as requested: an alias stays an alias, with the requested tag. */
  url: string;
}

/** Finds the link of a page within the unknown-code limit of the visitor's network. @throws Problem rate_limited, shown as a page */
function createFind({ db, entryDomains, unknownCodeLimit }: LinkPageDeps) {
  return async (request: FastifyRequest, rawTag?: string): Promise<FoundLink | undefined> => {
    const code = canonicalCode((request.params as { code: string }).code);
    const tagText = rawTag === undefined ? undefined : canonicalTag(rawTag);
    // Pictures are printed, so a malformed tag gets no picture rather than one without the tag.
    if (code === undefined || (rawTag !== undefined && tagText === undefined)) return undefined;
    const admission = unknownCodeLimit.admit(request.ip ?? '');
    if (!admission.isAdmitted) throw problems.rateLimited(admission.retryAfterSeconds);
    const link = await findLink(db, { code, scope: undefined });
    if (link === undefined) {
      admission.countUnknown();
      return undefined;
    }
    const url = `${firstOrigin(entryDomains)}/${code}`;
    return { link, url: tagText === undefined ? url : `${url}/${tagText}` };
  };
}

/** `/:code/qr.svg`, `/:code/qr.png` and `/:code/preview`, without a key. None of them records a click; unknown codes get the 404 page. */
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
    { schema: { params, ...page('Where a link leads; records no click') } },
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

/**
 * The page of `GET /:code/preview`: where a link leads, for people who want to know before they tap. It has no script and loads nothing from
 * other hosts.
 *
 * @param shortUrl the link itself; only a tap on it is a click
 */
function previewPage(link: LinkRow, shortUrl: string): string {
  const { hostname } = new URL(link.url);
  const isOpen = link.status === 'active' && link.productStatus === 'active' && link.storeStatus === 'active';
  const onward = isOpen
    ? `<a class="go" href="${escapeHtml(shortUrl)}" rel="nofollow">前往${PLATFORM_NAMES[link.platform]}</a>`
    : '<p>该链接目前不可用。</p>';
  return visitorPage({
    title: escapeHtml(link.title),
    icon: 'link',
    body: `<p>${escapeHtml(link.storeName)}（${PLATFORM_NAMES[link.platform]}）<br>¥${formatFenAsYuan(link.priceFen)}，以下单页为准</p>
<p>此推广链接将打开 ${escapeHtml(hostname)}<br><code>${escapeHtml(link.url)}</code></p>
${onward}`,
  });
}
