/**
 * How a level answers, and how it says why: the entries of the trace that `explain` shows.
 */
import type { LadderMethod, UnmatchedReason } from '../vocabulary.ts';
import type { Miss, Proof } from './checks.ts';
import type { LinkFact, TraceEntry } from './facts.ts';

export type LevelEnd =
  | { kind: 'won'; proof: Proof }
  | { kind: 'review'; reason: 'policy_review' | 'conflict'; proofs: Proof[] }
  | { kind: 'ambiguous'; proofs: Proof[] };

export interface LevelOutcome {
  trace: TraceEntry[];
  /** Absent: the next level is asked. */
  end?: LevelEnd;
  /** Influencers whom the platform or a coupon names although it cannot pay: levels 5 and 6 must not guess somebody else. */
  named?: string[];
  /** Click rows that may still arrive could change what this level says. */
  unsettled?: boolean;
}

/** Evidence that cannot pay. `influencerId`: whom a slot or coupon names all the same. */
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

/** The entry of evidence that names a link that may be credited. */
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

/** The entry of evidence that cannot pay. Another brand's link is never named: the trace is read by the brand that owns the line. */
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
