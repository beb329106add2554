import { z } from 'zod';

import { readAddressText, readTypedLink } from '../core/links/typed-code.ts';
import { isProgramAddress } from '../http/error-handler.ts';
import type { Server } from '../http/server.ts';
import type { VisitAnswers } from './answer-visit.ts';
import { middlePageRoutes } from './middle-page/routes.ts';
import type { MiddlePageDeps } from './middle-page/routes.ts';
import { sendCheckPage, sendLandingPage, sendRedirect } from './pages.ts';

export interface VisitRouteDeps extends Omit<MiddlePageDeps, 'answerDeadLink'> {
  answers: VisitAnswers;
}

const tags = ['Visitors'];

/**
 * `GET /:code` and `/:code/:tag` answer a visit, `/` is the landing page with a box to type a code, `/-/find` is the address of that box; the
 * middle page has its own. `HEAD` is answered like GET. A plain GET of a known link never reaches these routes (`answer-visit.ts`).
 *
 * Routes with a fixed second segment (`/:code/qr.svg`) go before `:tag` in the router, whatever the order of registration.
 */
export async function visitRoutes(app: Server, deps: VisitRouteDeps): Promise<void> {
  const { answers } = deps;
  app.get('/', { schema: { summary: 'The landing page', tags } }, (_request, reply) => {
    sendLandingPage(reply);
  });
  codeFormRoute(app);
  app.get('/:code', { schema: { summary: 'Go to the product of a link', tags } }, (request, reply) => {
    answers.routed({ request, reply, rawCode: (request.params as { code: string }).code, rawTag: undefined });
  });
  app.get(
    '/:code/:tag',
    { schema: { summary: 'Go to the product of a link; the tag names the video', tags } },
    (request, reply) => {
      const { code, tag } = request.params as { code: string; tag: string };
      answers.routed({ request, reply, rawCode: code, rawTag: tag });
    },
  );
  await middlePageRoutes(app, { ...deps, answerDeadLink: answers.deadLink });
}

const codeFormQuery = z.object({
  code: z
    .union([z.string(), z.array(z.string())])
    .exactOptional()
    .meta({
      description: 'the typed text: a code in any spelling, a short link, or a caption that contains one',
    }),
});

/**
 * `GET /-/find?code=…`, the address of the box on the landing page: 303 to the address of the link on this host, or the "check the code" page
 * where the text can be no code. It looks nothing up, so it does not reveal which codes exist.
 */
function codeFormRoute(app: Server): void {
  app.get(
    '/-/find',
    { schema: { summary: 'Go to the link that a typed text means', tags, querystring: codeFormQuery } },
    (request, reply) => {
      const [typed = ''] = [request.query.code ?? ''].flat();
      const text = readAddressText(typed);
      const link = readTypedLink(text);
      if (link === undefined || isProgramAddress(`/${link.code}`)) {
        sendCheckPage(reply, text);
        return;
      }
      sendRedirect(reply, link.tag === undefined ? `/${link.code}` : `/${link.code}/${link.tag}`, 303);
    },
  );
}
