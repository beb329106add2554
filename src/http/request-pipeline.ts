/** The parts of the server that every request passes: its body, its headers, and the methods that its address has. */
import { createHash } from 'node:crypto';
import helmet from '@fastify/helmet';
import fastify from 'fastify';
import { problems } from './problem.ts';
import type { Server } from './server.ts';

/**
 * Makes JSON the only body that this server reads. Every other Content-Type is refused (415), so none can bypass a schema.
 *
 * Bytes that are not UTF-8 and a `__proto__` key are refused; an empty body counts as none, and the schema of the route decides.
 */
export function readJsonBodies(app: Server): void {
  app.decorateRequest('bodySha256', null);
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (request.headers['idempotency-key'] !== undefined) request.bodySha256 = sha256(body);
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    let text: string;
    try {
      text = decoder.decode(body);
    } catch {
      done(problems.validationFailed('The body is not UTF-8.'), undefined);
      return;
    }
    void parse(request, text, done);
  });
}

/**
 * Gives the routes of this scope the raw bytes of the body (a Buffer) for every Content-Type, because signatures are over bytes. Call it inside a
 * `register`, so that it reaches no other route.
 */
export function rawBody(app: Server): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body: Buffer, done) => {
    done(null, body);
  });
}

export function sha256(bytes: Buffer | string): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/**
 * Sends with every answer the headers that helmet makes of our policy. Helmet makes them again for each request, which was a twentieth of the
 * time that this process spent on a webhook. They never differ, so they are made once.
 *
 * @param publicUrl  the origin at which others reach this server; only https makes a browser insist on it
 */
export async function sendSecurityHeaders(app: Server, publicUrl: string): Promise<void> {
  const headers = await headersOfHelmet(publicUrl);
  app.addHook('onRequest', (_request, reply, done) => {
    for (const [name, value] of headers) reply.raw.setHeader(name, value);
    done();
  });
}

async function headersOfHelmet(publicUrl: string): Promise<[string, string][]> {
  const probe = fastify();
  await probe.register(helmet, securityPolicy(publicUrl));
  probe.get('/', async (_request, reply) => reply.send(Object.entries(reply.raw.getHeaders())));
  const answer = await probe.inject('/');
  await probe.close();
  return answer.json<[string, string][]>();
}

/** Nothing from elsewhere is loaded, framed or run. A page with a style or script of its own overrides the policy with a hash. */
function securityPolicy(publicUrl: string) {
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
    // Other sites show our QR pictures.
    crossOriginResourcePolicy: { policy: 'cross-origin' as const },
    referrerPolicy: { policy: 'no-referrer' as const },
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: 31_536_000 } : false,
  };
}

/**
 * Collects the methods of each registered address for the `Allow` header of a 405, because the router reports only that no route matched.
 *
 * Call it before any route is registered. The returned function runs only for requests that matched no route.
 */
export function collectMethods(app: Server): (url: string) => string[] {
  const methodsByPattern = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    // Short links match any two segments. They are visitors' addresses and say nothing about /v1/nothing.
    if (route.url.startsWith('/:')) return;
    const methods = methodsByPattern.get(route.url) ?? new Set<string>();
    for (const method of [route.method].flat()) methods.add(method);
    methodsByPattern.set(route.url, methods);
  });
  return (url) => {
    const parts = pathParts(url);
    const allowed = new Set<string>();
    for (const [pattern, methods] of methodsByPattern) {
      if (!matches(pathParts(pattern), parts)) continue;
      for (const method of methods) allowed.add(method);
    }
    return [...allowed].toSorted();
  };
}

function pathParts(url: string): string[] {
  return (url.split(/[?#]/, 1)[0] ?? '').split('/');
}

function matches(pattern: readonly string[], parts: readonly string[]): boolean {
  return (
    pattern.length === parts.length &&
    pattern.every((part, position) => part === parts[position] || (part.startsWith(':') && parts[position] !== ''))
  );
}
