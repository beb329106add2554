import { z } from 'zod';

import { canonicalTag } from '../../core/links/link-code.ts';
import { problemResponses } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import type { Db } from '../../infra/db.ts';
import { firstOrigin } from '../entry-domains/entry-domains.ts';
import type { EntryDomains } from '../entry-domains/entry-domains.ts';
import { getOwnLink } from '../own-link.ts';
import { captionKit, captionKitOf } from './caption-kit.ts';

/** `GET /v1/links/:code/kit?tag=…`: texts and pictures for one video. */
export async function kitRoutes(
  app: Server,
  deps: { db: Db; entryDomains: Pick<EntryDomains, 'origins'> },
): Promise<void> {
  app.get(
    '/v1/links/:code/kit',
    {
      config: { roles: ['influencer', 'admin'] },
      schema: {
        summary: 'Texts and pictures to publish a link with; a tag makes them those of one video',
        tags: ['Links'],
        params: z.object({ code: z.string().max(128) }),
        querystring: z.strictObject({
          tag: z.string().max(64).exactOptional().meta({ description: 'the video: 1 to 32 of a-z, 0-9, - and _' }),
        }),
        response: { 200: captionKit, ...problemResponses },
      },
    },
    async (request) => {
      const { tag: rawTag } = request.query;
      const tag = rawTag === undefined ? undefined : canonicalTag(rawTag);
      if (rawTag !== undefined && tag === undefined)
        throw problems.validationFailed([{ path: 'tag', message: 'must be 1 to 32 of a-z, 0-9, - and _' }]);
      // An alias stays an alias: it is what the influencer wants to publish.
      const { link, askedCode } = await getOwnLink(deps.db, request.principal, request.params.code);
      return captionKitOf({ ...link, origin: firstOrigin(deps.entryDomains), code: askedCode, tag });
    },
  );
}
