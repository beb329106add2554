import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { formatFenAsYuan } from '../core/money/money.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import { escapeHtml, sendVisitorPage, visitorPage } from '../http/visitor-page.ts';
import { findPublishedLink, readPublishedAddress } from '../links/find-link.ts';
import type { PublishedLink, PublishedLinkDeps } from '../links/find-link.ts';
import { qrPng, qrSvg } from '../links/kit/qr-picture.ts';
import { PLATFORM_NAMES } from '../platforms/platform.ts';
import type { UnknownCodeLimit } from './unknown-code-limit.ts';

export interface LinkPageDeps extends PublishedLinkDeps {
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

/** Finds the link of a page within the unknown-code limit of the visitor's network. @throws Problem rate_limited, shown as a page */
function createFind({ unknownCodeLimit, ...deps }: LinkPageDeps) {
  return async (request: FastifyRequest, rawTag?: string): Promise<PublishedLink | undefined> => {
    const address = readPublishedAddress((request.params as { code: string }).code, rawTag);
    if (address === undefined) return undefined;
    const admission = unknownCodeLimit.admit(request.ip ?? '');
    if (!admission.isAdmitted) throw problems.rateLimited(admission.retryAfterSeconds);
    const found = await findPublishedLink(deps, address);
    if (found === undefined) admission.countUnknown();
    return found;
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
      sendVisitorPage(reply.header('x-robots-tag', 'noindex'), 200, previewPage(found));
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
 * other hosts. Only a tap on the short link is a click.
 */
function previewPage({ link, url }: PublishedLink): string {
  const { hostname } = new URL(link.url);
  const isOpen = link.status === 'active' && link.productStatus === 'active' && link.storeStatus === 'active';
  const onward = isOpen
    ? `<a class="go" href="${escapeHtml(url)}" rel="nofollow">前往${PLATFORM_NAMES[link.platform]}</a>`
    : '<p>该链接目前不可用。</p>';
  return visitorPage({
    title: escapeHtml(link.title),
    icon: 'link',
    body: `<p>${escapeHtml(link.storeName)}（${PLATFORM_NAMES[link.platform]}）<br>¥${formatFenAsYuan(link.priceFen)}，以下单页为准</p>
<p>此推广链接将打开 ${escapeHtml(hostname)}<br><code>${escapeHtml(link.url)}</code></p>
${onward}`,
  });
}
