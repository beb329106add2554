import type { FastifyReply, FastifyRequest } from 'fastify';

import type { ClickIdReading } from '../../core/clicks/click-id.ts';
import { canonicalCode } from '../../core/links/link-code.ts';
import { isStepInTime, parseStepReport } from '../../core/clicks/visit-step.ts';
import type { Step } from '../../core/vocabulary.ts';
import { rawBody } from '../../http/request-pipeline.ts';
import type { Server } from '../../http/server.ts';
import type { LinkResolver } from '../../links/resolve.ts';
import { locationOf } from '../../platforms/destination.ts';
import type { DeadLinkAnswer } from '../dead-link.ts';
import { sendRedirect } from '../pages.ts';
import type { VisitReader } from '../../clicks/capture/make-click.ts';
import type { PageMetrics, StepResult } from '../../clicks/steps/metrics.ts';
import type { StepRecorder } from '../../clicks/steps/step-recorder.ts';

export interface MiddlePageDeps {
  resolver: Pick<LinkResolver, 'known' | 'resolve'>;
  readClickId: (text: string) => ClickIdReading;
  readVisit: VisitReader;
  recorder: StepRecorder;
  metrics: Pick<PageMetrics, 'stepped'>;
  now: () => Date;
  /** Answers a visit whose link leads nowhere now. */
  answerDeadLink: DeadLinkAnswer;
}

/** `<click id> <step>` has at most 47 characters. */
const MAX_REPORT_BYTES = 200;
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const STATUS: Readonly<Record<StepResult, number>> = {
  kept: 204,
  machine: 204,
  malformed: 400,
  forged: 400,
  expired: 400,
  full: 503,
  late: 503,
  failed: 503,
};

type TakeStep = (request: FastifyRequest, clickId: string, step: Step) => Promise<StepResult>;

/** Returns the function that checks a step and stores it: only for an authentic click id, within a day of the click, and by a person. */
function createTakeStep({ readClickId, readVisit, recorder, metrics, now }: MiddlePageDeps): TakeStep {
  const take: TakeStep = async (request, clickId, step) => {
    const reading = readClickId(clickId);
    if (!reading.ok) return reading.reason === 'malformed' ? 'malformed' : 'forged';
    const { clickedAt, linkNumber } = reading;
    const steppedAt = now();
    if (!isStepInTime({ clickedAt, steppedAt })) return 'expired';
    const { kind, app, os } = readVisit(request.raw);
    if (kind !== 'counted') return 'machine';
    return recorder.record({ clickId, step, clickedAt, steppedAt, linkNumber, app, os });
  };
  return async (request, clickId, step) => {
    const result = await take(request, clickId, step);
    metrics.stepped(step, result);
    return result;
  };
}

function bodyTextOf({ body }: FastifyRequest): string {
  return Buffer.isBuffer(body) ? body.toString('latin1') : '';
}

const tags = ['Visitors'];

/**
 * The addresses that the middle page calls: `POST /-/step` reports a step (204, no body), `GET /-/seen/:clickId` is the picture that reports a
 * view where no script runs, `GET /-/go/:clickId/:code` redirects to the shop and records that.
 *
 * The click id decides where `/-/go` leads. The code only finds the link: if its number differs from the one in the authentic click id, the
 * answer is that of an unknown link.
 */
export async function middlePageRoutes(app: Server, deps: MiddlePageDeps): Promise<void> {
  const takeStep = createTakeStep(deps);
  app.addHook('onClose', async () => deps.recorder.stop());
  await app.register(async (scope) => {
    rawBody(scope);
    const schema = { summary: 'A step on the middle page: `<click id> <view|copy|open|continue>`', tags };
    scope.post('/-/step', { bodyLimit: MAX_REPORT_BYTES, schema }, async (request, reply) => {
      const report = parseStepReport(bodyTextOf(request));
      if (report === undefined) deps.metrics.stepped('unknown', 'malformed');
      const result = report === undefined ? 'malformed' : await takeStep(request, report.clickId, report.step);
      return reply.code(STATUS[result]).header('cache-control', 'no-store').send();
    });
  });

  const seen = { summary: 'Reports a view of the middle page where no script runs', tags };
  app.get('/-/seen/:clickId', { schema: seen }, async (request, reply) => {
    // The answer does not depend on the id, so it reveals nothing.
    if (request.method === 'GET') void takeStep(request, (request.params as { clickId: string }).clickId, 'view');
    return reply.type('image/gif').header('cache-control', 'no-store').send(PIXEL);
  });

  const goOnward = createOnward(deps, takeStep);
  const go = { summary: 'Goes on from the middle page to the product of the click', tags };
  app.get('/-/go/:clickId/:code', { schema: go }, async (request, reply) => {
    await goOnward(request, reply);
    return reply;
  });
}

function createOnward({ resolver, readClickId, answerDeadLink }: MiddlePageDeps, takeStep: TakeStep) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { clickId, code: text } = request.params as { clickId: string; code: string };
    const reading = readClickId(clickId);
    const code = canonicalCode(text);
    if (!reading.ok || code === undefined) {
      reply.callNotFound();
      return;
    }
    const resolution = resolver.known(code) ?? (await resolver.resolve(code));
    const isAnother = resolution.found
      ? resolution.target.linkNumber !== reading.linkNumber
      : resolution.reason === 'unknown';
    if (isAnother) {
      reply.callNotFound();
      return;
    }
    if (!resolution.found || resolution.target.status !== 'active') {
      answerDeadLink(resolution, { request, reply, rawCode: text, rawTag: undefined });
      return;
    }
    // Not awaited: the visitor is redirected even if the step cannot be stored.
    if (request.method === 'GET') void takeStep(request, clickId, 'continue');
    sendRedirect(reply, locationOf(resolution.target, clickId));
  };
}
