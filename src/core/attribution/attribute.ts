/**
 * Which link earned an order line: a ladder of evidence, from certain to inferred, and a person's decision above it.
 *
 * The first level that can answer decides; what stands below it is not asked. Nothing is ever split or guessed silently: where two
 * influencers could be meant, or only a policy of the brand could say, the line waits for a person with the candidates listed.
 */
import assert from 'node:assert/strict';
import type { AttributionMethod, AttributionState, Confidence, LadderMethod, UnmatchedReason } from '../vocabulary.ts';
import type { Proof } from './checks.ts';
import type { AttributionFacts, AttributionResult, Candidate, DecisionFact, LinkFact, TraceEntry } from './facts.ts';
import { clickIdLevel, clickTimeLevel, soleCandidateLevel } from './levels.ts';
import { codeLevel, relationLevel, trackingSlotLevel } from './named-levels.ts';
import type { LevelEnd, LevelOutcome } from './trace.ts';

export type { AttributionFacts, AttributionResult } from './facts.ts';

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

/** In the order of the checks: of two misses of one level, the one that came further says more. */
const HOW_FAR: readonly UnmatchedReason[] = [
  'no_evidence',
  'wrong_brand',
  'other_product',
  'product_not_registered',
  'order_before_click',
  'no_terms',
  'outside_window',
  'policy_off',
];

/** Reasons that end by themselves: a late click, a product or terms registered later. The others need a new fact about the order. */
const PASSING_REASONS: ReadonlySet<UnmatchedReason> = new Set([
  'waiting_for_clicks',
  'no_evidence',
  'product_not_registered',
  'no_terms',
]);

/**
 * Attributes one line. Pure: the same facts, in any order, give the same answer.
 *
 * A standing decision outranks all evidence. Without one the ladder answers; where nothing wins, the reason is the most informative
 * one: waiting for clicks first (nothing is final yet), else the miss of the highest level that had evidence of ours, and within one
 * level the miss that failed the latest check; `no_evidence` only if there is nothing better to say.
 *
 * @throws AssertionError when the facts are incomplete (a click id without its reading, an assigned link that was not loaded): a bug
 */
export function attribute(facts: AttributionFacts): AttributionResult {
  const byEvidence = climb(facts);
  return facts.decision === undefined ? byEvidence : decide(facts, facts.decision, byEvidence);
}

/**
 * Whether clicks on the product could change the answer; facts without any clicks are enough to ask. Spares the loader the search for
 * clicks of lines that stronger evidence decides.
 */
export function dependsOnClicks(facts: AttributionFacts): boolean {
  if (facts.productId === undefined) return false;
  const { state, trace } = climb({ ...facts, clicks: [] });
  const decidedAt = state === 'unmatched' ? undefined : trace.at(-1)?.method;
  if (decidedAt === 'click_id' || decidedAt === 'tracking_slot') return false;
  // A customer binding (level 3) stands or falls with clicks, so a code below it may yet be overtaken.
  return decidedAt === undefined || facts.evidence.sls !== undefined;
}

/** The part of a stored attribution that `reconcile` looks at. */
export interface StoredAttribution {
  state: AttributionState;
  method?: string | null;
  linkId?: string | null;
  reason?: string | null;
}

/** Evidence that disagrees with what stands: a review item, never a change. */
export type Dispute = OmitOfEach<AttributionResult, 'trace' | 'retry' | 'dispute'>;
type OmitOfEach<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

/**
 * What is to be stored, given what is stored.
 *
 * `locked`: the line's commission is payable (released). From then on only a person moves it: fresh evidence that disagrees is kept
 * beside it as a dispute. A decision, made or undone, is a person's, so it always takes effect.
 *
 * @returns `retry`: whether to look at the line again although no message came
 */
export function reconcile<Current extends StoredAttribution>({
  current,
  locked,
  fresh,
}: {
  current: Current | undefined;
  locked: boolean;
  fresh: AttributionResult;
}): { attribution: Current | AttributionResult; dispute?: Dispute; retry: boolean } {
  const isPersonal = isDecided(fresh) || (current !== undefined && isDecided(current));
  if (current === undefined || !locked || isPersonal || current.state !== 'matched') {
    return {
      attribution: fresh,
      ...(fresh.dispute !== undefined && { dispute: disputeOf(fresh.dispute) }),
      retry: fresh.retry,
    };
  }
  const agrees = fresh.state === 'matched' && fresh.linkId === current.linkId;
  // Clicks that are not in yet are no disagreement; what they say is asked again once they are.
  const isOpen = fresh.state === 'unmatched' && fresh.reason === 'waiting_for_clicks';
  return { attribution: current, ...(!agrees && !isOpen && { dispute: disputeOf(fresh) }), retry: isOpen };
}

function isDecided(attribution: StoredAttribution | AttributionResult): boolean {
  if (attribution.state === 'matched') return attribution.method === 'manual';
  return attribution.reason === 'rejected';
}

function disputeOf({ trace: _trace, retry: _retry, dispute: _dispute, ...said }: AttributionResult): Dispute {
  return said;
}

/** The ladder, from the strongest level down to the first that answers. */
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
    // Levels 5 and 6 wait for the same clicks, and what waits must not be overtaken by a weaker inference.
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

/** A person's word, with what evidence says instead where the person cannot have known it. */
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

/** Two things not even a person can do: credit another brand's link, and pay without terms. */
function refusalOf(facts: AttributionFacts, link: LinkFact): UnmatchedReason | undefined {
  if (link.brandId !== facts.brandId) return 'wrong_brand';
  const productId = facts.productId ?? link.productId;
  const priced = facts.windows.some((each) => each.influencerId === link.influencerId && each.productId === productId);
  return priced ? undefined : 'no_terms';
}

function mostInformative(facts: AttributionFacts, trace: readonly TraceEntry[]): UnmatchedReason {
  if (trace.some((entry) => entry.outcome === 'deferred')) return 'waiting_for_clicks';
  const telling = trace.filter((entry) => entry.reason !== undefined && entry.reason !== 'no_evidence');
  const highest = telling[0]?.method;
  const reasons = telling.filter(({ method }) => method === highest).flatMap(({ reason }) => reason ?? []);
  const furthest = reasons.toSorted((a, b) => HOW_FAR.indexOf(b) - HOW_FAR.indexOf(a))[0];
  return furthest ?? (facts.productId === undefined ? 'product_not_registered' : 'no_evidence');
}

/** The links that failed evidence names, strongest level first: what a person is offered. Policy `off` wants no suggestions. */
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
