import type { FastifyRequest } from 'fastify';
import { rawBody } from '../../http/request-pipeline.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { youzanAck } from '../../platforms/youzan/verify.ts';
import { createMessageIntake, IntakeBusyError, type IntakeLimits } from './batch-messages.ts';
import type { HookMetrics } from './metrics.ts';
import { describeOnly, shopHook, youzanHook } from './hook-schemas.ts';
import type { RecordDeps } from './record-messages.ts';
import { createSigningStores } from './signing-stores.ts';
import { takeShopMessage } from './take-shop-message.ts';
import { takeYouzanMessage } from './take-youzan-message.ts';

export interface HookDeps extends RecordDeps {
  metrics: HookMetrics;
  now: () => Date;
  limits?: Partial<IntakeLimits>;
}

/**
 * Where platforms and shops post their orders. Each answer is the sender's own: Youzan's acknowledgement, `{received: true}` for a shop.
 *
 * A 2xx is only ever sent after COMMIT. Both read the body as bytes, because the signature is over bytes.
 */
export async function hookRoutes(app: Server, deps: HookDeps): Promise<void> {
  const refuse = createRefuse(deps.metrics);
  const { sealingKeys } = deps;
  const taking = { stores: createSigningStores(deps), intake: createMessageIntake(deps), sealingKeys };
  // A sender that gave up waiting has no request any more, but its message may still be under way.
  app.addHook('onClose', async () => taking.intake.settle());
  await app.register(async (scope) => {
    rawBody(scope);

    scope.post('/hooks/youzan', { schema: youzanHook, validatorCompiler: describeOnly }, async (request, reply) => {
      const taken = await answerBusy(
        takeYouzanMessage(taking, {
          rawBody: bytesOf(request),
          headers: {
            eventSign: header(request, 'event-sign'),
            clientId: header(request, 'client-id'),
            eventType: header(request, 'event-type'),
          },
        }),
      );
      if (!taken.accepted) return refuse(request, { source: 'youzan', reason: taken.reason });
      note(request, deps, { source: 'youzan', outcome: taken.outcome });
      return reply.send(youzanAck(true));
    });

    scope.post(
      '/hooks/shops/:storeId',
      { schema: shopHook, validatorCompiler: describeOnly },
      async (request, reply) => {
        const taken = await answerBusy(
          takeShopMessage(taking, {
            storeId: (request.params as { storeId: string }).storeId,
            rawBody: bytesOf(request),
            headers: {
              id: header(request, 'webhook-id'),
              timestamp: header(request, 'webhook-timestamp'),
              signature: header(request, 'webhook-signature'),
            },
            now: deps.now(),
          }),
        );
        if (taken.accepted) {
          note(request, deps, { source: 'shop', outcome: taken.outcome });
          return reply.send({ received: true as const });
        }
        if (taken.kind === 'unauthorized') return refuse(request, { source: 'shop', reason: taken.reason });
        deps.metrics.refused('shop', taken.kind);
        throw taken.kind === 'invalid' ? problems.validationFailed(taken.errors) : problems.eventIdReused();
      },
    );
  });
}

/** A sender whose message could not be recorded in time is answered 503, so that it sends the message again. */
async function answerBusy<T>(taking: Promise<T>): Promise<T> {
  try {
    return await taking;
  } catch (error) {
    if (error instanceof IntakeBusyError) throw problems.unavailable(error.message);
    throw error;
  }
}

/** A forger decides how many messages we refuse, so of each kind one a second reaches the log; the counter has them all. */
const REFUSAL_LOG_EVERY_MS = 1_000;

type Refuse = (request: FastifyRequest, refusal: { source: string; reason: string }) => never;

/** Returns what ends a request that does not verify. Why stays in the counter and the log: the answer tells a forger nothing. */
function createRefuse(metrics: HookMetrics): Refuse {
  const loggedAtMs = new Map<string, number>();
  return (request, { source, reason }) => {
    metrics.refused(source, reason);
    const kind = `${source} ${reason}`;
    const nowMs = performance.now();
    if (nowMs - (loggedAtMs.get(kind) ?? Number.NEGATIVE_INFINITY) >= REFUSAL_LOG_EVERY_MS) {
      loggedAtMs.set(kind, nowMs);
      request.log.warn({ source, reason }, 'order messages refused; counted in order_messages_refused_total');
    }
    throw problems.unauthorized('The message does not carry a valid signature.');
  };
}

function note(request: FastifyRequest, deps: HookDeps, { source, outcome }: { source: string; outcome: string }): void {
  deps.metrics.recorded(source, outcome);
  // Someone must look: a key used twice for different content, or facts from a source that may not make them.
  if (outcome === 'conflict') request.log.error({ source }, 'an event key came again with other content');
  if (outcome === 'quarantined') request.log.warn({ source }, 'order message quarantined');
}

function bytesOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}

/** A header sent twice is no header: one of the two would be checked and the other believed. */
function header(request: FastifyRequest, name: string): string | undefined {
  const { rawHeaders } = request.raw;
  let count = 0;
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const given = rawHeaders[place] ?? '';
    if (given.length === name.length && given.toLowerCase() === name) count += 1;
  }
  const value = request.headers[name];
  return count === 1 && typeof value === 'string' ? value : undefined;
}
