/**
 * The attribution of an order line to a link: a ladder of evidence from certain to inferred, with a person's decision above it.
 *
 * The levels stand in `LEVELS`, the highest first. The first level that can answer decides, and lower levels are not evaluated. A commission is
 * never split and never guessed: where evidence names two influencers, or only the brand's policy could decide, the line waits for a person,
 * with the candidates listed.
 *
 * The file reads top-down: the ladder, a person's decision, then the reason and the candidates of a line that is not attributed.
 */
import assert from 'node:assert/strict';
import type { AttributionMethod, Confidence, LadderMethod, UnmatchedReason } from '../vocabulary.ts';
import type { Proof } from './checks.ts';
import type { AttributionFacts, AttributionResult, Candidate, DecisionFact, LinkFact, TraceEntry } from './facts.ts';
import { clickIdLevel, clickTimeLevel, soleCandidateLevel } from './click-levels.ts';
import { codeLevel, relationLevel, trackingSlotLevel } from './named-levels.ts';
import type { LevelEnd, LevelOutcome } from './trace.ts';

const LEVELS: readonly ((facts: AttributionFacts, named: ReadonlySet<string>) => LevelOutcome)[] = [
  clickIdLevel,
  trackingSlotLevel,
  relationLevel,
  codeLevel,
  clickTimeLevel,
  soleCandidateLevel,
];

const CONFIDENCE: Readonly<Record<AttributionMethod, Confidence>> = {
  manual: 'manual',
  click_id: 'exact',
  tracking_slot: 'exact',
  relation: 'strong',
  code: 'strong',
  click_time: 'inferred',
  sole_candidate: 'inferred',
};

/** Reasons in the order of the checks. Of two misses of one level, the one that failed the later check is more informative. */
const CHECK_ORDER: readonly UnmatchedReason[] = [
  'no_evidence',
  'wrong_brand',
  'other_product',
  'product_not_registered',
  'order_before_click',
  'no_terms',
  'outside_window',
  'policy_off',
];

/** Reasons that may end without a message about the order: a late click, a product or terms registered later. */
const PASSING_REASONS: ReadonlySet<UnmatchedReason> = new Set([
  'waiting_for_clicks',
  'no_evidence',
  'product_not_registered',
  'no_terms',
]);

/**
 * Attributes one line. The same facts, in any order, give the same answer.
 *
 * A standing decision outranks all evidence. Without one the ladder answers. If no level wins, the reason is the most informative one:
 * `waiting_for_clicks` first, because nothing is final yet; else the miss of the highest level with evidence, and within one level the miss that
 * failed the latest check; `no_evidence` only if there is no other.
 *
 * @throws AssertionError when the facts are incomplete (a click id without its reading, an assigned link that was not loaded): a bug
 */
export function attribute(facts: AttributionFacts): AttributionResult {
  const byEvidence = climb(facts);
  return facts.decision === undefined ? byEvidence : decide(facts, facts.decision, byEvidence);
}

/**
 * Whether clicks on the product could change the answer. The facts may come without clicks, so the caller loads clicks only for lines that
 * stronger evidence does not decide.
 */
export function dependsOnClicks(facts: AttributionFacts): boolean {
  if (facts.productId === undefined) return false;
  const { state, trace } = climb({ ...facts, clicks: [] });
  const decidedAt = state === 'unmatched' ? undefined : trace.at(-1)?.method;
  if (decidedAt === 'click_id' || decidedAt === 'tracking_slot') return false;
  // A customer binding (level 3) needs a click, so with one it may outrank the code below it.
  return decidedAt === undefined || facts.evidence.sls !== undefined;
}

/** The ladder, from the highest level down to the first that answers. */
function climb(facts: AttributionFacts): AttributionResult {
  const trace: TraceEntry[] = [];
  const named = new Set<string>();
  let unsettled = false;
  for (const level of LEVELS) {
    const outcome = level(facts, named);
    trace.push(...outcome.trace);
    unsettled ||= outcome.unsettled === true;
    for (const influencerId of outcome.named ?? []) named.add(influencerId);
    if (outcome.end !== undefined) return answer(facts, outcome.end, { trace, unsettled });
    // Levels 5 and 6 wait for the same clicks. Level 6 must not decide before level 5 can.
    if (outcome.trace.some((entry) => entry.outcome === 'deferred')) break;
  }
  const reason = mostInformative(facts, trace);
  return {
    state: 'unmatched',
    reason,
    candidates: candidatesOf(trace),
    trace,
    retry: unsettled || PASSING_REASONS.has(reason),
  };
}

