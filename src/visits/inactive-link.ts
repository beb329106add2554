import type { FastifyReply, FastifyRequest } from 'fastify';

import { canonicalTag } from '../core/links/link-code.ts';
import type { FindFallback } from '../links/fallback/find-fallback.ts';
import type { LinkTarget } from '../links/resolve.ts';
import type { StreamProducer } from '../clicks/capture/stream-producer.ts';
import { sendOtherProductsPage } from './other-products-page.ts';
import type { ClickMaker } from '../clicks/capture/make-click.ts';
import type { ClickMetrics } from '../clicks/metrics.ts';
import { sendGonePage } from './pages.ts';
import type { VisitReader } from '../clicks/capture/make-click.ts';

export interface InactiveLinkDeps {
  clickStream: Pick<StreamProducer, 'append'>;
  readVisit: VisitReader;
  makeClick: ClickMaker;
  metrics: Pick<ClickMetrics, 'redirected' | 'deadLinkAnswered'>;
  findFallback: FindFallback;
}

interface InactiveVisit {
  request: FastifyRequest;
  reply: FastifyReply;
  rawTag: string | undefined;
}

/**
 * Returns the function that answers a visit whose link is paused or gone: with what the brand chose for it, else with a friendly page.
 *
 * The click is kept, as `inactive` where a person's would count. Its id is not handed out: an id in an order is the proof that the link was
 * active then. Where the influencer has a link for the same product elsewhere, the visitor goes there, and that visit is its own click.
 */
export function createInactiveLinkAnswer(deps: InactiveLinkDeps): (target: LinkTarget, visit: InactiveVisit) => void {
  const { clickStream, readVisit, makeClick, metrics, findFallback } = deps;

  const keepClick = (target: LinkTarget, { request }: InactiveVisit, tag: string | undefined): void => {
    const click = makeClick(target, { facts: readVisit(request.raw), address: request.ip ?? '', tag });
    if (click.verdict === 'counted') click.verdict = 'inactive';
    clickStream.append(click, () => undefined);
  };

  const answer = async (
    target: LinkTarget,
    status: 'paused' | 'gone',
    { visit: { reply }, tag }: { visit: InactiveVisit; tag: string | undefined },
  ): Promise<void> => {
    const fallback = await findFallback(target.linkId);
    metrics.deadLinkAnswered(fallback.kind);
    if ('code' in fallback) {
      redirect(reply, tag === undefined ? `/${fallback.code}` : `/${fallback.code}/${tag}`);
    } else if ('location' in fallback) {
      redirect(reply, fallback.location);
    } else if (fallback.kind === 'other_products') {
      sendOtherProductsPage(reply, { status, products: fallback.products });
    } else {
      sendGonePage(reply, status);
    }
  };

  return (target, visit) => {
    const status = target.status === 'paused' ? 'paused' : 'gone';
    const tag = visit.rawTag === undefined ? undefined : canonicalTag(visit.rawTag);
    metrics.redirected(status);
    keepClick(target, visit, tag);
    answer(target, status, { visit, tag }).catch((error: unknown) => {
      visit.request.log.error({ err: error }, 'a visit to a dead link could not be answered');
      if (!visit.reply.sent) sendGonePage(visit.reply, status);
    });
  };
}

function redirect(reply: FastifyReply, location: string): void {
  void reply.code(302).header('location', location).header('cache-control', 'no-store').send();
}
