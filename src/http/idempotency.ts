import type { FastifyReply, FastifyRequest } from 'fastify';

import type { Db } from '../infra/db.ts';
import { loggableError } from './error-handler.ts';
import { problems } from './problem.ts';
import { claimRequest, findAnswer, keepAnswer, releaseRequest } from './queries.ts';
import type { Claim, RequestName } from './queries.ts';
import { sha256 } from './request-pipeline.ts';

/**
 * `Idempotency-Key` on POST (API.md "Conventions").
 *
 * Guarantee: of any number of copies of a request, at the same time or within 7 days, on any process, one runs, and the others get its answer
 * (or 409 while it runs). Limit: the claim and the kept answer are committed on their own and not in the handler's transaction. If the process
 * dies between the handler's COMMIT and the kept answer, a copy sent 60 s later runs the handler again. So everything that must never happen
 * twice has a constraint of its own (one link per pair, one active store per shop, one event per id).
 */
export interface Idempotency {
  /** preHandler: claims the request, or answers with the kept answer. After validation, so that an invalid request leaves no trace. */
  claim: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
  /** onSend: keeps the answer before the client sees it, or gives the claim back on a 5xx. */
  keep: (request: FastifyRequest, reply: FastifyReply, payload: unknown) => Promise<unknown>;
}

/** 1 to 255 visible ASCII characters; a UUID is usual. */
const IDEMPOTENCY_KEY = /^[\u0021-\u007e]{1,255}$/;
/** A claim that vanished between our INSERT and our SELECT was given back after a 5xx. Try to take it, but not for ever. */
const MAX_ATTEMPTS = 3;

/** @param callerOf  the id of the API key that sends the request: the same Idempotency-Key of another caller is another request */
export function createIdempotency(db: Db, callerOf: (request: FastifyRequest) => string): Idempotency {
  const claims = new WeakMap<FastifyRequest, Claim>();
  return {
    async claim(request, reply) {
      const key = request.headers['idempotency-key'];
      if (key === undefined) return undefined;
      if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)) {
        throw problems.validationFailed([
          { path: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' },
        ]);
      }
      const outcome = await claimOrFind(db, request, { keyId: callerOf(request), idempotencyKey: key });
      if (outcome.claim !== undefined) {
        claims.set(request, outcome.claim);
        return undefined;
      }
      return replay(reply, outcome.answer);
    },

    async keep(request, reply, payload) {
      const claim = claims.get(request);
      if (claim === undefined) return payload;
      claims.delete(request);
      // A 5xx is not kept, and neither is a stream: no POST of ours answers one.
      const isText = payload === undefined || payload === null || typeof payload === 'string';
      try {
        if (reply.statusCode >= 500 || !isText) await releaseRequest(db, claim);
        else await keepAnswer(db, claim, { status: reply.statusCode, body: withoutSecrets(request, payload ?? '') });
      } catch (error) {
        // The handler has done its work, so its true answer is sent. Copies get 409 for 60 s and then run again (see above).
        request.log.error({ error: loggableError(error) }, 'an answer could not be kept for its Idempotency-Key');
      }
      return payload;
    },
  };
}

type Outcome = { claim: Claim; answer?: never } | { claim?: never; answer: { status: number; body: string } };

async function claimOrFind(
  db: Db,
  request: FastifyRequest,
  named: Pick<RequestName, 'keyId' | 'idempotencyKey'>,
): Promise<Outcome> {
  const [path = '', query = ''] = request.url.split(/\?(.*)/s);
  const name: RequestName = { ...named, method: request.method, path };
  const body = request.bodySha256 ?? sha256('');
  const bodySha256 = query === '' ? body : sha256(Buffer.concat([body, Buffer.from(query, 'utf8')]));
  const keepForEver = request.routeOptions.config.keepAnswersForEver ?? false;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const claim = await claimRequest(db, { ...name, bodySha256, keepForEver });
    if (claim !== undefined) return { claim };
    const kept = await findAnswer(db, name);
    if (kept === undefined) continue;
    if (!kept.bodySha256.equals(bodySha256)) throw problems.idempotencyKeyReused();
    if (kept.status === null) break;
    return { answer: { status: kept.status, body: kept.body ?? '' } };
  }
  throw problems.idempotencyInProgress();
}

function replay(reply: FastifyReply, answer: { status: number; body: string }): FastifyReply {
  void reply.code(answer.status).header('idempotency-replayed', 'true').header('cache-control', 'no-store');
  if (answer.body === '') return reply.send();
  const type = answer.status >= 400 ? 'application/problem+json' : 'application/json';
  return reply.type(`${type}; charset=utf-8`).send(answer.body);
}

function withoutSecrets(request: FastifyRequest, payload: string): string {
  const secretFields = request.routeOptions.config.secretFields ?? [];
  if (secretFields.length === 0 || payload === '') return payload;
  const fields = Object.entries(JSON.parse(payload) as Record<string, unknown>);
  return JSON.stringify(Object.fromEntries(fields.filter(([name]) => !secretFields.includes(name))));
}
