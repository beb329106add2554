import { z } from 'zod';
import { prefixedId, problemResponses, text } from '../../http/fields.ts';
import { problems } from '../../http/problem.ts';
import type { Server } from '../../http/server.ts';
import { attributionAnswer, decisionAnswer } from '../reading/attribution-answer.ts';
import { type DecidedLine, decideLine, type DecisionDeps, type DecisionOutcome, undoDecision } from './decide-line.ts';

const MAX_NOTE_CHARACTERS = 2_000;
const MAX_CODE_CHARACTERS = 200;

const roles = ['brand', 'finance', 'admin'] as const;
const tags = ['Orders'];
const params = z.object({ id: prefixedId('lin') });
const note = text(MAX_NOTE_CHARACTERS).meta({ description: 'why; kept with the decision and in the audit log' });
const assignment = z
  .strictObject({ linkCode: text(MAX_CODE_CHARACTERS), note })
  .meta({ examples: [{ linkCode: 'k7q2m8x', note: '达人提供了聊天记录' }] });
const rejection = z.strictObject({ note }).meta({ examples: [{ note: '店员自己下的单' }] });
const decidedLine = z.object({
  lineId: z.string(),
  orderId: z.string(),
  decision: decisionAnswer.nullable(),
  attribution: attributionAnswer,
});
const response = { 200: decidedLine, ...problemResponses };

/** A person's decision about a line: it outranks all evidence and stands until it is undone. */
export async function decisionRoutes(app: Server, deps: DecisionDeps): Promise<void> {
  app.post(
    '/v1/order-lines/:id/assign',
    {
      config: { roles },
      schema: {
        summary: 'Credit a line to a link; replaces the decision that stands',
        description: 'A brand may decide its own lines until their commission is payable.',
        tags,
        params,
        body: assignment,
        response,
      },
    },
    async ({ params, body, principal }) =>
      answerOf(await decideLine(deps, principal, { kind: 'assign', lineId: params.id, ...body })),
  );
  app.post(
    '/v1/order-lines/:id/reject',
    {
      config: { roles },
      schema: {
        summary: 'Let a line earn nobody anything; replaces the decision that stands',
        description: 'A brand may decide its own lines until their commission is payable.',
        tags,
        params,
        body: rejection,
        response,
      },
    },
    async ({ params, body, principal }) =>
      answerOf(await decideLine(deps, principal, { kind: 'reject', lineId: params.id, ...body })),
  );
  for (const kind of ['assign', 'reject'] as const) {
    app.delete(
      `/v1/order-lines/:id/${kind}`,
      {
        config: { roles },
        schema: { summary: `Undo the standing ${kind} decision; evidence decides again`, tags, params, response },
      },
      async ({ params, principal }) => answerOf(await undoDecision(deps, principal, { kind, lineId: params.id })),
    );
  }
}

/** @throws Problem not_found; forbidden for a brand once the line is payable; validation_failed for a link code that is none of the brand's */
function answerOf(outcome: DecisionOutcome): DecidedLine {
  if (outcome.decided) return outcome.line;
  if (outcome.reason === 'not_found') throw problems.notFound();
  if (outcome.reason === 'unknown_link') {
    throw problems.validationFailed([{ path: 'linkCode', message: 'names no link of the brand' }]);
  }
  throw problems.forbidden('The commission of this line is payable; only finance may decide it now.');
}
