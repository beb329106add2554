import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';

import type { ClickMaker } from '../clicks/capture/make-click.ts';
import type { StreamProducer } from '../clicks/capture/stream-producer.ts';
import type { VisitReader } from '../clicks/capture/make-click.ts';
import type { ClickMetrics } from '../clicks/metrics.ts';
import { canonicalTag } from '../core/links/link-code.ts';
import { readAddressText } from '../core/links/typed-code.ts';
import type { FindFallback } from '../links/fallback/find-fallback.ts';
import type { LinkTarget, Resolution } from '../links/resolve.ts';
import { sendCheckPage, sendGonePage, sendOtherProductsPage, sendRedirect, sendUnavailablePage } from './pages.ts';

export interface DeadLinkDeps {
  readVisit: VisitReader;
  makeClick: ClickMaker;
  clickStream: Pick<StreamProducer, 'append'>;
  metrics: Pick<ClickMetrics, 'redirected' | 'deadLinkAnswered'>;
  findFallback: FindFallback;
  addressOf: (request: IncomingMessage) => string;
}

/** A visit whose link leads nowhere now. */
export interface DeadVisit {
  request: FastifyRequest;
  reply: FastifyReply;
  /** The segments of the path, with their escapes decoded. */
  rawCode: string;
  rawTag: string | undefined;
}

export type DeadLinkAnswer = (resolution: Resolution, visit: DeadVisit) => void;

/**
 * Returns the function that answers a visit whose link leads nowhere now. An unknown code gets the page to check the code, one that no store
 * can look up the page to come back later. A link that is paused or gone gets the fallback that its brand chose, else a page that says so.
 *
 * The click of such a link is kept as `inactive` where a person's click would count. Its id is not handed out, because a click id in an order
 * proves that the link was active. Where the influencer has a link for the same product in another store, the visitor is redirected to that
 * link, and this visit is a click of its own.
 */
export function createDeadLinkAnswer(deps: DeadLinkDeps): DeadLinkAnswer {
  const { readVisit, makeClick, clickStream, metrics, findFallback, addressOf } = deps;

  const keepClick = (target: LinkTarget, { raw }: FastifyRequest, tag: string | undefined): void => {
    const click = makeClick(target, { facts: readVisit(raw), address: addressOf(raw), tag });
    if (click.verdict === 'counted') click.verdict = 'inactive';
    clickStream.append(click, () => undefined);
  };

  const sendFallback = async (
    target: LinkTarget,
    status: 'paused' | 'gone',
    { reply, tag }: { reply: FastifyReply; tag: string | undefined },
  ): Promise<void> => {
    const fallback = await findFallback(target.linkId);
    metrics.deadLinkAnswered(fallback.kind);
    if ('code' in fallback) {
      sendRedirect(reply, tag === undefined ? `/${fallback.code}` : `/${fallback.code}/${tag}`);
    } else if ('location' in fallback) {
      sendRedirect(reply, fallback.location);
    } else if (fallback.kind === 'other_products') {
      sendOtherProductsPage(reply, { status, products: fallback.products });
    } else {
      sendGonePage(reply, status);
    }
  };

  const answerInactiveLink = (target: LinkTarget, { request, reply, rawTag }: DeadVisit): void => {
    const status = target.status === 'paused' ? 'paused' : 'gone';
    const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
    metrics.redirected(status);
    keepClick(target, request, tag);
    sendFallback(target, status, { reply, tag }).catch((error: unknown) => {
      request.log.error({ err: error }, 'a visit to a dead link could not be answered');
      if (!reply.sent) sendGonePage(reply, status);
    });
  };

  return (resolution, visit) => {
    if (resolution.found) {
      answerInactiveLink(resolution.target, visit);
      return;
    }
    metrics.redirected(resolution.reason);
    if (resolution.reason === 'unknown') sendCheckPage(visit.reply, readAddressText(visit.rawCode));
    else sendUnavailablePage(visit.reply);
  };
}
