import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';

import type { ClickMaker } from '../clicks/capture/make-click.ts';
import type { StreamProducer } from '../clicks/capture/stream-producer.ts';
import type { VisitFacts, VisitReader } from '../clicks/capture/make-click.ts';
import type { ClickMetrics } from '../clicks/metrics.ts';
import type { Click } from '../core/clicks/click.ts';
import { landingModeOf, openingOf } from '../core/links/landing-mode.ts';
import { canonicalCode, canonicalTag, isCanonicalTag } from '../core/links/link-code.ts';
import { readAddressText, readTypedCode } from '../core/links/typed-code.ts';
import { isProgramAddress } from '../http/error-handler.ts';
import { languageOf } from '../http/visitor-page.ts';
import { problems } from '../http/problem.ts';
import type { EarlyRoute } from '../http/server.ts';
import type { FindFallback } from '../links/fallback/find-fallback.ts';
import type { LinkResolver, LinkTarget, Resolution } from '../links/resolve.ts';
import { locationOf } from '../platforms/destination.ts';
import { createDeadLinkAnswer } from './dead-link.ts';
import type { DeadLinkAnswer } from './dead-link.ts';
import type { PageContent, PageContents } from './middle-page/content.ts';
import { middlePage, sendMiddlePage } from './middle-page/page-template.ts';
import { sendLimitedPage, sendRedirect, sendUnavailablePage, sendUnknownHostPage } from './pages.ts';
import type { UnknownCodeLimit } from './unknown-code-limit.ts';

export interface VisitDeps {
  resolver: LinkResolver;
  readVisit: VisitReader;
  makeClick: ClickMaker;
  clickStream: Pick<StreamProducer, 'append'>;
  metrics: Pick<ClickMetrics, 'redirected' | 'deadLinkAnswered'>;
  /** For codes that this process does not know; links that it knows are always answered. */
  unknownCodeLimit: UnknownCodeLimit;
  pageContents: PageContents;
  /** Finds the answer to a visit whose link is paused or gone. */
  findFallback: FindFallback;
  /** Whether short links may be requested under this Host header. */
  isKnownHost: (host: string | undefined) => boolean;
  /** The address of the visitor, not that of a proxy. */
  addressOf: (request: IncomingMessage) => string;
  /** The origin of short links. */
  publicUrl: string;
  log: Logger;
}

/** A visit that the router passes on, not yet resolved. The query string has no effect on the answer. */
export interface RoutedVisit {
  request: FastifyRequest;
  reply: FastifyReply;
  /** The segments of the path, with their escapes decoded. */
  rawCode: string;
  rawTag: string | undefined;
}

export interface VisitAnswers {
  /** Answers in front of the router: a visit under an unknown host, and a plain GET of a known link. */
  early: EarlyRoute;
  /** Answers every other visit. */
  routed: (visit: RoutedVisit) => void;
  /** Answers a visit whose link leads nowhere now. */
  deadLink: DeadLinkAnswer;
}

/** Sends the answer of a visit: through Node's response in front of the router, through Fastify's reply behind it. */
interface VisitResponse {
  redirect(location: string): void;
  /** Absent in front of the router: pages take their headers from it. */
  sendPage?(html: string): void;
}

/** A visit to an active link. */
interface ActiveVisit {
  target: LinkTarget;
  /** In canonical spelling: the code of the link or an alias. */
  code: string;
  /** In canonical spelling. */
  tag: string | undefined;
  request: IncomingMessage;
  response: VisitResponse;
}

/**
 * Returns the functions that answer visits. A visit takes these steps, in this order:
 *
 * 1. resolve: the code of the address → the target of its link. In front of the router from the process cache only, and only for addresses as
 *    daihuo prints them (`/k7q2m8x`, `/k7q2m8x/v12`); behind the router in any spelling, then from Redis and Postgres;
 * 2. classify: the request → app, system and device of the visitor, person or machine;
 * 3. choose the landing mode: redirect, or the middle page first;
 * 4. make the click: a new click id, the hashed visitor;
 * 5. append the click to its stream, and wait until it is durable there or in the spool;
 * 6. answer: the redirect or the page, with the click id if the click is kept.
 *
 * Nearly every visit is a plain GET of a known link and is answered in front of the router, because Fastify's request, reply, logger and hooks
 * cost as much as all six steps. docs/performance.md has the measurements. These properties keep it fast:
 *
 * - cached codes are canonical, so the code is looked up as it was typed; any other spelling goes to the router;
 * - no promise and no async function: the answer is written in the callback of the batch that carried the click;
 * - the Location is one concatenation of a target that was split once; headers are a flat list that Node writes unchanged.
 */
