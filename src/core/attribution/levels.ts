/**
 * Levels 1, 5 and 6 of the ladder: evidence that is a click of ours. Each is a pure function of the facts.
 *
 * A level ends the ladder (it wins, or only a person can decide) or passes on, with the miss of each piece of evidence in its trace.
 */
import assert from 'node:assert/strict';
import type { LadderMethod, Verdict } from '../vocabulary.ts';
import { UNREGISTERED, countedClicks, isDrained, judgeClick, missOfClick, missOfLink, newestFirst } from './checks.ts';
import type { Proof } from './checks.ts';
import type { AttributionFacts, ClickFact, TraceEntry } from './facts.ts';
import { deferred, missEntry, nothing, proofEntry } from './trace.ts';
import type { LevelOutcome } from './trace.ts';

/** Two machines' clocks may differ by this much: an authentic click id may be dated after its order. */
export const CLOCK_SKEW_MS = 120_000;
/** How long after our click (the middle page lies between) the platform may see the buyer arrive, and how far behind its clock may be. */
export const ARRIVAL_AFTER_CLICK_MS = 120_000;
export const ARRIVAL_BEFORE_CLICK_MS = 10_000;

/** A person's own browser asked for these. The others were made by machines, whose click ids may have been handed to anybody. */
const PERSONAL_VERDICTS: ReadonlySet<Verdict> = new Set(['counted', 'repeat', 'prefetch']);

/** Level 1: the click id we minted came back with the order. */
export function clickIdLevel(facts: AttributionFacts): LevelOutcome {
  const method = 'click_id';
  const clickId = facts.evidence.clickId;
  if (clickId === undefined) return nothing(method, 'no_click_id');
  const reading = facts.clickIdReading;
  assert(reading !== undefined, 'a click id comes with its reading');
  // An id that is not ours says nothing about anybody: no evidence, rather than evidence that failed.
  if (!reading.ok) {
    return { trace: [missEntry(method, { miss: { reason: 'no_evidence', detail: reading.reason }, clickId })] };
  }
  const click = { clickId, clickedAt: reading.clickedAt };
  const link = facts.links.find(({ linkNumber }) => linkNumber === reading.linkNumber);
  if (link === undefined) {
    return { trace: [missEntry(method, { miss: { reason: 'no_evidence', detail: 'unknown_link' }, ...click })] };
  }
  const miss =
    missOfLink(facts, link, facts.policy.scope) ?? missOfClick(facts, link, reading.clickedAt, CLOCK_SKEW_MS);
  if (miss !== undefined) return { trace: [missEntry(method, { miss, link, ...click })] };

  const row = facts.clickRow;
  if (row === undefined) {
    const proof: Proof = { method, link, ...click };
    const trace = [proofEntry(proof, 'won', 'authentic_without_row')];
    return { trace, end: { kind: 'won', proof }, unsettled: !isDrained(facts) };
  }
  const proof: Proof = { method, link, ...click, ...(row.tag !== undefined && { tag: row.tag }) };
  if (PERSONAL_VERDICTS.has(row.verdict)) {
    return { trace: [proofEntry(proof, 'won', 'authentic')], end: { kind: 'won', proof } };
  }
  const trace = [proofEntry(proof, 'review', `verdict_${row.verdict}`, 'policy_review')];
  return { trace, end: { kind: 'review', reason: 'policy_review', proofs: [proof] } };
}

/** When a click showed somebody's interest: at the click, or later at a step on its middle page. */
function shownAt({ clickedAt, steppedAt }: ClickFact): Date {
  return steppedAt ?? clickedAt;
}

/** Level 5 takes a repeated click as well where a step on its page shows a person: repeating is how people come back to the page. */
function clicksOrSteps(facts: AttributionFacts): ClickFact[] {
  const repeated = facts.clicks.filter(
    ({ verdict, productId, steppedAt }) =>
      verdict === 'repeat' && steppedAt !== undefined && productId === facts.productId,
  );
  return [...countedClicks(facts), ...repeated].toSorted(newestFirst);
}

/**
 * Level 5: the platform saw the buyer arrive on the product just when links of exactly one influencer had been clicked, or when people were
 * at work on their middle pages.
 */
