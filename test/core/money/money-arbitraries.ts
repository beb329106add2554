/** Random money for property tests. */
import * as fc from 'fast-check';
import type { CommissionTerms } from '../../../src/core/money/commission.ts';
import { plainTerms } from './money-builders.ts';

// A fixed seed: a failure is the same on every machine, and fast-check prints the path to replay it.
export const runs = (numRuns: number): { numRuns: number; seed: number } => ({ numRuns, seed: 20_261_122 });

/** Fen; small, so that amounts meet often. */
export const anyAmount = fc.integer({ min: 0, max: 400 });

export const anyTerms: fc.Arbitrary<CommissionTerms> = fc.record({
  termsId: fc.constant(plainTerms.termsId),
  windowDays: fc.constant(plainTerms.windowDays),
  holdDays: fc.constant(plainTerms.holdDays),
  influencerPayeeId: fc.constant(plainTerms.influencerPayeeId),
  operatorPayeeId: fc.constant(plainTerms.operatorPayeeId),
  rate: fc.oneof(
    fc.record({ kind: fc.constant('rate' as const), rateBp: fc.integer({ min: 0, max: 9_000 }) }),
    fc.record({ kind: fc.constant('flat' as const), flatFen: fc.bigInt({ min: 0n, max: 500n }) }),
  ),
  basis: fc.constantFrom('order_amount', 'platform_commission'),
  platformFeeBp: fc.integer({ min: 0, max: 10_000 }),
  agency: fc.option(fc.record({ payeeId: fc.constant('pye_agency'), shareBp: fc.integer({ min: 0, max: 10_000 }) }), {
    nil: undefined,
  }),
});