export function createVisitAnswers(deps: VisitDeps): VisitAnswers {
  const { resolver, metrics, unknownCodeLimit, isKnownHost, log } = deps;
  const headers = redirectHeaders(deps.publicUrl);
  const answerActiveLink = createActiveLinkAnswer(deps);
  const answerDeadLink = createDeadLinkAnswer(deps);

  const resolvePlainAddress = (url: string): Pick<ActiveVisit, 'target' | 'code' | 'tag'> | undefined => {
    const slashAt = url.indexOf('/', 1);
    const code = slashAt === -1 ? url.slice(1) : url.slice(1, slashAt);
    const target = resolver.knownTarget(code);
    if (target === undefined || target.status !== 'active') return undefined;
    if (slashAt === -1) return { target, code, tag: undefined };
    const tag = url.slice(slashAt + 1);
    return isCanonicalTag(tag) ? { target, code, tag } : undefined;
  };

  const early: EarlyRoute = (request, response) => {
    const url = request.url ?? '';
    // Programs may use any host: probes come by address, and keys and signatures protect the rest.
    if (!isKnownHost(request.headers.host) && !isProgramAddress(url)) {
      sendUnknownHostPage(request, response);
      return true;
    }
    if (request.method !== 'GET') return false;
    const resolved = resolvePlainAddress(url);
    if (resolved === undefined) return false;
    try {
      const { target, code, tag } = resolved;
      return answerActiveLink({ target, code, tag, request, response: nodeResponse(response, headers) });
    } catch (error) {
      // A bug. The router then answers with a page, while an uncaught error would end the process.
      log.error({ err: error }, 'a visit could not be answered in front of the router');
      return false;
    }
  };

  const answerResolved = (resolution: Resolution, code: string, visit: RoutedVisit): void => {
    if (!resolution.found || resolution.target.status !== 'active') {
      answerDeadLink(resolution, visit);
      return;
    }
    const { request, reply, rawTag } = visit;
    // Leave out a tag that is malformed: the visitor must arrive, and the link is credited without it.
    const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
    answerActiveLink({ target: resolution.target, code, tag, request: request.raw, response: replyResponse(reply) });
  };

  /** A code that this process does not know is looked up within the limit of the visitor's network. */
  const lookUp = async (code: string, visit: RoutedVisit): Promise<void> => {
    const admission = unknownCodeLimit.admit(visit.request.ip ?? '');
    if (!admission.isAdmitted) {
      metrics.redirected('limited');
      sendLimitedPage(visit.reply, admission.retryAfterSeconds);
      return;
    }
    const resolution = resolver.known(code) ?? (await resolver.resolve(code));
    if (!resolution.found && resolution.reason === 'unknown') admission.countUnknown();
    answerResolved(resolution, code, visit);
  };

  const routed = (visit: RoutedVisit): void => {
    const { request, reply, rawCode } = visit;
    // `/v1/nothing` has the shape of a code with a tag, but its caller expects JSON.
    if (isProgramAddress(request.url)) throw problems.notFound();
    const code = canonicalCode(rawCode) ?? readTypedCode(readAddressText(rawCode));
    if (code === undefined) {
      // Without a lookup the answer reveals nothing, so it does not count: browsers request /favicon.ico by themselves.
      answerDeadLink({ found: false, reason: 'unknown' }, visit);
      return;
    }
    const known = resolver.known(code);
    if (known?.found === true) {
      answerResolved(known, code, visit);
      return;
    }
    lookUp(code, visit).catch((error: unknown) => {
      request.log.error({ err: error }, 'a visit could not be answered');
      if (!reply.sent) sendUnavailablePage(reply);
    });
  };

  return { early, routed, deadLink: answerDeadLink };
}

/**
 * Returns the function that answers a visit to an active link, steps 2 to 6.
 *
 * It returns false where the answer is a page and `response` sends none: then no step had an effect, and another entry may answer. A visitor is
 * always answered: a click that cannot be kept costs only its click id, and a page without content becomes a redirect.
 */
function createActiveLinkAnswer(deps: VisitDeps): (visit: ActiveVisit) => boolean {
  const { readVisit, makeClick, clickStream, metrics, addressOf, pageContents, log } = deps;

  /** Calls back with the click id once the click is durable, or with undefined if it could not be kept: then no id is handed out. */
  const append = (click: Click, done: (clickId: string | undefined) => void): void => {
    clickStream.append(click, (isKept) => done(isKept ? click.clickId : undefined));
  };

  const redirect = ({ target, tag, request, response }: ActiveVisit, facts: VisitFacts): void => {
    append(makeClick(target, { facts, address: addressOf(request), tag }), (clickId) => {
      metrics.redirected(clickId === undefined ? 'untracked' : 'tracked');
      response.redirect(locationOf(target, clickId));
    });
  };

  const showPage = (visit: ActiveVisit, facts: VisitFacts, content: PageContent): void => {
    const { target, code, tag, request, response } = visit;
    append(makeClick(target, { facts, address: addressOf(request), tag, outcome: 'page' }), (clickId) => {
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
      response.sendPage?.(html);
    });
  };

  const showPageOrRedirect = async (visit: ActiveVisit, facts: VisitFacts): Promise<void> => {
    const content = await pageContents.find(visit.target.linkId);
    if (content === undefined) redirect(visit, facts);
    else showPage(visit, facts, content);
  };

  return (visit) => {
    const { target, request, response } = visit;
    const facts = readVisit(request);
    if (landingModeOf(target.platform, facts, target.overrides) === 'direct') {
      redirect(visit, facts);
      return true;
    }
    if (response.sendPage === undefined) return false;
    showPageOrRedirect(visit, facts).catch((error: unknown) => {
      log.error({ err: error }, 'a middle page could not be shown');
      response.redirect(locationOf(target, undefined));
    });
    return true;
  };
}

/**
 * The headers of every redirect in front of the router besides its Location, as a flat list of names and values. No cache may store it, and the
 * shop does not see the page that the visitor came from. A redirect has no body, so it needs no other header of a page.
 *
 * @param publicUrl with https, the headers tell browsers to use https for a year
 */
function redirectHeaders(publicUrl: string): readonly string[] {
  const headers = ['Cache-Control', 'no-store', 'Referrer-Policy', 'no-referrer', 'Content-Length', '0'];
  return publicUrl.startsWith('https:') ? [...headers, 'Strict-Transport-Security', 'max-age=31536000'] : headers;
}

function nodeResponse(response: ServerResponse, headers: readonly string[]): VisitResponse {
  return {
    redirect: (location) => {
      response.writeHead(302, ['Location', location, ...headers]);
      response.end();
    },
  };
}

function replyResponse(reply: FastifyReply): VisitResponse {
  return {
    redirect: (location) => {
      if (!reply.sent) sendRedirect(reply, location);
    },
    sendPage: (html) => sendMiddlePage(reply, html),
  };
}
