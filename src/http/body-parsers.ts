import { createHash } from 'node:crypto';

import { problems } from './problem.ts';
import type { Server } from './server.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of the raw body, kept where an Idempotency-Key has to be compared. */
    bodySha256: Buffer | null;
  }
}

/**
 * JSON is the only body this server reads; every other Content-Type is refused (415), so none can slip past a schema.
 *
 * Bytes that are not UTF-8 and a `__proto__` key are refused; an empty body counts as none, and the schema of the route decides.
 */
export function jsonBody(app: Server): void {
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
 * Gives the routes of this scope the body as the raw bytes that came (a Buffer), whatever the Content-Type says: signatures are over bytes.
 * Call it inside a `register`, so that it reaches no other route.
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
