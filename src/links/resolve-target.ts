import type { VisitWay, VisitWayOverrides } from '../core/visit-way.ts';
import { APPS } from '../core/visitor-place.ts';
import type { App } from '../core/visitor-place.ts';
import { splitDestination } from '../platforms/destination.ts';
import type { SplitDestination } from '../platforms/destination.ts';
import { PLATFORMS, checkDestination } from '../platforms/platform.ts';
import type { Platform } from '../platforms/platform.ts';
import type { LinkFacts } from './resolve-queries.ts';

/** A link ready to answer visitors: `locationOf(target, clickId)` is its Location. */
export interface LinkTarget extends SplitDestination {
  linkNumber: number;
  linkId: string;
  /** `paused` may come back, `gone` will not (the product is off sale, or the store closed). */
  status: 'active' | 'paused' | 'gone';
  version: number;
  platform: Platform;
  /** What the brand or the operator wants instead of the usual way, one object for all links that are told the same; mostly nothing. */
  ways: VisitWayOverrides | undefined;
}

/** Nobody is ever sent here: it only fills the shape of a target whose destination is not allowed. */
const NO_DESTINATION: SplitDestination = { takesClickId: false, before: '', after: '' };

/** Different wishes that are kept to be shared; there are hardly more brands with wishes than this. */
const MAX_SHARED_WAYS = 2_000;
const sharedWays = new Map<string, VisitWayOverrides>();

function isWay(value: unknown): value is VisitWay {
  return value === 'direct' || value === 'page';
}

/** What `visit_ways` says, as JSON; apps this program does not know are left out. */
function waysByApp(json: string): Partial<Record<App, VisitWay>> {
  const wanted = JSON.parse(json) as Record<string, unknown>;
  const ways: Partial<Record<App, VisitWay>> = {};
  for (const app of APPS) {
    const way = wanted[app];
    if (isWay(way)) ways[app] = way;
  }
  return ways;
}

function waysOf({ way, waysByApp: json }: Pick<LinkFacts, 'way' | 'waysByApp'>): VisitWayOverrides | undefined {
  if (way === null && json === null) return undefined;
  const key = `${way ?? ''} ${json ?? ''}`;
  const known = sharedWays.get(key);
  if (known !== undefined) return known;
  if (sharedWays.size >= MAX_SHARED_WAYS) sharedWays.clear();
  const ways: VisitWayOverrides = { link: way ?? undefined, byApp: json === null ? undefined : waysByApp(json) };
  sharedWays.set(key, ways);
  return ways;
}

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
  // The text of this program, not the one that was just read: every link would keep one of its own.
  const platform = PLATFORMS.find((known) => known === facts.platform) ?? facts.platform;
  return { linkNumber, linkId, version, status, platform, ways: waysOf(facts), ...split };
}
