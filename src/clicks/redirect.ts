import type { FastifyReply, FastifyRequest } from 'fastify';

import { CLICK_ID_RANDOM_BYTES, createClickIdMint } from '../core/click-id.ts';
import type { ClickIdKey, ClickIdMint } from '../core/click-id.ts';
import type { Click } from '../core/click.ts';
import { canonicalCode, canonicalTag } from '../core/link-code.ts';
import { isProgramAddress } from '../http/error-handler.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { LinkResolver, LinkTarget, Resolution } from '../links/resolve.ts';
import { locationOf } from '../platforms/destination.ts';
import { classifyRequest } from '../platforms/request-kind.ts';
import { recogniseApp } from '../platforms/webview.ts';
import type { ClickStream } from './click-stream.ts';
import type { ClickMetrics } from './metrics.ts';
import { sendGonePage, sendLandingPage, sendUnavailablePage } from './pages.ts';
import { createRandomPool } from './random-pool.ts';
import type { VisitorKeys } from './visitor-keys.ts';

export interface RedirectDeps {
  resolver: LinkResolver;
  clickStream: ClickStream;
  visitorKeys: VisitorKeys;
  /** The current key; click ids are made with it. */
  clickIdKey: ClickIdKey;
  metrics: ClickMetrics;
  now: () => Date;
}

/** What a visit is made of, in plain words; the query string is not among it and has no effect. */
interface Visit {
  request: FastifyRequest;
  reply: FastifyReply;
  rawTag: string | undefined;
}

/** Node gives a repeated header as one text, but the types allow a list. */
function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function createClickMaker(deps: RedirectDeps): (target: LinkTarget, visit: Visit) => Click {
  const mint: ClickIdMint = createClickIdMint(deps.clickIdKey);
  const nextRandom = createRandomPool(CLICK_ID_RANDOM_BYTES);
  return ({ linkNumber }, { request, rawTag }) => {
    const clickedAt = deps.now();
    const userAgent = headerOf(request, 'user-agent');
    const verdict = classifyRequest({
      method: request.method,
      userAgent,
      headers: {
        purpose: headerOf(request, 'purpose'),
        xPurpose: headerOf(request, 'x-purpose'),
        secPurpose: headerOf(request, 'sec-purpose'),
        xMoz: headerOf(request, 'x-moz'),
      },
    });
    // A tag that cannot be one is left out: the visitor must arrive, and the link is credited all the same.
    const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
    const hash = deps.visitorKeys.hashAt(clickedAt);
    return {
      clickId: mint({ linkNumber, clickedAtMs: clickedAt.getTime(), random: nextRandom() }),
      clickedAt,
      linkNumber,
      ...(tag === undefined ? {} : { tag }),
      verdict,
      visitor: hash({ address: request.ip ?? '', userAgent: userAgent ?? '' }),
      ...recogniseApp(userAgent),
    };
  };
}

function sendRedirect(reply: FastifyReply, location: string): void {
  void reply.code(302).header('location', location).header('cache-control', 'no-store').send();
}

/** Answers a visit whose link was looked up: the click is appended and acknowledged first, and the visitor sent on whatever became of it. */
function createAnswer(deps: RedirectDeps): (resolution: Resolution, visit: Visit) => void {
  const { metrics } = deps;
  const makeClick = createClickMaker(deps);

  const sendOn = (target: LinkTarget, visit: Visit): void => {
    const click = makeClick(target, visit);
    deps.clickStream.append(click, (isAcked) => {
      metrics.redirected(isAcked ? 'tracked' : 'untracked');
      // A click id is handed out only for a click that is kept.
      sendRedirect(visit.reply, locationOf(target, isAcked ? click.clickId : undefined));
    });
  };

  return (resolution, visit) => {
    if (resolution.found) {
      const { target } = resolution;
      if (target.status === 'active') {
        sendOn(target, visit);
        return;
      }
      metrics.redirected(target.status);
      sendGonePage(visit.reply, target.status);
    } else {
      metrics.redirected(resolution.reason);
      if (resolution.reason === 'unknown') visit.reply.callNotFound();
      else sendUnavailablePage(visit.reply);
    }
  };
}

function createVisitHandler(deps: RedirectDeps): (visit: Visit) => void {
  const answer = createAnswer(deps);
  return (visit) => {
    const { request, reply } = visit;
    // `/v1/nothing` has the shape of a code with a tag, but who calls it expects JSON.
    if (isProgramAddress(request.url)) throw problems.notFound();
    const code = canonicalCode((request.params as { code: string }).code);
    if (code === undefined) {
      answer({ found: false, reason: 'unknown' }, visit);
      return;
    }
    const known = deps.resolver.known(code);
    if (known !== undefined) {
      answer(known, visit);
      return;
    }
    deps.resolver
      .resolve(code)
      .then((resolution) => answer(resolution, visit))
      .catch((error: unknown) => {
        request.log.error({ err: error }, 'a visit could not be answered');
        if (!reply.sent) sendUnavailablePage(reply);
      });
  };
}

const visitorTags = ['Visitors'];

/**
 * `GET /:code` and `/:code/:tag`: sends the visitor to the product, or shows a page; and the front door `/`. `HEAD` answers alike.
 *
 * Handlers call back and are not async: a promise per click costs a tenth of the throughput. Routes with a fixed second segment
 * (`/:code/qr.svg`) win over `:tag` in the router, whatever the order of registration.
 */
export async function redirectRoutes(app: Server, deps: RedirectDeps): Promise<void> {
  const visit = createVisitHandler(deps);

  app.get('/', { schema: { summary: 'The front door', tags: visitorTags } }, (_request, reply) => {
    sendLandingPage(reply);
  });
  app.get('/:code', { schema: { summary: 'Go to the product of a link', tags: visitorTags } }, (request, reply) => {
    visit({ request, reply, rawTag: undefined });
  });
  app.get(
    '/:code/:tag',
    { schema: { summary: 'Go to the product of a link; the tag names the video', tags: visitorTags } },
    (request, reply) => {
      visit({ request, reply, rawTag: (request.params as { tag: string }).tag });
    },
  );
}
