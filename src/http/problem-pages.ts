import { problemCatalogue, problemCodeOf } from './problem-catalogue.ts';
import type { Server } from './server.ts';

/** `GET /problems/:slug`: the page behind the `type` of an error, for the person who reads it. English, as the API is. */
export async function problemPages(app: Server): Promise<void> {
  app.route({
    method: 'GET',
    url: '/problems/:slug',
    schema: { hide: true },
    handler: async (request, reply) => {
      const { slug } = request.params as { slug: string };
      const code = problemCodeOf(slug);
      if (code === undefined) return reply.callNotFound();
      const { status, title, meaning } = problemCatalogue[code];
      return reply.type('text/html; charset=utf-8').header('cache-control', 'public, max-age=3600')
        .send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body><h1>${title}</h1><p><code>${code}</code>, HTTP status ${status}</p><p>${meaning}</p></body></html>
`);
    },
  });
}
