import { rateOf } from '../../commissions/terms/rate-cards.ts';
import { stageOf } from '../../core/money/accounts.ts';
import type { Dispute } from '../../core/attribution/reconcile.ts';
import type { AttributionFacts, Candidate, TraceEntry, AttributionResult } from '../../core/attribution/facts.ts';
import { addDays } from '../../core/calendar.ts';
import type { CommissionTerms } from '../../core/money/commission.ts';
import { explainCommission, explainInfluencerLeg } from '../../core/money/explain-commission.ts';
import type { AttributionAnswer, DecisionAnswer } from '../reading/attribution-answer.ts';
import type { AttributionRow } from '../decisions/queries.ts';
import type { OrderLineRow, OrderRow } from '../reading/queries.ts';
import type { ExplainedLine, LadderStep } from './answer.ts';
import type { ConsideredClickRow, PostingRow, PricedTermsRow } from './queries.ts';
import { wordsOf } from './trace-words.ts';

/** An influencer that reads its own lines; absent: the caller may see whole lines. */
export interface Viewer {
  influencerId: string;
  payeeId: string;
}

/** Everything that was read about a line, before it is rendered. */
export interface LineRecord {
  order: OrderRow;
  line: OrderLineRow;
  facts: AttributionFacts;
  attribution: AttributionRow;
  /** The ladder run afresh, with and without the standing decision. */
  now: AttributionResult;
  byEvidence: AttributionResult;
  priced: PricedTermsRow | undefined;
  windowDays: number | undefined;
  decisions: DecisionAnswer[];
  clicks: ConsideredClickRow[];
  postings: PostingRow[];
  /** Codes of the links that the record names, by link id. */
  codes: ReadonlyMap<string, string>;
}

/** Written by a migration; the arithmetic shows the operator's share, not its name. */
const OPERATOR_PAYEE_ID = 'pye_operator';

/** The links whose codes the explanation of a line shows. */
export function linksNamedBy(record: Pick<LineRecord, 'now' | 'byEvidence' | 'attribution'>): string[] {
  const traces = [...record.now.trace, ...record.byEvidence.trace].flatMap(({ linkId }) => linkId ?? []);
  const standing = candidatesOf(record.attribution.candidates).map(({ linkId }) => linkId);
  const dispute = disputeOf(record.attribution);
  return [...traces, ...standing, ...(dispute?.state === 'matched' ? [dispute.linkId] : [])];
}

/**
 * Renders the explanation of a line. A viewer sees only lines credited to it, and of them its own leg, clicks and evidence: other candidates,
 * the persons behind decisions and their notes are left out.
 */
export function explainLine(record: LineRecord, viewer: Viewer | undefined): ExplainedLine {
  const { line, order, windowDays } = record;
  return {
    ...factsOfSale(line),
    attribution: record.attribution,
    ...(viewer === undefined
      ? openMatters(record)
      : { candidates: [], dispute: null, byEvidence: null, evidence: null }),
    window:
      windowDays === undefined
        ? null
        : { days: windowDays, from: addDays(order.createdAt, -windowDays), until: order.createdAt },
    ladder: ladderOf(record, viewer),
    clicks: record.clicks,
    decisions: viewer === undefined ? record.decisions : record.decisions.map(withoutPeople),
    ...money(record, viewer),
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

function openMatters(record: LineRecord) {
  const { evidence } = record.facts;
  const dispute = disputeOf(record.attribution);
  return {
    candidates: candidatesOf(record.attribution.candidates).flatMap((candidate) => {
      const linkCode = record.codes.get(candidate.linkId);
      if (linkCode === undefined) return [];
      const { influencerId, method, clickId, clickedAt } = candidate;
      return [{ linkCode, influencerId, method, clickId: clickId ?? null, clickedAt: dateOf(clickedAt) }];
    }),
    dispute: dispute === undefined ? null : answerOf(dispute, record.codes),
    byEvidence: answerOf(record.byEvidence, record.codes),
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
function ladderOf(record: LineRecord, viewer: Viewer | undefined): LadderStep[] {
  const decided = record.now.trace.filter(({ method }) => method === 'manual');
  return [...decided, ...record.byEvidence.trace]
    .filter(({ influencerId }) => viewer === undefined || influencerId === viewer.influencerId)
    .map((entry) => stepOf(entry, record.codes));
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

function money({ line, priced, postings }: LineRecord, viewer: Viewer | undefined) {
  const { commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen } = line;
  const figures = { commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen };
  const amounts = { paidFen: line.paidFen, refundedFen: line.refundedFen, quantity: Number(line.quantity) };
  const explain = viewer === undefined ? explainCommission : explainInfluencerLeg;
  const isPriced = priced !== undefined && priced.influencerId === line.influencerId;
  return {
    terms: isPriced ? termsAnswer(priced, viewer) : null,
    arithmetic: isPriced ? explain(amounts, termsOf(priced)) : [],
    ...figures,
    stage: stageOf({ ...figures, reversedFen: 0n }),
    journal: postings,
  };
}

function termsAnswer(priced: PricedTermsRow, viewer: Viewer | undefined): ExplainedLine['terms'] {
  return viewer === undefined ? priced : { ...priced, platformFeeBp: null, agencyShareBp: null };
}

function termsOf(priced: PricedTermsRow): CommissionTerms {
  const { termsId, basis, windowDays, holdDays, platformFeeBp, agencyPayeeId, agencyShareBp } = priced;
  return {
    termsId,
    basis,
    rate: rateOf(priced),
    windowDays,
    holdDays,
    platformFeeBp,
    agency: agencyPayeeId === null ? undefined : { payeeId: agencyPayeeId, shareBp: agencyShareBp },
    influencerPayeeId: priced.influencerPayeeId,
    operatorPayeeId: OPERATOR_PAYEE_ID,
  };
}

function answerOf(result: AttributionResult | Dispute, codes: ReadonlyMap<string, string>): AttributionAnswer {
  const noEarner = {
    method: null,
    confidence: null,
    linkCode: null,
    influencerId: null,
    clickId: null,
    clickedAt: null,
    tag: null,
  };
  if (result.state !== 'matched') return { state: result.state, ...noEarner, reason: result.reason };
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
