import { splitDestination } from '../platforms/destination.ts';
import type { SplitDestination } from '../platforms/destination.ts';
import { checkDestination } from '../platforms/platform.ts';
import type { LinkFacts } from './resolve-queries.ts';

/** A link ready to answer visitors: `locationOf(target, clickId)` is its Location. */
export interface LinkTarget extends SplitDestination {
  linkNumber: number;
  linkId: string;
  /** `paused` may come back, `gone` will not (the product is off sale, or the store closed). */
  status: 'active' | 'paused' | 'gone';
  version: number;
}

/** Nobody is ever sent here: it only fills the shape of a target whose destination is not allowed. */
const NO_DESTINATION: SplitDestination = { takesClickId: false, before: '', after: '' };

/**
 * Checks the destination with the rules of this process and cuts it for the click id.
 *
 * The second check, after the one at registration: a URL that was stored before a rule became stricter, or written past it, never
 * becomes a Location. Such a link is `gone`.
 */
export function targetOf(facts: LinkFacts): LinkTarget {
  const { linkNumber, linkId, version } = facts;
  const checked = checkDestination({ platform: facts.platform, url: facts.url });
  const split = checked.ok
    ? splitDestination(checked.destination, facts.sls === null ? {} : { sls: facts.sls })
    : NO_DESTINATION;
  const status = checked.ok ? facts.status : 'gone';
  return { linkNumber, linkId, version, status, ...split };
}
