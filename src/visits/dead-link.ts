import type { FastifyReply, FastifyRequest } from 'fastify';

import { readAddressText } from '../core/links/typed-code.ts';
import type { Resolution } from '../links/resolve.ts';
import { createInactiveLinkAnswer } from './inactive-link.ts';
import type { InactiveLinkDeps } from './inactive-link.ts';
import { sendCheckPage, sendUnavailablePage } from './pages.ts';

/** The visit of a link that leads nowhere. */
export interface DeadVisit {
  request: FastifyRequest;
  reply: FastifyReply;
  /** The code as the path spells it, its escapes undone. */
  rawCode: string;
  rawTag: string | undefined;
}

export type DeadLinkAnswer = (resolution: Resolution, visit: DeadVisit) => void;

/** Returns the function that answers a visit whose link leads nowhere now: it is not there, or paused, or nobody who knows it answers. */
export function createDeadLinkAnswer(deps: InactiveLinkDeps): DeadLinkAnswer {
  const answerInactiveLink = createInactiveLinkAnswer(deps);
  return (resolution, visit) => {
    if (resolution.found) {
      answerInactiveLink(resolution.target, visit);
      return;
    }
    deps.metrics.redirected(resolution.reason);
    if (resolution.reason === 'unknown') sendCheckPage(visit.reply, readAddressText(visit.rawCode));
    else sendUnavailablePage(visit.reply);
  };
}
