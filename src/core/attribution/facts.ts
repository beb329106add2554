/**
 * The input and the answer of the attribution ladder, for one order line. Shapes only: `attribute.ts` has the ladder, `click-levels.ts` and
 * `named-levels.ts` its levels, `checks.ts` the conditions that every level applies.
 *
 * Facts hold no clock and no connection, so the same facts always give the same answer. The order of their arrays has no influence.
 */
import type {
  AttributionMethod,
  Confidence,
  DecisionKind,
  InferredPolicy,
  LadderMethod,
  MatchingScope,
  OrderSource,
  SlotKind,
  TraceOutcome,
  UnmatchedReason,
  Verdict,
} from '../vocabulary.ts';
import type { ClickIdReading } from '../clicks/click-id.ts';
import type { LineEvidence } from '../orders/order-event.ts';

export interface AttributionFacts {
  brandId: string;
  storeId: string;
  /** `tbk`: the platform converts the store's links, so level 6 never applies. */
  orderSource: OrderSource;
  /** When the buyer placed the order. */
  createdAt: Date;
  /** Absent: no product is registered under the line's item. */
  productId?: string;
  evidence: LineEvidence;
  /** The brand's policy in force when the order was created. */
  policy: { scope: MatchingScope; inferred: InferredPolicy };
  /** The standing decision of a person. */
  decision?: DecisionFact;
  /** The reading of `evidence.clickId`; required where that is present. */
  clickIdReading?: ClickIdReading;
  /** The stored row of `evidence.clickId`; absent until the worker has written it. */
  clickRow?: { verdict: Verdict; tag?: string };
  /** Every link that any of the evidence names. */
  links: LinkFact[];
  /** Leases of the slots that the evidence names, of any time. */
  slots: SlotLease[];
  /** Leases of the coupon that the evidence names, of any time. */
  coupons: CouponLease[];
  /** Links that the codes in the buyer's note name. */
  noteLinks: { code: string; linkId: string }[];
  /** Clicks on the line's product: those near `evidence.clickedAt` by themselves or by a step, and the latest counted one of each influencer up to `createdAt`. */
  clicks: ClickFact[];
  /** Status history of the links, products and influencers that levels 2–4 may credit. */
  statusChanges: StatusChange[];
  /** The attribution window of each influencer that may be credited, by the terms of the product sold; no entry: no terms. */
  windows: { influencerId: string; productId: string; windowDays: number }[];
  /** All clicks made before this instant are stored; absent: unknown. */
  drainedTo?: Date;
  inferenceDelaySeconds: number;
}

export interface DecisionFact {
  kind: DecisionKind;
  /** On `assign`. */
  linkId?: string;
  /** The link that evidence named when the person decided. The person knew it, so it makes no dispute. */
  overruledLinkId?: string;
}

export interface LinkFact {
  linkId: string;
  linkNumber: number;
  brandId: string;
  storeId: string;
  productId: string;
  influencerId: string;
}

/** Valid from `validFrom` (inclusive) to `validTo` (exclusive). */
export interface SlotLease {
  kind: SlotKind;
  externalId: string;
  influencerId: string;
  productId?: string;
  validFrom: Date;
  validTo?: Date;
}

/** Valid from `validFrom` (inclusive) to `validTo` (exclusive). */
export interface CouponLease {
  code: string;
  influencerId: string;
  validFrom: Date;
  validTo?: Date;
}

export interface ClickFact {
  clickId: string;
  clickedAt: Date;
  linkId: string;
  influencerId: string;
  productId: string;
  verdict: Verdict;
  tag?: string;
  /** A step on the middle page of this click that is nearer to the platform's `clickedAt` than the click itself; level 5 uses it. */
  steppedAt?: Date;
}

export interface StatusChange {
  subjectId: string;
  status: string;
  changedAt: Date;
  /** Orders two changes of one instant. */
  sequence: bigint;
}

/** A link a person may choose for a line; always one of the line's own brand. */
export interface Candidate {
  linkId: string;
  influencerId: string;
  method: LadderMethod;
  clickId?: string;
  clickedAt?: Date;
}

/** One piece of evidence and its result. Never names a link of another brand, because the brand that owns the line reads the trace. */
export interface TraceEntry {
  method: AttributionMethod;
  outcome: TraceOutcome;
  /** A snake_case word that is more specific than the reason: `forged`, `link_not_active_then`, `slot_of_another_product`. */
  detail: string;
  reason?: UnmatchedReason;
  linkId?: string;
  influencerId?: string;
  clickId?: string;
  clickedAt?: Date;
}

interface Answer {
  trace: TraceEntry[];
  /** Whether the answer may change without a message: late clicks, or a product or terms registered later. */
  retry: boolean;
  /** Beside a person's decision: the answer of evidence that arrived later and names another link. */
  dispute?: AttributionResult;
}

export interface Matched extends Answer {
  state: 'matched';
  method: AttributionMethod;
  confidence: Confidence;
  linkId: string;
  influencerId: string;
  /** The product whose terms price the line: the product sold, or the link's where the item is not registered. */
  productId: string;
  clickId?: string;
  clickedAt?: Date;
  tag?: string;
}

export interface Unmatched extends Answer {
  state: 'unmatched';
  reason: UnmatchedReason;
  candidates: Candidate[];
}

/** Evidence that pays only after a person's decision; the suggestion is the first candidate. */
export interface InReview extends Answer {
  state: 'review';
  reason: 'policy_review' | 'conflict';
  candidates: Candidate[];
}

export type AttributionResult = Matched | Unmatched | InReview;
