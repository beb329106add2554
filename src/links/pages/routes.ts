import type { FastifyReply } from 'fastify';
import QRCode from 'qrcode';
import { z } from 'zod';
import { canonicalCode } from '../../core/link-code.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { findLink } from '../queries.ts';
import type { LinkRow } from '../queries.ts';
import { sendVisitorPage } from '../../http/visitor-page.ts';
import { previewPage } from './preview-page.ts';

export interface LinkPageDeps {
  db: Db;
  publicUrl: () => string;
}

/** A picture never changes: the code and what it stands for are for ever. */
const QR_CACHE = 'public, max-age=86400, immutable';
const QR_MARGIN_MODULES = 4;
const QR_PNG_WIDTH_PX = 512;

const params = z.object({ code: z.string().max(128) });

/** `/:code/qr.svg`, `/:code/qr.png` and `/:code/preview`, for anyone. None of them logs a click; unknown codes get the visitors' 404 page. */
export async function linkPageRoutes(app: Server, { db, publicUrl }: LinkPageDeps): Promise<void> {
  const find = async (text: string): Promise<{ link: LinkRow; url: string } | undefined> => {
    const code = canonicalCode(text);
    const link = code === undefined ? undefined : await findLink(db, { code, scope: undefined });
    // An alias stays an alias: it is what people asked for a picture of.
    return link === undefined ? undefined : { link, url: `${publicUrl()}/${code}` };
  };

  app.get('/:code/qr.svg', { schema: { params, ...page('The QR code of a link, as SVG') } }, async (request, reply) => {
    const found = await find(request.params.code);
    if (found === undefined) return notFound(reply);
    const svg = await QRCode.toString(found.url, { type: 'svg', errorCorrectionLevel: 'M', margin: QR_MARGIN_MODULES });
    return reply.type('image/svg+xml').header('cache-control', QR_CACHE).send(svg);
  });

  app.get('/:code/qr.png', { schema: { params, ...page('The QR code of a link, as PNG') } }, async (request, reply) => {
    const found = await find(request.params.code);
    if (found === undefined) return notFound(reply);
    const png = await QRCode.toBuffer(found.url, {
      errorCorrectionLevel: 'M',
      margin: QR_MARGIN_MODULES,
      width: QR_PNG_WIDTH_PX,
    });
    return reply.type('image/png').header('cache-control', QR_CACHE).send(png);
  });

  app.get(
    '/:code/preview',
    { schema: { params, ...page('Where a link leads; logs no click') } },
    async (request, reply) => {
      const found = await find(request.params.code);
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
