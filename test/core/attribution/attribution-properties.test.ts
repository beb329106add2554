import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../src/core/attribution/attribute.ts';
import type { AttributionFacts } from '../../../src/core/attribution/facts.ts';
import { arbitraryFacts, shuffled } from './attribution-arbitraries.ts';
import { DAY_MS, ORDER_AT, SECOND_MS } from './attribution-builders.ts';

const RUNS = { numRuns: 2_000, seed: 20261122 };

const RANK = ['manual', 'click_id', 'tracking_slot', 'relation', 'code', 'click_time', 'sole_candidate'];

/** Takes from the facts what only levels below the given one look at. */
function withoutEvidenceBelow(rank: number, of: AttributionFacts): AttributionFacts {
  const { clickId, adzoneId, relationId, specialId, sls, clickedAt } = of.evidence;
  const kept: AttributionFacts['evidence'] = {
    ...(clickId !== undefined && { clickId }),
    ...(rank >= 2 && adzoneId !== undefined && { adzoneId }),
    ...(rank >= 2 && clickedAt !== undefined && { clickedAt }),
    ...(rank >= 3 && relationId !== undefined && { relationId }),
    ...(rank >= 3 && specialId !== undefined && { specialId }),
    ...(rank >= 3 && sls !== undefined && { sls }),
    ...(rank >= 4 && of.evidence.couponCode !== undefined && { couponCode: of.evidence.couponCode }),
  };
  return { ...of, evidence: kept, noteLinks: rank >= 4 ? of.noteLinks : [], clicks: rank >= 3 ? of.clicks : [] };
}

describe('for any facts', () => {
  it('the order of the arrays never changes the answer, its trace or its candidates', () => {
    fc.assert(
      fc.property(shuffled, ({ of, again }) => {
        expect(attribute(again)).toEqual(attribute(of));
      }),
      RUNS,
    );
  });

  it('no answer credits, suggests or names a link of another brand', () => {
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        const foreign = new Set(of.links.filter(({ brandId }) => brandId !== of.brandId).map(({ linkId }) => linkId));
        const result = attribute(of);
        const named = [
          ...(result.state === 'matched' ? [result.linkId] : result.candidates.map(({ linkId }) => linkId)),
          ...result.trace.map(({ linkId }) => linkId),
        ];
        expect(named.filter((linkId) => linkId !== undefined && foreign.has(linkId))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('a winner is not changed by any evidence of the levels below it', () => {
    const winners = new Set<string>();
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        const result = attribute(of);
        if (result.state !== 'matched') return;
        winners.add(result.method);
        const bare = attribute(withoutEvidenceBelow(RANK.indexOf(result.method), of));
        expect(bare).toMatchObject({ state: 'matched', method: result.method, linkId: result.linkId });
      }),
      RUNS,
    );
    // The property would hold of nothing if the facts drawn never let a level win.
    expect([...winners].toSorted()).toEqual([
      'click_id',
      'click_time',
      'code',
      'relation',
      'sole_candidate',
      'tracking_slot',
    ]);
  });

  it('a winner keeps to its brand, product, window and terms', () => {
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        const result = attribute(of);
        if (result.state !== 'matched') return;
        const credited = of.links.find(({ linkId }) => linkId === result.linkId);
        expect(credited).toMatchObject({ brandId: 'brd', storeId: 'str', influencerId: result.influencerId });
        const isWide = result.method === 'click_id' && of.policy.scope === 'store';
        expect(isWide || credited?.productId === of.productId).toBe(true);
        expect(
          of.windows.some((each) => each.influencerId === result.influencerId && each.productId === result.productId),
        ).toBe(true);
        if (result.clickedAt === undefined) return;
        const ageMs = ORDER_AT.getTime() - result.clickedAt.getTime();
        expect(ageMs).toBeLessThanOrEqual(15 * DAY_MS);
        expect(ageMs).toBeGreaterThanOrEqual(result.method === 'click_id' ? -120 * SECOND_MS : 0);
      }),
      RUNS,
    );
  });

  it('inferred methods credit nobody while clicks are missing, and never two influencers’ line', () => {
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        const result = attribute(of);
        if (result.state !== 'matched' || result.confidence !== 'inferred') return;
        expect(of.drainedTo?.getTime()).toBeGreaterThanOrEqual(ORDER_AT.getTime() + 600 * SECOND_MS);
        expect(result.method === 'sole_candidate' && of.orderSource === 'tbk').toBe(false);
        expect(result.method === 'sole_candidate' && of.policy.inferred !== 'pay').toBe(false);
      }),
      RUNS,
    );
  });

  it('every line that earns nothing has a reason, and every review a suggestion or a conflict', () => {
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        const result = attribute(of);
        if (result.state === 'matched') return;
        expect(result.reason).toMatch(/^[a-z_]+$/);
        expect(result.state === 'unmatched' || result.reason === 'conflict' || result.candidates.length > 0).toBe(true);
        expect(result.trace.every(({ outcome }) => outcome !== 'won')).toBe(true);
      }),
      RUNS,
    );
  });

  it('a standing decision decides', () => {
    fc.assert(
      fc.property(arbitraryFacts, (of) => {
        expect(attribute({ ...of, decision: { kind: 'reject' } })).toMatchObject({
          state: 'unmatched',
          reason: 'rejected',
        });
        const own = of.links.find(
          ({ brandId, influencerId, productId }) =>
            brandId === 'brd' &&
            of.windows.some(
              (each) => each.influencerId === influencerId && each.productId === (of.productId ?? productId),
            ),
        );
        if (own === undefined) return;
        const decided = attribute({ ...of, decision: { kind: 'assign', linkId: own.linkId } });
        expect(decided).toMatchObject({ state: 'matched', method: 'manual', linkId: own.linkId });
      }),
      RUNS,
    );
  });
});
