/** One line of one order, and short ways to say what is known about where its buyer came from. */
import { attribute } from '../../../src/core/attribution/attribute.ts';
import type {
  AttributionFacts,
  AttributionResult,
  ClickFact,
  LinkFact,
  SlotLease,
  StatusChange,
} from '../../../src/core/attribution/facts.ts';

/** When the order of every story is placed. */
export const ORDER_AT = new Date('2026-11-22T04:00:00.000Z');
export const SECOND_MS = 1000;
export const DAY_MS = 86_400_000;
/** Authentic as far as the stories are concerned: its reading is told beside it. */
export const CLICK_ID = 'AQAAAAABAZ2sdnSAAAAAAAAAAAAAAAAAAAAAAA';

/** An instant before (or, negative, after) the order. */
export function before(ms: number): Date {
  return new Date(ORDER_AT.getTime() - ms);
}

/** Influencer a's link on product p is `lnk_a_p`; numbers follow the letters. */
export function link(influencer: string, product = 'p', extra: Partial<LinkFact> = {}): LinkFact {
  const linkNumber = influencer.charCodeAt(0) * 1000 + product.charCodeAt(0);
  return {
    linkId: `lnk_${influencer}_${product}`,
    linkNumber,
    brandId: 'brd',
    storeId: 'str',
    productId: product,
    influencerId: influencer,
    ...extra,
  };
}

/** A counted click on the influencer's link, so long before the order. */
export function click(influencer: string, beforeMs: number, extra: Partial<ClickFact> = {}): ClickFact {
  return {
    clickId: `click_${influencer}_${beforeMs}`,
    clickedAt: before(beforeMs),
    linkId: `lnk_${influencer}_p`,
    influencerId: influencer,
    productId: 'p',
    verdict: 'counted',
    ...extra,
  };
}

export function slot(
  kind: SlotLease['kind'],
  externalId: string,
  influencer: string,
  extra: Partial<SlotLease> = {},
): SlotLease {
  const lease = { kind, externalId, influencerId: influencer, validFrom: before(100 * DAY_MS) };
  return { ...lease, ...(kind === 'adzone' && { productId: 'p' }), ...extra };
}

/** Everything exists and is active since long before the order. */
export function activeSince(subjectIds: readonly string[], at = before(200 * DAY_MS)): StatusChange[] {
  return subjectIds.map((subjectId) => ({ subjectId, status: 'active', changedAt: at, sequence: 1n }));
}

/**
 * Product p of store str, sold through the brand's own shop; influencers a and b each have a link to p (and a one to q), terms of 15 days,
 * everything active, every click known, inferred sales paid. No evidence and no clicks unless told.
 */
export function facts(told: Partial<AttributionFacts> = {}): AttributionFacts {
  const links = told.links ?? [link('a'), link('b'), link('a', 'q')];
  const subjects = new Set(links.flatMap(({ linkId, productId, influencerId }) => [linkId, productId, influencerId]));
  const products = [...new Set(links.map(({ productId }) => productId))];
  const influencers = [...new Set(links.map(({ influencerId }) => influencerId))];
  return {
    brandId: 'brd',
    storeId: 'str',
    orderSource: 'shop',
    createdAt: ORDER_AT,
    productId: 'p',
    evidence: {},
    policy: { scope: 'product', inferred: 'pay' },
    links,
    slots: [],
    coupons: [],
    noteLinks: [],
    clicks: [],
    statusChanges: activeSince([...subjects]),
    windows: influencers.flatMap((influencerId) =>
      products.map((productId) => ({ influencerId, productId, windowDays: 15 })),
    ),
    drainedTo: before(-600 * SECOND_MS),
    inferenceDelaySeconds: 600,
    ...told,
  };
}

/** The line carries an authentic click id of the influencer's link, clicked so long before the order. */
export function withClickId(beforeMs: number, of: LinkFact = link('a')): Partial<AttributionFacts> {
  const reading = {
    ok: true as const,
    keyNumber: 1,
    linkNumber: of.linkNumber,
    clickedAt: before(beforeMs),
    random: new Uint8Array(8),
  };
  return { evidence: { clickId: CLICK_ID }, clickIdReading: reading };
}

/** The same facts of a line whose product we do not know. */
export function unregistered(of: AttributionFacts): AttributionFacts {
  const { productId: _, ...rest } = of;
  return rest;
}

/** The answer in one line: `method linkId` of a winner, `reason` of a line nobody earns, `review reason` of one a person decides. */
export function said(told: Partial<AttributionFacts>): string {
  return inShort(attribute(facts(told)));
}

/** As `said`, of an answer. */
export function inShort(result: AttributionResult): string {
  if (result.state === 'matched') return `${result.method} ${result.linkId}`;
  return result.state === 'review' ? `review ${result.reason}` : result.reason;
}
