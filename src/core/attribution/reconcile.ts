/** How a fresh answer of the ladder changes a stored attribution, and when only a person may change it. */
import type { AttributionState } from '../vocabulary.ts';
import type { AttributionResult } from './facts.ts';

/** The part of a stored attribution that `reconcile` compares. */
export interface StoredAttribution {
  state: AttributionState;
  method?: string | null;
  linkId?: string | null;
  reason?: string | null;
}

/** Evidence that contradicts the stored attribution: an item for a person to review, never a change. */
export type Dispute = OmitOfEach<AttributionResult, 'trace' | 'retry' | 'dispute'>;
type OmitOfEach<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

/**
 * The attribution to store, from the stored one and a fresh answer of the ladder.
 *
 * @param locked  the line's commission is released. From then on only a person changes the attribution; fresh evidence that contradicts it is
 *   stored beside it as a dispute. A decision that a person makes or undoes always takes effect.
 * @returns the attribution to store; `dispute` where evidence contradicts it; `retry`: whether to attribute the line again although no message
 *   arrives
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
  // Missing clicks contradict nothing; the line is attributed again when they are complete.
  const isOpen = fresh.state === 'unmatched' && fresh.reason === 'waiting_for_clicks';
  return { attribution: current, ...(!agrees && !isOpen && { dispute: disputeOf(fresh) }), retry: isOpen };
}

function isDecided(attribution: StoredAttribution | AttributionResult): boolean {
  if (attribution.state === 'matched') return attribution.method === 'manual';
  return attribution.reason === 'rejected';
}

function disputeOf({ trace: _trace, retry: _retry, dispute: _dispute, ...answer }: AttributionResult): Dispute {
  return answer;
}
