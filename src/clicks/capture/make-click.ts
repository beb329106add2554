import { CLICK_ID_RANDOM_BYTES, createClickIdMint } from '../../core/clicks/click-id.ts';
import type { ClickIdKey } from '../../core/clicks/click-id.ts';
import type { Click } from '../../core/clicks/click.ts';
import type { ClickOutcome } from '../../core/vocabulary.ts';
import type { LinkTarget } from '../../links/resolve.ts';
import { createRandomPool } from './random-pool.ts';
import type { VisitFacts } from './visit-facts.ts';
import type { VisitorKeys } from '../visitor-keys/visitor-keys.ts';

export interface VisitOfLink {
  facts: VisitFacts;
  /** Of the visitor, not of a proxy; empty where the connection is gone already. */
  address: string;
  /** In canonical spelling. */
  tag: string | undefined;
  /** How the visitor is answered; by a redirect unless said otherwise. */
  outcome?: ClickOutcome;
}

export type ClickMaker = (target: Pick<LinkTarget, 'linkNumber'>, visit: VisitOfLink) => Click;

/** Returns the function that makes a click of a visit: what is known of the visitor, and a new click id. */
export function createClickMaker(deps: {
  /** The current key; click ids are made with it. */
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
