/** The answer of a level, and the trace entries that explain it. The explanation of an order shows them. */
import type { LadderMethod, UnmatchedReason } from '../vocabulary.ts';
import type { Miss, Proof } from './checks.ts';
import type { LinkFact, TraceEntry } from './facts.ts';

export type LevelEnd =
  | { kind: 'won'; proof: Proof }
  | { kind: 'review'; reason: 'policy_review' | 'conflict'; proofs: Proof[] }
  | { kind: 'ambiguous'; proofs: Proof[] };

export interface LevelOutcome {
  trace: TraceEntry[];
  /** Absent: the next level is evaluated. */
  end?: LevelEnd;
  /** Influencers named by evidence that cannot pay. Levels 5 and 6 must not infer another influencer. */
  named?: string[];
  /** Late click rows could change the answer of this level. */
  unsettled?: boolean;
}

/** Evidence that cannot pay. `influencerId`: the influencer that a slot or coupon names nevertheless. */
export interface MissedEvidence {
  miss: Miss;
  link?: LinkFact;
  influencerId?: string;
  clickId?: string;
  clickedAt?: Date;
}

/** Nothing to consider at this level. */
export function nothing(method: LadderMethod, detail: string): LevelOutcome {
  return { trace: [{ method, outcome: 'none', detail }] };
}

/** The level cannot answer before the clicks are complete. */
export function deferred(method: LadderMethod): LevelOutcome {
  const entry: TraceEntry = {
    method,
    outcome: 'deferred',
    detail: 'clicks_not_complete',
    reason: 'waiting_for_clicks',
  };
  return { trace: [entry], unsettled: true };
}

/** The trace entry of evidence that names a link that may be credited. */
export function proofEntry(
  proof: Proof,
  outcome: TraceEntry['outcome'],
  detail: string,
  reason?: UnmatchedReason,
): TraceEntry {
  const { method, link, clickId, clickedAt } = proof;
  return {
    method,
    outcome,
    detail,
    ...(reason !== undefined && { reason }),
    linkId: link.linkId,
    influencerId: link.influencerId,
    ...(clickId !== undefined && { clickId }),
    ...(clickedAt !== undefined && { clickedAt }),
  };
}

/** The trace entry of evidence that cannot pay. Another brand's link is never named, because the line's brand reads the trace. */
export function missEntry(method: LadderMethod, piece: MissedEvidence): TraceEntry {
  const { miss, link, clickId, clickedAt } = piece;
  const influencerId = piece.influencerId ?? link?.influencerId;
  const isOurs = miss.reason !== 'wrong_brand';
  return {
    method,
    outcome: 'rejected',
    detail: miss.detail,
    reason: miss.reason,
    ...(isOurs && link !== undefined && { linkId: link.linkId }),
    ...(isOurs && influencerId !== undefined && { influencerId }),
    ...(clickId !== undefined && { clickId }),
    ...(clickedAt !== undefined && { clickedAt }),
  };
}
