/**
 * Levels 2 to 4 of the ladder: evidence that names an influencer by a slot, a relation, a coupon or a code. Each piece is weighed on its own.
 * Then one influencer wins, or a person decides between several. `click-levels.ts` has levels 1, 5 and 6.
 */
import type { LadderMethod } from '../vocabulary.ts';
import { compareText, countedClicks, isDrained, judgeClick, leaseAt, linkOfPair } from './checks.ts';
import { UNREGISTERED, missOfActivity, missOfClick, missOfLink, missOfTerms } from './checks.ts';
import type { Miss, Proof } from './checks.ts';
import type { AttributionFacts, LinkFact, SlotLease } from './facts.ts';
import { missEntry, nothing, proofEntry } from './trace.ts';
import type { LevelOutcome, MissedEvidence } from './trace.ts';

/** One piece of evidence, weighed: a proof, or the reason why it proves nothing. */
type Weighed = { proof: Proof } | MissedEvidence;

/** Level 2: the platform's order names an adzone that was leased to one influencer for one product when the buyer arrived. */
export function trackingSlotLevel(facts: AttributionFacts): LevelOutcome {
  const { adzoneId } = facts.evidence;
  if (adzoneId === undefined) return nothing('tracking_slot', 'no_slot');
  return settle('tracking_slot', [weighSlot(facts, { method: 'tracking_slot', kind: 'adzone', externalId: adzoneId })]);
}

/** Level 3: the platform names the influencer whose channel or customer the buyer is. The influencer and the product name a link. */
export function relationLevel(facts: AttributionFacts): LevelOutcome {
  const { relationId, specialId, sls } = facts.evidence;
  const weighed: Weighed[] = [];
  for (const externalId of new Set([relationId, specialId])) {
    // A member's special_id is leased as a slot of kind `relation` too; both ids name a promoter of the platform.
    if (externalId !== undefined) weighed.push(weighSlot(facts, { method: 'relation', kind: 'relation', externalId }));
  }
  if (sls === undefined) return weighed.length === 0 ? nothing('relation', 'no_relation') : settle('relation', weighed);
  weighed.push(...weighSls(facts, sls));
  // A late click may confirm or contradict the binding.
  return { ...settle('relation', weighed), unsettled: !isDrained(facts) };
}

/** Level 4: the buyer used a registered coupon, or wrote a link's code into the note. With codes of two influencers a person decides. */
export function codeLevel(facts: AttributionFacts): LevelOutcome {
  const weighed: Weighed[] = facts.evidence.couponCode === undefined ? [] : [weighCoupon(facts)];
  const noted = new Set(facts.noteLinks.map(({ linkId }) => linkId));
  const links = facts.links
    .filter(({ linkId }) => noted.has(linkId))
    .toSorted((a, b) => compareText(a.linkId, b.linkId));
  weighed.push(...links.map((link) => weighNamedLink(facts, link)));
  return weighed.length === 0 ? nothing('code', 'no_code') : settle('code', weighed);
}

/** Weighs a slot at the platform's click time, or at the order's creation where the platform gives no click time. */
function weighSlot(
  facts: AttributionFacts,
  slot: { method: LadderMethod; kind: SlotLease['kind']; externalId: string },
): Weighed {
  const arrivedAt = facts.evidence.clickedAt;
  const at = arrivedAt ?? facts.createdAt;
  const leases = facts.slots.filter(({ kind, externalId }) => kind === slot.kind && externalId === slot.externalId);
  const weighed = weighLease(facts, leases, at);
  const when = arrivedAt !== undefined && { clickedAt: arrivedAt };
  if ('miss' in weighed) return { ...weighed, ...when };
  const { link } = weighed;
  const miss = missOfLink(facts, link, 'product') ?? missOfClick(facts, link, at, 0) ?? missOfActivity(facts, link, at);
  if (miss !== undefined) return { miss, link, influencerId: link.influencerId, ...when };
  return { proof: { method: slot.method, link, ...when } };
}

/**
 * Weighs Youzan's salesman. It is bound to a customer for longer than one purchase, so it counts only with a click of that influencer in the
 * window. Newer clicks of other influencers are weighed too, so that they contradict it.
 */
