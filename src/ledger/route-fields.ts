/** What the routes of the ledger have in common: the filter of commissions, the figures of a row, and an `asOf` that is not sealed. */
import { z } from 'zod';
import { PLATFORMS, STAGES } from '../core/vocabulary.ts';
import { brandScope, influencerScope, type Principal } from '../access/principal.ts';
import { dayOrInstant, fen, prefixedId } from '../http/fields.ts';
import { problems } from '../http/problem.ts';
import type { CommissionFilter } from './figures.ts';
import type { SealCoverage } from './seal/sealer.ts';

export const stage = z.enum(STAGES);

/** Where commission stands, fen. Always: commission = pending + payable + inPayout + paidOut − debt. */
export const positionFields = {
  commissionFen: fen,
  pendingFen: fen,
  payableFen: fen,
  inPayoutFen: fen,
  paidOutFen: fen,
  debtFen: fen,
  reversedFen: fen,
};
export const POSITION_COLUMNS = Object.keys(positionFields) as readonly (keyof typeof positionFields)[];

/** The buyers' money behind it, fen: paidFen before refunds. */
export const buyerFields = { paidFen: fen, refundedFen: fen };

/** Query fields that narrow commissions; spread them into a strict object. `from` and `to` are half-open. */
export const commissionFilterQuery = {
  influencerId: prefixedId('inf').optional(),
  brandId: prefixedId('brd').optional(),
  storeId: prefixedId('str').optional(),
  productId: prefixedId('prd').optional(),
  platform: z.enum(PLATFORMS).optional(),
  stage: stage.optional(),
  from: dayOrInstant.optional(),
  to: dayOrInstant.optional(),
};

type FilterQuery = z.output<z.ZodObject<typeof commissionFilterQuery>>;

/** The requested filter, confined to what the caller may see. */
export function commissionFilter(principal: Principal, query: FilterQuery): CommissionFilter {
  return {
    brandScope: brandScope(principal) ?? null,
    influencerScope: influencerScope(principal) ?? null,
    brandId: query.brandId ?? null,
    influencerId: query.influencerId ?? null,
    storeId: query.storeId ?? null,
    productId: query.productId ?? null,
    platform: query.platform ?? null,
    stage: query.stage ?? null,
    from: query.from ?? null,
    to: query.to ?? null,
  };
}

/** @throws Problem `as_of_not_sealed` where the sealer has not reached the instant, as every instant in the future */
export function requireCovered(coverage: SealCoverage): void {
  if (coverage.covered) return;
  throw problems.asOfNotSealed(
    coverage.sealedThrough === undefined
      ? 'Nothing is sealed yet; try again in a second.'
      : `The journal is sealed through ${coverage.sealedThrough.toISOString()}; ask for that instant or an earlier one.`,
  );
}
