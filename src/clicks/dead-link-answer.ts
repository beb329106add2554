import type { FastifyReply } from 'fastify';

import { readAddressText } from '../core/typed-code.ts';
import type { Resolution } from '../links/resolve.ts';
import type { ClickMetrics } from './metrics.ts';
import { sendCheckPage, sendGonePage, sendUnavailablePage } from './pages.ts';

/** The visit of a link that leads nowhere. */
export interface DeadVisit {
  reply: FastifyReply;
  /** The code as the path spells it, its escapes undone. */
  rawCode: string;
}

export type DeadLinkAnswer = (resolution: Resolution, visit: DeadVisit) => void;

/** Returns the function that answers a visit whose link leads nowhere now: it is not there, or paused, or nobody who knows it answers. */
export function createDeadLinkAnswer({ metrics }: { metrics: Pick<ClickMetrics, 'redirected'> }): DeadLinkAnswer {
  return (resolution, { reply, rawCode }) => {
    if (resolution.found) {
      const status = resolution.target.status === 'paused' ? 'paused' : 'gone';
      metrics.redirected(status);
      sendGonePage(reply, status);
      return;
    }
    metrics.redirected(resolution.reason);
    if (resolution.reason === 'unknown') sendCheckPage(reply, readAddressText(rawCode));
    else sendUnavailablePage(reply);
  };
}