function weighSls(facts: AttributionFacts, sls: string): Weighed[] {
  const leases = facts.slots.filter(({ kind, externalId }) => kind === 'sls' && externalId === sls);
  const weighed = weighLease(facts, leases, facts.createdAt);
  // A binding alone proves no visit, so its influencer makes no conflict and does not restrict lower levels (no `influencerId`).
  if ('miss' in weighed) {
    return [{ miss: weighed.miss.reason === 'conflict' ? { ...weighed.miss, reason: 'no_evidence' } : weighed.miss }];
  }
  const proofs = countedClicks(facts).flatMap((click) => {
    const judged = judgeClick(facts, 'relation', click);
    return 'miss' in judged ? [] : [judged];
  });
  const own = proofs.findIndex(({ link }) => link.influencerId === weighed.link.influencerId);
  if (own === -1) {
    const miss: Miss = { reason: 'no_evidence', detail: 'no_click_of_influencer' };
    return [{ miss, link: weighed.link }];
  }
  const newerLast = proofs.slice(0, own + 1).toReversed();
  return newerLast.map((proof) => ({ proof }));
}

function weighCoupon(facts: AttributionFacts): Weighed {
  const weighed = weighLease(facts, facts.coupons, facts.createdAt);
  if ('miss' in weighed) return weighed;
  const named = weighNamedLink(facts, weighed.link);
  return 'miss' in named ? { ...named, influencerId: weighed.link.influencerId } : named;
}

/** Weighs a link that a code names. A code has no time of its own, so the order's creation counts. */
function weighNamedLink(facts: AttributionFacts, link: LinkFact): Weighed {
  const miss =
    missOfLink(facts, link, 'product') ?? missOfTerms(facts, link) ?? missOfActivity(facts, link, facts.createdAt);
  return miss === undefined ? { proof: { method: 'code', link } } : { miss, link };
}

/** The link of (the leasing influencer, the line's product), from the leases of one slot or coupon. */
function weighLease(
  facts: AttributionFacts,
  leases: readonly { influencerId: string; productId?: string; validFrom: Date; validTo?: Date }[],
  at: Date,
): { link: LinkFact } | { miss: Miss; influencerId?: string } {
  const owner = leases[0]?.influencerId;
  if (owner === undefined) return { miss: { reason: 'no_evidence', detail: 'unknown_to_us' } };
  const lease = leaseAt(leases, at);
  if (lease === undefined)
    return { miss: { reason: 'outside_window', detail: 'not_leased_then' }, influencerId: owner };
  const { influencerId } = lease;
  if (facts.productId === undefined) return { miss: UNREGISTERED, influencerId };
  if (lease.productId !== undefined && lease.productId !== facts.productId) {
    return { miss: { reason: 'other_product', detail: 'slot_of_another_product' }, influencerId };
  }
  const link = linkOfPair(facts, influencerId);
  // The named influencer has no link for the product, so lower levels could only name another influencer.
  return link === undefined ? { miss: { reason: 'conflict', detail: 'no_link_for_pair' }, influencerId } : { link };
}

/** The answer of a level of named evidence: one influencer wins; a person decides about two, or about one without a link. */
function settle(method: LadderMethod, weighed: readonly Weighed[]): LevelOutcome {
  const proofs = weighed.flatMap((piece) => ('proof' in piece ? [piece.proof] : []));
  const misses = weighed.flatMap((piece) => ('miss' in piece ? [piece] : []));
  const missTrace = misses.map((piece) => missEntry(method, piece));
  const isConflict = influencersOf(proofs).size > 1 || misses.some(({ miss }) => miss.reason === 'conflict');
  if (isConflict) {
    const trace = [...proofs.map((proof) => proofEntry(proof, 'review', 'conflict', 'conflict')), ...missTrace];
    return { trace, end: { kind: 'review', reason: 'conflict', proofs } };
  }
  // Of two pieces that name one link, the one with a click is more informative.
  const proof = proofs.find(({ clickId }) => clickId !== undefined) ?? proofs[0];
  if (proof !== undefined) {
    return { trace: [proofEntry(proof, 'won', 'named'), ...missTrace], end: { kind: 'won', proof } };
  }
  return { trace: missTrace, named: misses.flatMap(({ influencerId }) => influencerId ?? []) };
}

function influencersOf(proofs: readonly Proof[]): Set<string> {
  return new Set(proofs.map(({ link }) => link.influencerId));
}
