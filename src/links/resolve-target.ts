import type { VisitWayOverrides } from '../core/links/landing-mode.ts';
import { PLATFORMS, type Platform, type TargetStatus } from '../core/vocabulary.ts';
import { splitDestination } from '../platforms/destination.ts';
import type { SplitDestination } from '../platforms/destination.ts';
import { checkDestination } from '../platforms/platform.ts';
import { RecentMap } from './recent-map.ts';
import type { LinkFacts } from './resolve-queries.ts';
import type { VisitWishes } from './landing-modes/overrides.ts';

/** A link ready to answer visitors: `locationOf(target, clickId)` is its Location. */
export interface LinkTarget extends SplitDestination {
  linkNumber: number;
  linkId: string;
  /** `paused` may come back, `gone` will not (the product is off sale, or the store closed). */
  status: TargetStatus;
  version: number;
  platform: Platform;
  /** What is wanted for the link, by its brand or by the operator instead of the usual way, at the moment it is asked; mostly nothing. */
  ways: VisitWayOverrides | undefined;
}

/** Nobody is ever sent here: it only fills the shape of a target whose destination is not allowed. */
const NO_DESTINATION: SplitDestination = { takesClickId: false, before: '', after: '' };

/**
 * Destinations read lately, each kept once: a product has as many links as influencers promote it, and the text is a fifth of what a link
 * takes. Where every link has a product of its own, this costs a megabyte.
 */
const MAX_SHARED_DESTINATIONS = 10_000;
const sharedDestinations = new RecentMap<string, string>(MAX_SHARED_DESTINATIONS);

function shared(text: string): string {
  const known = sharedDestinations.get(text);
  sharedDestinations.set(known ?? text, known ?? text);
  return known ?? text;
}

/**
 * Checks the destination with the rules of this process and cuts it for the click id.
 *
 * The second check, after the one at registration: a URL that was stored before a rule became stricter, or written past it, never
 * becomes a Location. Such a link is `gone`.
 */
export function targetOf(facts: LinkFacts, wishes: Pick<VisitWishes, 'of'>): LinkTarget {
  const { linkNumber, linkId, version } = facts;
  const checked = checkDestination({ platform: facts.platform, url: facts.url });
  const { takesClickId, before, after } = checked.ok
    ? splitDestination(checked.destination, facts.sls === null ? {} : { sls: facts.sls })
    : NO_DESTINATION;
  const status = checked.ok ? facts.status : 'gone';
  // The text of this program, not the one that was just read: every link would keep one of its own.
  const platform = PLATFORMS.find((known) => known === facts.platform) ?? facts.platform;
  const ways = wishes.of(facts);
  // Written out: with `...split` V8 keeps the last three fields in a second object.
  return { linkNumber, linkId, version, status, platform, ways, takesClickId, before: shared(before), after };
}
