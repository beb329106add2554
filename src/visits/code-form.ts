import { z } from 'zod';

import { readAddressText, readTypedLink } from '../core/links/typed-code.ts';
import { isProgramAddress } from '../http/error-handler.ts';
import type { Server } from '../http/server.ts';
import { sendCheckPage } from './pages.ts';

const querystring = z.object({
  code: z
    .union([z.string(), z.array(z.string())])
    .exactOptional()
    .meta({ description: 'what was typed: a code in any spelling, a short link, or a caption that holds one' }),
});

/**
 * `GET /-/find?code=…`, where the box of the landing page leads: 303 to the link's own address on this host, or the "check the code" page
 * where the text can be no code. It looks nothing up, so it says nothing of which codes exist.
 */
export async function findRoutes(app: Server): Promise<void> {
  app.get(
    '/-/find',
    { schema: { summary: 'Go to the link that a typed text means', tags: ['Visitors'], querystring } },
    (request, reply) => {
      const [typed = ''] = [request.query.code ?? ''].flat();
      const text = readAddressText(typed);
      const link = readTypedLink(text);
      if (link === undefined || isProgramAddress(`/${link.code}`)) {
        sendCheckPage(reply, text);
        return;
      }
      const path = link.tag === undefined ? `/${link.code}` : `/${link.code}/${link.tag}`;
      void reply.code(303).header('location', path).header('cache-control', 'no-store').send();
    },
  );
}
