import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';

/** The server as features see it: they register routes with zod schemas on it. `create-server.ts` makes one. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Answers a request in front of the router, or returns false and has done nothing. */
export type EarlyRoute = (request: IncomingMessage, response: ServerResponse) => boolean;

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of the raw body; null where the request has no Idempotency-Key. */
    bodySha256: Buffer | null;
  }
  interface FastifyContextConfig {
    /** Top-level fields of the answer that are shown once. They are never stored, so a replay lacks them. */
    secretFields?: readonly string[];
    /** Answers of this route to requests with an Idempotency-Key are kept for ever, and not for 7 days (payouts). */
    keepAnswersForEver?: boolean;
  }
}
