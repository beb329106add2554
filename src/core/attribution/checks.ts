/**
 * The conditions that a link must meet to be credited for a line, at every level: brand, store, product, time, terms, activity. Each check
 * returns the miss, or undefined where the condition holds.
 */
import type { LadderMethod, MatchingScope, UnmatchedReason } from '../vocabulary.ts';
import { addDays } from '../calendar.ts';
import type { AttributionFacts, ClickFact, LinkFact } from './facts.ts';

/** Why a piece of evidence cannot pay. `detail` is more specific than the reason. */
export interface Miss {
  reason: UnmatchedReason;
  detail: string;
}

/** A piece of evidence that names a link that may be credited. */
export interface Proof {
  method: LadderMethod;
  link: LinkFact;
  clickId?: string;
  clickedAt?: Date;
  tag?: string;
}

export const UNREGISTERED: Miss = { reason: 'product_not_registered', detail: 'product_not_registered' };

/** Checks that the link belongs to the line's brand and store, and to its product unless the scope is the whole store. */
export function missOfLink(facts: AttributionFacts, link: LinkFact, scope: MatchingScope): Miss | undefined {
  if (link.brandId !== facts.brandId) return { reason: 'wrong_brand', detail: 'link_of_another_brand' };
  if (link.storeId !== facts.storeId) return { reason: 'other_product', detail: 'link_of_another_store' };
  if (scope === 'store') return undefined;
  if (facts.productId === undefined) return UNREGISTERED;
  return link.productId === facts.productId
    ? undefined
    : { reason: 'other_product', detail: 'link_of_another_product' };
}

/** Checks that the click was at most `skewMs` after and `windowDays` before the order, both inclusive, and so that terms exist. */
export function missOfClick(
  facts: AttributionFacts,
  link: LinkFact,
  clickedAt: Date,
  skewMs: number,
): Miss | undefined {
  if (clickedAt.getTime() > facts.createdAt.getTime() + skewMs) {
    return { reason: 'order_before_click', detail: 'click_after_order' };
  }
  const windowDays = windowDaysOf(facts, link);
  if (windowDays === undefined) return { reason: 'no_terms', detail: 'no_terms' };
  if (addDays(clickedAt, windowDays) < facts.createdAt) return { reason: 'outside_window', detail: 'click_too_old' };
  return undefined;
}

/** Checks that terms cover the sale; without terms the line has no price. */
export function missOfTerms(facts: AttributionFacts, link: LinkFact): Miss | undefined {
  return windowDaysOf(facts, link) === undefined ? { reason: 'no_terms', detail: 'no_terms' } : undefined;
}

/**
 * Checks that link, product and influencer were active at that time. Not needed for evidence that is a click: a click id is made for an active
 * link only.
 */
export function missOfActivity(facts: AttributionFacts, link: LinkFact, at: Date): Miss | undefined {
  if (!wasActive(facts, link.linkId, at)) return { reason: 'outside_window', detail: 'link_not_active_then' };
  if (!wasActive(facts, link.productId, at)) return { reason: 'outside_window', detail: 'product_not_active_then' };
  if (!wasActive(facts, link.influencerId, at))
    return { reason: 'outside_window', detail: 'influencer_not_active_then' };
  return undefined;
}

/** Checks a click on the line's product as evidence of levels 3, 5 and 6. */
export function judgeClick(
  facts: AttributionFacts,
  method: LadderMethod,
  click: ClickFact,
): Proof | { miss: Miss; link?: LinkFact } {
  const link = facts.links.find(({ linkId }) => linkId === click.linkId);
  if (link === undefined) return { miss: { reason: 'no_evidence', detail: 'unknown_link' } };
  const miss = missOfLink(facts, link, 'product') ?? missOfClick(facts, link, click.clickedAt, 0);
  if (miss !== undefined) return { miss, link };
  const { clickId, clickedAt, tag } = click;
  return { method, link, clickId, clickedAt, ...(tag !== undefined && { tag }) };
}

/** Counted clicks on the line's product, the newest first. Other verdicts show no interest of a person. */
export function countedClicks(facts: AttributionFacts): ClickFact[] {
  return facts.clicks
    .filter(({ verdict, productId }) => verdict === 'counted' && productId === facts.productId)
    .toSorted(newestFirst);
}

/** The newest click first; clicks of one millisecond by their ids, so that the order of arrival does not decide. */
export function newestFirst(a: ClickFact, b: ClickFact): number {
  return b.clickedAt.getTime() - a.clickedAt.getTime() || compareText(a.clickId, b.clickId);
}

/** Orders texts by code units, so the result is the same on every machine. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Whether the facts contain every click that levels 5 and 6 may need. */
export function isDrained(facts: AttributionFacts): boolean {
  if (facts.drainedTo === undefined) return false;
  return facts.drainedTo.getTime() >= facts.createdAt.getTime() + facts.inferenceDelaySeconds * 1000;
}

/** The lease in force at that time, if any. Leases of one slot never overlap (an exclusion constraint). */
export function leaseAt<Lease extends { validFrom: Date; validTo?: Date; influencerId: string }>(
  leases: readonly Lease[],
  at: Date,
): Lease | undefined {
  return leases
    .filter(({ validFrom, validTo }) => validFrom <= at && (validTo === undefined || at < validTo))
    .toSorted(
      (a, b) => a.validFrom.getTime() - b.validFrom.getTime() || compareText(a.influencerId, b.influencerId),
    )[0];
}

/** The link of an influencer for the line's product, in the line's brand; there is at most one. */
export function linkOfPair(facts: AttributionFacts, influencerId: string): LinkFact | undefined {
  return facts.links.find(
    (link) =>
      link.influencerId === influencerId && link.productId === facts.productId && link.brandId === facts.brandId,
  );
}

/** The attribution window in days, by the terms of the product sold, or of the link's product where the item is not registered. */
function windowDaysOf(facts: AttributionFacts, link: LinkFact): number | undefined {
  const productId = facts.productId ?? link.productId;
  return facts.windows.find((window) => window.influencerId === link.influencerId && window.productId === productId)
    ?.windowDays;
}

function wasActive(facts: AttributionFacts, subjectId: string, at: Date): boolean {
  let latest: AttributionFacts['statusChanges'][number] | undefined;
  for (const change of facts.statusChanges) {
    if (change.subjectId !== subjectId || change.changedAt > at) continue;
    const isLater =
      latest === undefined ||
      change.changedAt > latest.changedAt ||
      (change.changedAt.getTime() === latest.changedAt.getTime() && change.sequence > latest.sequence);
    if (isLater) latest = change;
  }
  // Before its first change a subject did not exist.
  return latest?.status === 'active';
}
