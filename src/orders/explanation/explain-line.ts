import { rateOf } from '../../commissions/terms/terms.ts';
import { stageOf } from '../../core/money/accounts.ts';
import type { AttributionResult, Dispute } from '../../core/attribution/attribute.ts';
import type { AttributionFacts, Candidate, TraceEntry } from '../../core/attribution/facts.ts';
import { addDays } from '../../core/calendar.ts';
import type { CommissionTerms } from '../../core/money/commission.ts';
import { explainCommission, explainInfluencerLeg } from '../../core/money/explain-commission.ts';
import type { AttributionAnswer, DecisionAnswer } from '../reading/attribution-answer.ts';
import type { AttributionRow } from '../decisions/queries.ts';
import type { OrderLineRow, OrderRow } from '../reading/queries.ts';
import type { ExplainedLine, LadderStep } from './answer.ts';
import type { ConsideredClickRow, EntryRow, FrozenTermsRow } from './queries.ts';
import { wordsOf } from './trace-words.ts';

/** An influencer who looks at its own lines; absent: somebody who may see whole lines. */
export interface Viewer {
  influencerId: string;
  payeeId: string;
}

/** All that is known of a line, read but not yet told. */
export interface LineStory {
  order: OrderRow;
  line: OrderLineRow;
  facts: AttributionFacts;
  attribution: AttributionRow;
  /** The ladder run afresh, with and without the standing decision. */
  now: AttributionResult;
  byEvidence: AttributionResult;
  frozen: FrozenTermsRow | undefined;
  windowDays: number | undefined;
  decisions: DecisionAnswer[];
  clicks: ConsideredClickRow[];
  entries: EntryRow[];
  /** Codes of the links the story names, by link id. */
  codes: ReadonlyMap<string, string>;
}

/** Written by the first migration; the arithmetic shows the operator's share, not who the operator is. */
const OPERATOR_PAYEE_ID = 'pye_operator';

/** The links whose codes the story of a line needs. */
export function linksNamedBy(story: Pick<LineStory, 'now' | 'byEvidence' | 'attribution'>): string[] {
  const traces = [...story.now.trace, ...story.byEvidence.trace].flatMap(({ linkId }) => linkId ?? []);
  const standing = candidatesOf(story.attribution.candidates).map(({ linkId }) => linkId);
  const dispute = disputeOf(story.attribution);
  return [...traces, ...standing, ...(dispute?.state === 'matched' ? [dispute.linkId] : [])];
}

/**
 * Tells the story of a line. A viewer, who only ever sees lines credited to it, gets it redacted: its own leg, clicks and evidence;
 * neither who else might have been meant, nor who decided and what was noted.
 */
export function explainLine(story: LineStory, viewer: Viewer | undefined): ExplainedLine {
  const { line, order, windowDays } = story;
  return {
    ...factsOfSale(line),
    attribution: story.attribution,
    ...(viewer === undefined
      ? openMatters(story)
      : { candidates: [], dispute: null, byEvidence: null, evidence: null }),
    window:
      windowDays === undefined
        ? null
        : { days: windowDays, from: addDays(order.createdAt, -windowDays), until: order.createdAt },
    ladder: ladderOf(story, viewer),
    clicks: story.clicks,
    decisions: viewer === undefined ? story.decisions : story.decisions.map(withoutPeople),
    ...money(story, viewer),
  };
}

function factsOfSale(line: OrderLineRow) {
  const { id, externalLineId, productId, quantity, paidFen, refundedFen, refundExcessFen } = line;
  const { closed, refundOpen, receivedAt } = line;
  return {
    id,
    externalLineId,
    productId,
    quantity,
    paidFen,
    refundedFen,
    refundExcessFen,
    closed,
    refundOpen,
    receivedAt,
  };
}

function openMatters(story: LineStory) {
  const { evidence } = story.facts;
  const dispute = disputeOf(story.attribution);
  return {
    candidates: candidatesOf(story.attribution.candidates).flatMap((candidate) => {
      const linkCode = story.codes.get(candidate.linkId);
      if (linkCode === undefined) return [];
      const { influencerId, method, clickId, clickedAt } = candidate;
      return [{ linkCode, influencerId, method, clickId: clickId ?? null, clickedAt: dateOf(clickedAt) }];
    }),
    dispute: dispute === undefined ? null : answerOf(dispute, story.codes),
    byEvidence: answerOf(story.byEvidence, story.codes),
    evidence: {
      clickId: evidence.clickId ?? null,
      adzoneId: evidence.adzoneId ?? null,
      relationId: evidence.relationId ?? null,
      specialId: evidence.specialId ?? null,
      sls: evidence.sls ?? null,
      couponCode: evidence.couponCode ?? null,
      noteCodes: evidence.noteCodes ?? [],
      clickedAt: evidence.clickedAt ?? null,
    },
  };
}

