import { randomFillSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { CLICK_ID_RANDOM_BYTES, createClickIdMint } from '../../core/clicks/click-id.ts';
import type { ClickIdKey } from '../../core/clicks/click-id.ts';
import { digestAgent } from '../../core/clicks/click.ts';
import type { Click } from '../../core/clicks/click.ts';
import type { VisitorPlace } from '../../core/clicks/visitor-place.ts';
import type { LinkTarget } from '../../links/resolve.ts';
import { classifyRequest, machineOf } from '../../platforms/request-kind.ts';
import type { Machine, RequestKind } from '../../platforms/request-kind.ts';
import { recogniseApp, withHints } from '../../platforms/webview.ts';
import type { VisitorKeys } from '../visitor-keys/visitor-keys.ts';

/** What a request says about the visit, besides the link. */
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

/** A few hundred user agents make nearly all visits; reading one takes 50 regular expressions and a hash, about 10 µs. At most 4 MB. */
const MAX_AGENTS = 4_000;
/** Longer user agents are rare and not cached, so that a client cannot fill the memory with them. */
const MAX_REMEMBERED_LENGTH = 512;

/** Node gives a repeated header as one text, but the types allow a list. */
function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Returns the function that reads a request; it caches what user agents say. */
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
    // Cleared as a whole: common agents are soon cached again, and keeping an order of use would cost more than everything else here.
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
    // Hints are not cached: they vary by setting, not by agent, and cost two look-ups.
    const { app, os, device } = withHints(place, {
      mobile: textOf(headers['sec-ch-ua-mobile']),
      platform: textOf(headers['sec-ch-ua-platform']),
    });
    return { agentDigest, kind, app, os, device };
  };
}

const POOL_BYTES = 64 * 1024;

/**
 * Returns a source of random bytes that reads 64 KB from the system at a time: one system call per click would cost more than the click id.
 *
 * The returned array is a view that stays untouched until the whole pool was handed out.
 */
function createRandomPool(size: number): () => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;
  return () => {
    if (at + size > POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    const bytes = pool.subarray(at, at + size);
    at += size;
    return bytes;
  };
}

export interface VisitOfLink {
  facts: VisitFacts;
  /** The visitor's, not a proxy's; empty when the connection has already ended. */
  address: string;
  /** In canonical spelling. */
  tag: string | undefined;
  /** `page`: the visitor is shown the middle page; absent: redirected. */
  outcome?: 'page';
}

export type ClickMaker = (target: Pick<LinkTarget, 'linkNumber'>, visit: VisitOfLink) => Click;

/** Returns the function that makes a click of a visit: the facts about the visitor, and a new click id. */
export function createClickMaker(deps: {
  /** The current key, with which new click ids are made. */
  clickIdKey: ClickIdKey;
  visitorKeys: Pick<VisitorKeys, 'hashAt'>;
  now: () => Date;
}): ClickMaker {
  const mint = createClickIdMint(deps.clickIdKey);
  const nextRandom = createRandomPool(CLICK_ID_RANDOM_BYTES);
  return ({ linkNumber }, { facts, address, tag, outcome }) => {
    const clickedAt = deps.now();
    const { agentDigest, kind, app, os } = facts;
    const click: Click = {
      clickId: mint({ linkNumber, clickedAtMs: clickedAt.getTime(), random: nextRandom() }),
      clickedAt,
      linkNumber,
      verdict: kind,
      visitor: deps.visitorKeys.hashAt(clickedAt)({ address, agentDigest }),
      app,
      os,
    };
    if (tag !== undefined) click.tag = tag;
    if (outcome !== undefined) click.outcome = outcome;
    return click;
  };
}
