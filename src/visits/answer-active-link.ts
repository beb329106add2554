import type { FastifyReply, FastifyRequest } from 'fastify';

import { languageOf } from '../http/visitor-page.ts';
import { canonicalTag } from '../core/links/link-code.ts';
import { openingOf, wayOf } from '../core/links/landing-mode.ts';
import type { LinkTarget } from '../links/resolve.ts';
import { locationOf } from '../platforms/destination.ts';
import type { StreamProducer } from '../clicks/capture/stream-producer.ts';
import type { ClickMaker } from '../clicks/capture/make-click.ts';
import type { ClickMetrics } from '../clicks/metrics.ts';
import type { PageContent, PageContents } from './middle-page/content.ts';
import { middlePage, sendMiddlePage } from './middle-page/page-template.ts';
import type { VisitFacts } from '../clicks/capture/make-click.ts';

export interface SendOnDeps {
  clickStream: StreamProducer;
  makeClick: ClickMaker;
  metrics: ClickMetrics;
  pageContents: PageContents;
}

/** Where the link of a visit leads, and what the visitor told of itself. */
export interface KnownVisit {
  target: LinkTarget;
  facts: VisitFacts;
  request: FastifyRequest;
  reply: FastifyReply;
  /** In canonical spelling; the link's own or an alias. */
  code: string;
  /** As the path spells it. */
  rawTag: string | undefined;
}

function sendRedirect(reply: FastifyReply, location: string): void {
  void reply.code(302).header('location', location).header('cache-control', 'no-store').send();
}

/** Appends the click of a visit and calls back with its id, or with undefined where the click could not be kept: then no id is handed out. */
function createAppend({ makeClick, clickStream }: SendOnDeps) {
  return (
    { target, facts, request, rawTag }: KnownVisit,
    { outcome }: { outcome?: 'page' },
    done: (clickId: string | undefined) => void,
  ): void => {
    // A tag that cannot be one is left out: the visitor must arrive, and the link is credited all the same.
    const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
    const click = makeClick(target, {
      facts,
      address: request.ip ?? '',
      tag,
      ...(outcome === undefined ? {} : { outcome }),
    });
    clickStream.append(click, (isKept) => done(isKept ? click.clickId : undefined));
  };
}

/**
 * Returns the function that answers a visit to an active link: its click is appended and acknowledged first, then the visitor is sent to the
 * shop or shown the middle page, whatever became of the click.
 */
export function createSendOn(deps: SendOnDeps): (known: KnownVisit) => void {
  const { metrics, pageContents } = deps;
  const append = createAppend(deps);

  const redirect = (known: KnownVisit): void => {
    append(known, {}, (clickId) => {
      metrics.redirected(clickId === undefined ? 'untracked' : 'tracked');
      sendRedirect(known.reply, locationOf(known.target, clickId));
    });
  };
  const showPage = (known: KnownVisit, content: PageContent): void => {
    const { target, facts, request, reply, code } = known;
    append(known, { outcome: 'page' }, (clickId) => {
      metrics.redirected(clickId === undefined ? 'untracked' : 'page');
      const location = locationOf(target, clickId);
      const html = middlePage({
        content,
        platform: target.platform,
        language: languageOf(request.headers['accept-language']),
        opening: openingOf(facts),
        clickId,
        location,
        onwardUrl: clickId === undefined ? location : `/-/go/${clickId}/${code}`,
      });
      sendMiddlePage(reply, html);
    });
  };
  /** Where the content cannot be had in a moment, the visitor is sent on without having seen it. */
  const showPageOrRedirect = async (known: KnownVisit): Promise<void> => {
    const content = await pageContents.find(known.target.linkId);
    if (content === undefined) redirect(known);
    else showPage(known, content);
  };
  return (known) => {
    const { target, facts, request, reply } = known;
    if (wayOf(target.platform, facts, target.ways) === 'direct') {
      redirect(known);
      return;
    }
    showPageOrRedirect(known).catch((error: unknown) => {
      request.log.error({ err: error }, 'a middle page could not be shown');
      if (!reply.sent) sendRedirect(reply, locationOf(target, undefined));
    });
  };
}
