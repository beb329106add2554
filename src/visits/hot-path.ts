import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';

import { isCanonicalTag } from '../core/links/link-code.ts';
import { wayOf } from '../core/links/landing-mode.ts';
import type { EarlyRoute } from '../http/server.ts';
import type { LinkResolver, LinkTarget } from '../links/resolve.ts';
import { locationOf } from '../platforms/destination.ts';
import type { StreamProducer } from '../clicks/capture/stream-producer.ts';
import type { ClickMaker } from '../clicks/capture/make-click.ts';
import type { ClickMetrics } from '../clicks/metrics.ts';
import type { VisitFacts, VisitReader } from '../clicks/capture/make-click.ts';

export interface HotPathDeps {
  resolver: Pick<LinkResolver, 'knownTarget'>;
  clickStream: Pick<StreamProducer, 'append'>;
  readVisit: VisitReader;
  makeClick: ClickMaker;
  metrics: Pick<ClickMetrics, 'redirected'>;
  /** The visitor's address, whatever proxies stand before us. */
  addressOf: (request: IncomingMessage) => string;
  /** Sent with every redirect: names and values in turn. */
  headers: readonly string[];
  log: Logger;
}

/** The link and the tag that an address names, where it is spelled as we print it: `/k7q2m8x` or `/k7q2m8x/v12`. */
interface PlainAddress {
  target: LinkTarget;
  tag: string | undefined;
}

/**
 * The way nearly every visitor takes: a `GET` of a link that this process knows, answered in front of the router.
 *
 * What is measured of it stands in docs/performance.md; each trick has its reason here:
 *
 * - in front of the router: Fastify's request, reply, child logger and hooks cost as much as everything below together;
 * - the code is looked up as it was typed: cached codes are canonical, so what is not found takes the slow way, where spelling is mended;
 * - no promise and no async function: the answer is written in the callback of the batch that carried the click;
 * - the Location is one concatenation, cut open once per link; headers are a flat list that Node writes as it is;
 * - the click is durable before the answer, and costs a thirtieth of a command: see `lane.ts`.
 *
 * Everything else (HEAD, other spellings, unknown and paused links, the middle page and other pages) is left to `redirect.ts`, by returning false.
 */
export function createHotPath(deps: HotPathDeps): EarlyRoute {
  const { resolver, clickStream, readVisit, makeClick, metrics, addressOf, log } = deps;

  const readAddress = (url: string): PlainAddress | undefined => {
    const slashAt = url.indexOf('/', 1);
    const target = resolver.knownTarget(slashAt === -1 ? url.slice(1) : url.slice(1, slashAt));
    if (target === undefined || target.status !== 'active') return undefined;
    if (slashAt === -1) return { target, tag: undefined };
    const tag = url.slice(slashAt + 1);
    return isCanonicalTag(tag) ? { target, tag } : undefined;
  };

  const sendOn = (
    { target, tag }: PlainAddress,
    facts: VisitFacts,
    request: IncomingMessage,
    response: ServerResponse,
  ): void => {
    const click = makeClick(target, { facts, address: addressOf(request), tag });
    clickStream.append(click, (isKept) => {
      metrics.redirected(isKept ? 'tracked' : 'untracked');
      // A click id is handed out only for a click that is kept.
      const location = locationOf(target, isKept ? click.clickId : undefined);
      response.writeHead(302, ['Location', location, ...deps.headers]);
      response.end();
    });
  };

  return (request, response) => {
    if (request.method !== 'GET') return false;
    const named = readAddress(request.url ?? '');
    if (named === undefined) return false;
    try {
      const { target } = named;
      const facts = readVisit(request);
      // Nothing was done yet, so the router may do it all again.
      if (wayOf(target.platform, facts, target.ways) === 'page') return false;
      sendOn(named, facts, request, response);
      return true;
    } catch (error) {
      // A bug: the router's own way ends in a page for the visitor, and an uncaught error would end the process.
      log.error({ err: error }, 'a visit could not be answered in front of the router');
      return false;
    }
  };
}
