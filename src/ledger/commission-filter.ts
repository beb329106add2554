import { z } from 'zod';
import { PLATFORMS } from '../core/vocabulary.ts';
import { brandScope, influencerScope, type Principal } from '../access/principal.ts';
import { dayOrInstant, prefixedId } from '../http/fields.ts';
import { stage } from './figures.ts';
import type { CommissionFilter } from './totals/queries.ts';

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

/** What the caller asked for, confined to what it may see. */
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