export function clickTimeLevel(facts: AttributionFacts, named: ReadonlySet<string>): LevelOutcome {
  const method = 'click_time';
  const arrivedAt = facts.evidence.clickedAt;
  if (arrivedAt === undefined) return nothing(method, 'no_click_time');
  if (facts.productId === undefined) return { trace: [missEntry(method, { miss: UNREGISTERED })] };
  if (!isDrained(facts)) return deferred(method);
  const distanceMs = (click: ClickFact): number => Math.abs(arrivedAt.getTime() - shownAt(click).getTime());
  const near = clicksOrSteps(facts)
    .filter((click) => {
      const delayMs = arrivedAt.getTime() - shownAt(click).getTime();
      return delayMs >= -ARRIVAL_BEFORE_CLICK_MS && delayMs <= ARRIVAL_AFTER_CLICK_MS;
    })
    // The sort is stable: of two equally near clicks the newer stays first.
    .toSorted((a, b) => distanceMs(a) - distanceMs(b));
  return near.length === 0 ? nothing(method, 'no_click_near') : infer(facts, named, method, near);
}

/** Level 6: in the window, links of exactly one influencer led people to the product. The brand's policy says what that is worth. */
export function soleCandidateLevel(facts: AttributionFacts, named: ReadonlySet<string>): LevelOutcome {
  const method = 'sole_candidate';
  if (facts.orderSource === 'tbk') return nothing(method, 'platform_converts_links');
  if (facts.productId === undefined) return { trace: [missEntry(method, { miss: UNREGISTERED })] };
  const policy = facts.policy.inferred;
  // With `off` nothing can be won by waiting.
  if (policy !== 'off' && !isDrained(facts)) return deferred(method);
  const earlier = countedClicks(facts).filter(({ clickedAt }) => clickedAt <= facts.createdAt);
  if (earlier.length === 0) return nothing(method, 'no_click_in_window');
  const outcome = infer(facts, named, method, earlier);
  if (policy === 'pay' || outcome.end === undefined) return outcome;
  const proofs = outcome.end.kind === 'won' ? [outcome.end.proof] : outcome.end.proofs;
  const losers = outcome.trace.filter((entry) => proofs.every(({ link }) => link.linkId !== entry.linkId));
  if (policy === 'off') {
    return { trace: [...proofs.map((proof) => proofEntry(proof, 'rejected', 'policy_off', 'policy_off')), ...losers] };
  }
  if (outcome.end.kind !== 'won') return outcome;
  const trace = [...proofs.map((proof) => proofEntry(proof, 'review', 'policy_review', 'policy_review')), ...losers];
  return { trace, end: { kind: 'review', reason: 'policy_review', proofs } };
}

/** The answer of a level of inferred evidence, from clicks with the best first: it needs all of them to be one influencer's. */
function infer(
  facts: AttributionFacts,
  named: ReadonlySet<string>,
  method: LadderMethod,
  clicks: readonly ClickFact[],
): LevelOutcome {
  const best = new Map<string, Proof>();
  const missed = new Map<string, TraceEntry>();
  for (const click of clicks) {
    const judged = judgeClick(facts, method, click);
    if (!('miss' in judged)) {
      if (!best.has(judged.link.influencerId)) best.set(judged.link.influencerId, judged);
    } else if (!missed.has(click.influencerId)) {
      missed.set(
        click.influencerId,
        missEntry(method, { ...judged, clickId: click.clickId, clickedAt: click.clickedAt }),
      );
    }
  }
  for (const influencerId of best.keys()) missed.delete(influencerId);
  const proofs = [...best.values()];
  const [proof] = proofs;
  if (proof === undefined) return { trace: [...missed.values()] };
  if (proofs.length > 1) {
    const trace = proofs.map((each) => proofEntry(each, 'rejected', 'ambiguous', 'ambiguous'));
    return { trace: [...trace, ...missed.values()], end: { kind: 'ambiguous', proofs } };
  }
  if (named.size > 0 && !named.has(proof.link.influencerId)) {
    const trace = [proofEntry(proof, 'review', 'another_influencer_named', 'conflict'), ...missed.values()];
    return { trace, end: { kind: 'review', reason: 'conflict', proofs } };
  }
  return { trace: [proofEntry(proof, 'won', method), ...missed.values()], end: { kind: 'won', proof } };
}