/** A decision first, then the ladder as it would answer without it. */
function ladderOf(story: LineStory, viewer: Viewer | undefined): LadderStep[] {
  const decided = story.now.trace.filter(({ method }) => method === 'manual');
  return [...decided, ...story.byEvidence.trace]
    .filter(({ influencerId }) => viewer === undefined || influencerId === viewer.influencerId)
    .map((entry) => stepOf(entry, story.codes));
}

function stepOf(entry: TraceEntry, codes: ReadonlyMap<string, string>): LadderStep {
  const { method, outcome, detail, reason, linkId, influencerId, clickId, clickedAt } = entry;
  return {
    method,
    outcome,
    detail,
    words: wordsOf(entry),
    reason: reason ?? null,
    linkCode: linkId === undefined ? null : (codes.get(linkId) ?? null),
    influencerId: influencerId ?? null,
    clickId: clickId ?? null,
    clickedAt: clickedAt ?? null,
  };
}

function withoutPeople(decision: DecisionAnswer): DecisionAnswer {
  return { ...decision, linkCode: null, note: '', decidedBy: '', undoneBy: null };
}

function money({ line, frozen, entries }: LineStory, viewer: Viewer | undefined) {
  const { commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen } = line;
  const figures = { commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen };
  const amounts = { paidFen: line.paidFen, refundedFen: line.refundedFen, quantity: Number(line.quantity) };
  const explain = viewer === undefined ? explainCommission : explainInfluencerLeg;
  const isPriced = frozen !== undefined && frozen.influencerId === line.influencerId;
  return {
    terms: isPriced ? termsAnswer(frozen, viewer) : null,
    arithmetic: isPriced ? explain(amounts, termsOf(frozen)) : [],
    ...figures,
    stage: stageOf({ ...figures, reversedFen: 0n }),
    journal: entries,
  };
}

function termsAnswer(frozen: FrozenTermsRow, viewer: Viewer | undefined): ExplainedLine['terms'] {
  return viewer === undefined ? frozen : { ...frozen, platformFeeBp: null, agencyShareBp: null };
}

function termsOf(frozen: FrozenTermsRow): CommissionTerms {
  const { termsId, basis, windowDays, holdDays, platformFeeBp, agencyPayeeId, agencyShareBp } = frozen;
  return {
    termsId,
    basis,
    rate: rateOf(frozen),
    windowDays,
    holdDays,
    platformFeeBp,
    agency: agencyPayeeId === null ? undefined : { payeeId: agencyPayeeId, shareBp: agencyShareBp },
    influencerPayeeId: frozen.influencerPayeeId,
    operatorPayeeId: OPERATOR_PAYEE_ID,
  };
}

function answerOf(result: AttributionResult | Dispute, codes: ReadonlyMap<string, string>): AttributionAnswer {
  const nobody = {
    method: null,
    confidence: null,
    linkCode: null,
    influencerId: null,
    clickId: null,
    clickedAt: null,
    tag: null,
  };
  if (result.state !== 'matched') return { state: result.state, ...nobody, reason: result.reason };
  const { state, method, confidence, linkId, influencerId, clickId, clickedAt, tag } = result;
  return {
    state,
    method,
    confidence,
    linkCode: codes.get(linkId) ?? null,
    influencerId,
    clickId: clickId ?? null,
    clickedAt: dateOf(clickedAt),
    tag: tag ?? null,
    reason: null,
  };
}

/** As `reconcile` gave them to be stored; out of jsonb, their dates are ISO texts. */
function candidatesOf(stored: unknown): Candidate[] {
  return Array.isArray(stored) ? (stored as Candidate[]) : [];
}

function disputeOf({ dispute }: AttributionRow): Dispute | undefined {
  return dispute === null ? undefined : (dispute as Dispute);
}

function dateOf(value: Date | string | undefined): Date | null {
  return value === undefined ? null : new Date(value);
}
