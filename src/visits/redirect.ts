import type { FastifyReply, FastifyRequest } from 'fastify';

import { canonicalCode } from '../core/links/link-code.ts';
import { readAddressText, readTypedCode } from '../core/links/typed-code.ts';
import { isProgramAddress } from '../http/error-handler.ts';
import type { MissBudget } from './unknown-code-limit.ts';
import { problems } from '../http/problem.ts';
import type { Server } from '../http/server.ts';
import type { FindFallback } from '../links/fallback/find-fallback.ts';
import type { LinkResolver, Resolution } from '../links/resolve.ts';
import { createDeadLinkAnswer } from './dead-link.ts';
import type { DeadLinkAnswer } from './dead-link.ts';
import { findRoutes } from './code-form.ts';
import { middlePageRoutes } from './middle-page/routes.ts';
import type { StepDeps } from './middle-page/routes.ts';
import { sendLandingPage, sendLimitedPage, sendUnavailablePage } from './pages.ts';
import { createSendOn } from './answer-active-link.ts';
import type { SendOnDeps } from './answer-active-link.ts';
import type { VisitReader } from '../clicks/capture/make-click.ts';

export interface RedirectDeps extends SendOnDeps {
  resolver: LinkResolver;
  readVisit: VisitReader;
  /** For codes that this process does not know; links it knows are never held back. */
  missBudget: MissBudget;
  /** Where visitors go whose link is paused or gone. */
  findFallback: FindFallback;
  steps: Pick<StepDeps, 'readClickId' | 'recorder' | 'metrics' | 'now'>;
}

/** What a visit is made of, in plain words; the query string is not among it and has no effect. */
interface Visit {
  request: FastifyRequest;
  reply: FastifyReply;
  /** As the path spells it, its escapes undone. */
  rawCode: string;
  rawTag: string | undefined;
}

/**
 * What every redirect carries besides its Location, as a flat list of names and values: it is never kept, and the shop learns nothing of where
 * the visitor came from. There is no body, so nothing else of a page's headers has a meaning.
 *
 * @param publicUrl the origin of short links; over https the browser is told to stay there
 */
export function redirectHeaders(publicUrl: string): readonly string[] {
  const headers = ['Cache-Control', 'no-store', 'Referrer-Policy', 'no-referrer', 'Content-Length', '0'];
  return publicUrl.startsWith('https:') ? [...headers, 'Strict-Transport-Security', 'max-age=31536000'] : headers;
}

/** Answers a visit whose link was looked up, by its code in canonical spelling. */
function createAnswer(deps: RedirectDeps, answerDeadLink: DeadLinkAnswer) {
  const sendOn = createSendOn(deps);
  return (resolution: Resolution, code: string, visit: Visit): void => {
    if (resolution.found && resolution.target.status === 'active') {
      sendOn({ ...visit, code, target: resolution.target, facts: deps.readVisit(visit.request.raw) });
    } else {
      answerDeadLink(resolution, visit);
    }
  };
}

function createVisitHandler(deps: RedirectDeps, answerDeadLink: DeadLinkAnswer): (visit: Visit) => void {
  const answer = createAnswer(deps, answerDeadLink);

  /** A code that this process cannot send on at once: within the budget of its network it is looked up. */
  const lookUp = async (code: string, visit: Visit): Promise<void> => {
    const admission = deps.missBudget.admit(visit.request.ip ?? '');
    if (!admission.isAdmitted) {
      deps.metrics.redirected('limited');
      sendLimitedPage(visit.reply, admission.retryAfterSeconds);
      return;
    }
    const resolution = deps.resolver.known(code) ?? (await deps.resolver.resolve(code));
    if (!resolution.found && resolution.reason === 'unknown') admission.missed();
    answer(resolution, code, visit);
  };

  return (visit) => {
    const { request, reply, rawCode } = visit;
    // `/v1/nothing` has the shape of a code with a tag, but who calls it expects JSON.
    if (isProgramAddress(request.url)) throw problems.notFound();
    const code = canonicalCode(rawCode) ?? readTypedCode(readAddressText(rawCode));
    if (code === undefined) {
      // No lookup, so nothing to be learned and nothing to be counted: browsers ask for /favicon.ico by themselves.
      answerDeadLink({ found: false, reason: 'unknown' }, visit);
      return;
    }
    const known = deps.resolver.known(code);
    if (known?.found === true) {
      answer(known, code, visit);
      return;
    }
    lookUp(code, visit).catch((error: unknown) => {
      request.log.error({ err: error }, 'a visit could not be answered');
      if (!reply.sent) sendUnavailablePage(reply);
    });
  };
}

const visitorTags = ['Visitors'];

/**
 * `GET /:code` and `/:code/:tag`: sends the visitor to the product, or shows the middle page or another; the front door `/` and where its box
 * leads; and what the middle page calls. `HEAD` answers alike. What is plain and known was answered before, in `hot-path.ts`, by the same
 * rules.
 *
 * Routes with a fixed second segment
 * (`/:code/qr.svg`) win over `:tag` in the router, whatever the order of registration.
 */
export async function redirectRoutes(app: Server, deps: RedirectDeps): Promise<void> {
  const answerDeadLink = createDeadLinkAnswer(deps);
  const visit = createVisitHandler(deps, answerDeadLink);

  await findRoutes(app);
  app.get('/', { schema: { summary: 'The front door', tags: visitorTags } }, (_request, reply) => {
    sendLandingPage(reply);
  });
  app.get('/:code', { schema: { summary: 'Go to the product of a link', tags: visitorTags } }, (request, reply) => {
    visit({ request, reply, rawCode: (request.params as { code: string }).code, rawTag: undefined });
  });
  app.get(
    '/:code/:tag',
    { schema: { summary: 'Go to the product of a link; the tag names the video', tags: visitorTags } },
    (request, reply) => {
      const { code, tag } = request.params as { code: string; tag: string };
      visit({ request, reply, rawCode: code, rawTag: tag });
    },
  );
  await middlePageRoutes(app, { ...deps, ...deps.steps, answerDeadLink });
}
