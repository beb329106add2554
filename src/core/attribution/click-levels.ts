/**
 * Levels 1, 5 and 6 of the ladder: evidence that is a click on one of our links. `named-levels.ts` has levels 2 to 4.
 *
 * A level ends the ladder (it wins, or a person must decide) or passes to the next level, with the miss of each piece of evidence in its trace.
 */
import assert from 'node:assert/strict';
import type { LadderMethod, Verdict } from '../vocabulary.ts';
import { UNREGISTERED, countedClicks, isDrained, judgeClick, missOfClick, missOfLink, newestFirst } from './checks.ts';
import type { Proof } from './checks.ts';
import type { AttributionFacts, ClickFact, TraceEntry } from './facts.ts';
import { deferred, missEntry, nothing, proofEntry } from './trace.ts';
import type { LevelOutcome } from './trace.ts';

/** The allowed difference between two machines' clocks: an authentic click id may be dated this much after its order. */
export const CLOCK_SKEW_MS = 120_000;
/** The platform may record the buyer's arrival this long after the click (the middle page is between), or before it (its clock is behind). */
export const ARRIVAL_AFTER_CLICK_MS = 120_000;
export const ARRIVAL_BEFORE_CLICK_MS = 10_000;

/** Requests of a person's own browser. A machine made the others, and their click ids may have been passed on. */
const PERSONAL_VERDICTS: ReadonlySet<Verdict> = new Set(['counted', 'repeat', 'prefetch']);

/** Level 1: the order carries a click id that we made. */
export function clickIdLevel(facts: AttributionFacts): LevelOutcome {
  const method = 'click_id';
  const clickId = facts.evidence.clickId;
  if (clickId === undefined) return nothing(method, 'no_click_id');
  const reading = facts.clickIdReading;
  assert(reading !== undefined, 'a click id comes with its reading');
  // A forged or foreign id names no link, so it is no evidence instead of failed evidence.
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

/** When a click shows a person's interest: at the click, or at a later step on its middle page. */
function shownAt({ clickedAt, steppedAt }: ClickFact): Date {
  return steppedAt ?? clickedAt;
}

/** The clicks of level 5: counted ones, and repeats with a step on their page, because people return to the page by tapping again. */
function clicksOrSteps(facts: AttributionFacts): ClickFact[] {
  const repeated = facts.clicks.filter(
    ({ verdict, productId, steppedAt }) =>
      verdict === 'repeat' && steppedAt !== undefined && productId === facts.productId,
  );
  return [...countedClicks(facts), ...repeated].toSorted(newestFirst);
}

/** Level 5: the platform recorded the buyer's arrival on the product close to clicks, or to steps on middle pages, of exactly one influencer. */
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

/** Level 6: the counted clicks on the product in the window are all of one influencer. The brand's policy decides whether that pays. */
export function soleCandidateLevel(facts: AttributionFacts, named: ReadonlySet<string>): LevelOutcome {
  const method = 'sole_candidate';
  if (facts.orderSource === 'tbk') return nothing(method, 'platform_converts_links');
  if (facts.productId === undefined) return { trace: [missEntry(method, { miss: UNREGISTERED })] };
  const policy = facts.policy.inferred;
  // Policy `off` never pays, so there is no reason to wait.
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

/** The answer of a level of inferred evidence. It wins only if all valid clicks are of one influencer. @param clicks  the best first */
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