function answer(
  facts: AttributionFacts,
  end: LevelEnd,
  { trace, unsettled }: { trace: TraceEntry[]; unsettled: boolean },
): AttributionResult {
  if (end.kind === 'won') return { ...credit(facts, end.proof), trace, retry: unsettled };
  const first = end.proofs.map((proof) => candidateOf(proof));
  const candidates = uniqueByLink([...first, ...candidatesOf(trace)]);
  if (end.kind === 'ambiguous') return { state: 'unmatched', reason: 'ambiguous', candidates, trace, retry: unsettled };
  return { state: 'review', reason: end.reason, candidates, trace, retry: unsettled };
}

function credit(facts: AttributionFacts, { method, link, clickId, clickedAt, tag }: Proof) {
  return {
    state: 'matched' as const,
    method,
    confidence: CONFIDENCE[method],
    linkId: link.linkId,
    influencerId: link.influencerId,
    productId: facts.productId ?? link.productId,
    ...(clickId !== undefined && { clickId }),
    ...(clickedAt !== undefined && { clickedAt }),
    ...(tag !== undefined && { tag }),
  };
}

/** A person's decision, with a dispute where evidence that the person did not know names another link. */
function decide(facts: AttributionFacts, decision: DecisionFact, byEvidence: AttributionResult): AttributionResult {
  const known = [decision.linkId, decision.overruledLinkId];
  const isNews = byEvidence.state === 'matched' && !known.includes(byEvidence.linkId);
  const dispute = isNews && { dispute: byEvidence };
  const entry: TraceEntry = { method: 'manual', outcome: 'won', detail: decision.kind };
  if (decision.kind === 'reject') {
    const trace = [{ ...entry, reason: 'rejected' as const }];
    return { state: 'unmatched', reason: 'rejected', candidates: [], trace, retry: false, ...dispute };
  }
  const link = facts.links.find(({ linkId }) => linkId === decision.linkId);
  assert(link !== undefined, 'the link that a person assigned is among the facts');
  const refusal = refusalOf(facts, link);
  if (refusal !== undefined) {
    const trace: TraceEntry[] = [{ ...entry, outcome: 'rejected', reason: refusal }];
    return { state: 'unmatched', reason: refusal, candidates: [], trace, retry: refusal === 'no_terms', ...dispute };
  }
  const { linkId, influencerId } = link;
  return {
    state: 'matched',
    method: 'manual',
    confidence: 'manual',
    linkId,
    influencerId,
    productId: facts.productId ?? link.productId,
    trace: [{ ...entry, linkId, influencerId }],
    retry: false,
    ...dispute,
  };
}

/** A person can neither credit another brand's link nor have a line paid without terms. */
function refusalOf(facts: AttributionFacts, link: LinkFact): UnmatchedReason | undefined {
  if (link.brandId !== facts.brandId) return 'wrong_brand';
  const productId = facts.productId ?? link.productId;
  const priced = facts.windows.some((each) => each.influencerId === link.influencerId && each.productId === productId);
  return priced ? undefined : 'no_terms';
}

function mostInformative(facts: AttributionFacts, trace: readonly TraceEntry[]): UnmatchedReason {
  if (trace.some((entry) => entry.outcome === 'deferred')) return 'waiting_for_clicks';
  const misses = trace.filter((entry) => entry.reason !== undefined && entry.reason !== 'no_evidence');
  const highest = misses[0]?.method;
  const reasons = misses.filter(({ method }) => method === highest).flatMap(({ reason }) => reason ?? []);
  const furthest = reasons.toSorted((a, b) => CHECK_ORDER.indexOf(b) - CHECK_ORDER.indexOf(a))[0];
  return furthest ?? (facts.productId === undefined ? 'product_not_registered' : 'no_evidence');
}

/** The links that failed evidence names, highest level first, as suggestions for a person. Policy `off` excludes its suggestions. */
function candidatesOf(trace: readonly TraceEntry[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const { method, outcome, reason, linkId, influencerId, clickId, clickedAt } of trace) {
    if (outcome === 'won' || reason === 'policy_off' || linkId === undefined || influencerId === undefined) continue;
    candidates.push({
      linkId,
      influencerId,
      method: ladderMethod(method),
      ...(clickId !== undefined && { clickId }),
      ...(clickedAt !== undefined && { clickedAt }),
    });
  }
  return uniqueByLink(candidates);
}

function ladderMethod(method: AttributionMethod): LadderMethod {
  assert(method !== 'manual', 'the ladder leaves no manual entry in its trace');
  return method;
}

function candidateOf({ method, link, clickId, clickedAt }: Proof): Candidate {
  return {
    linkId: link.linkId,
    influencerId: link.influencerId,
    method,
    ...(clickId !== undefined && { clickId }),
    ...(clickedAt !== undefined && { clickedAt }),
  };
}

function uniqueByLink(candidates: readonly Candidate[]): Candidate[] {
  const byLink = new Map<string, Candidate>();
  for (const candidate of candidates) if (!byLink.has(candidate.linkId)) byLink.set(candidate.linkId, candidate);
  return [...byLink.values()];
}
