import type { IncomingMessage } from 'node:http';

import { digestAgent } from '../../core/clicks/click.ts';
import type { VisitorPlace } from '../../core/clicks/visitor-place.ts';
import { classifyRequest, machineOf } from '../../platforms/request-kind.ts';
import type { Machine, RequestKind } from '../../platforms/request-kind.ts';
import { recogniseApp, withHints } from '../../platforms/webview.ts';

/** What a request tells of the visit, besides the link. */
export interface VisitFacts extends VisitorPlace {
  agentDigest: string;
  kind: RequestKind;
}

interface AgentFacts {
  agentDigest: string;
  machine: Machine | undefined;
  place: VisitorPlace;
}

export type VisitReader = (request: Pick<IncomingMessage, 'method' | 'headers'>) => VisitFacts;

/** Some hundred agents make nearly all visits; reading one takes 50 regular expressions and a hash, some 10 µs. At most 4 MB. */
const MAX_AGENTS = 4_000;
/** Longer ones are rare and not remembered, so that nobody fills the memory with them. */
const MAX_REMEMBERED_LENGTH = 512;

/** Node gives a repeated header as one text, but the types allow a list. */
function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Returns the function that reads a request; it remembers the agents it has seen. */
export function createVisitReader(): VisitReader {
  const agents = new Map<string, AgentFacts>();
  const agentOf = (userAgent: string): AgentFacts => {
    const known = agents.get(userAgent);
    if (known !== undefined) return known;
    const facts = {
      agentDigest: digestAgent(userAgent),
      machine: machineOf(userAgent),
      place: recogniseApp(userAgent),
    };
    if (userAgent.length > MAX_REMEMBERED_LENGTH) return facts;
    // All at once: common agents are soon there again, and keeping an order of use would cost more than the rest.
    if (agents.size >= MAX_AGENTS) agents.clear();
    agents.set(userAgent, facts);
    return facts;
  };
  return ({ method, headers }) => {
    const { agentDigest, machine, place } = agentOf(headers['user-agent'] ?? '');
    const kind = classifyRequest({
      method,
      machine,
      purpose: textOf(headers['purpose']),
      xPurpose: textOf(headers['x-purpose']),
      secPurpose: textOf(headers['sec-purpose']),
      xMoz: textOf(headers['x-moz']),
    });
    // Hints are no part of what is remembered: they vary by setting, not by agent, and cost two look-ups.
    const { app, os, device } = withHints(place, {
      mobile: textOf(headers['sec-ch-ua-mobile']),
      platform: textOf(headers['sec-ch-ua-platform']),
    });
    return { agentDigest, kind, app, os, device };
  };
}
