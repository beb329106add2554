import assert from 'node:assert/strict';
import type { CommissionRate } from '../../core/money/commission.ts';
import { createRateCard, type RateCard } from '../../core/money/rate-card.ts';
import type { Queryable } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import { listPolicies, listTermsOfScopes, type RateCardScope } from './queries.ts';

export type { RateCard } from '../../core/money/rate-card.ts';
export type { RateCardScope } from './queries.ts';

/**
 * Reads a brand's terms and policies, all of them or those that may concern the given stores, products and influencers.
 *
 * A narrowed card answers only for sales within its scope: for another store, product or influencer it may miss a more specific version.
 */
export async function getRateCard(
  db: Queryable,
  { influencerIds, ...scope }: RateCardScope & { influencerIds?: readonly string[] },
): Promise<RateCard> {
  const card = (await listRateCards(db, [scope], influencerIds)).get(scope.brandId);
  assert(card !== undefined, 'every brand named has a card');
  return card;
}

/** As `getRateCard` for several brands at once, each named by one scope; by brand id. */
export async function listRateCards(
  db: Queryable,
  scopes: readonly RateCardScope[],
  influencerIds?: readonly string[],
): Promise<Map<string, RateCard>> {
  if (scopes.length === 0) return new Map();
  const brandIds = scopes.map(({ brandId }) => brandId);
  const { terms, policies } = await pipelined(db, () => ({
    terms: listTermsOfScopes(db, scopes, influencerIds),
    policies: listPolicies(db, brandIds),
  }));
  const versionsOf = Map.groupBy(
    terms.map((row) => Object.assign(row, { rate: rateOf(row) })),
    ({ brandId }) => brandId,
  );
  const policiesOf = Map.groupBy(policies, ({ brandId }) => brandId);
  return new Map(brandIds.map((id) => [id, createRateCard(versionsOf.get(id) ?? [], policiesOf.get(id) ?? [])]));
}

/** The rate of a stored version or of the copy on a line; both columns together hold exactly one (a check constraint). */
export function rateOf(row: { rateBp: number | null; flatFen: bigint | null }): CommissionRate {
  if (row.rateBp !== null) return { kind: 'rate', rateBp: row.rateBp };
  assert(row.flatFen !== null, 'terms hold a rate or a flat amount');
  return { kind: 'flat', flatFen: row.flatFen };
}
