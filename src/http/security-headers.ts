import helmet from '@fastify/helmet';
import fastify from 'fastify';
import type { Server } from './server.ts';

/**
 * Gives every answer the headers that helmet puts together from our policy. It does so anew for each request, which was a twentieth of what
 * taking a webhook cost this process; they are always the same, so it is asked once.
 *
 * @param publicUrl  the origin others reach us at: only over https is a browser told to insist on it
 */
export async function securityHeaders(app: Server, publicUrl: string): Promise<void> {
  const headers = await headersOfHelmet(publicUrl);
  app.addHook('onRequest', (_request, reply, done) => {
    for (const [name, value] of headers) reply.raw.setHeader(name, value);
    done();
  });
}

async function headersOfHelmet(publicUrl: string): Promise<[string, string][]> {
  const asked = fastify();
  await asked.register(helmet, policy(publicUrl));
  asked.get('/', async (_request, reply) => reply.send(Object.entries(reply.raw.getHeaders())));
  const answer = await asked.inject('/');
  await asked.close();
  return answer.json<[string, string][]>();
}

/** Nothing from elsewhere is ever loaded, framed or run. A page with a style or script of its own overrides the policy with a hash. */
function policy(publicUrl: string) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
      },
    },
    crossOriginEmbedderPolicy: false,
    // QR pictures are shown on other sites.
    crossOriginResourcePolicy: { policy: 'cross-origin' as const },
    referrerPolicy: { policy: 'no-referrer' as const },
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: 31_536_000 } : false,
  };
}
