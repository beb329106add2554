import { describe, expect, it } from 'vitest';
import { selectTerms, type TermsVersion } from '../../../src/core/money/rate-card.ts';
import { minute } from './money-builders.ts';

function version(termsId: string, more: Partial<TermsVersion> = {}): TermsVersion {
  const everything = { influencerId: null, productId: null, storeId: null, validFrom: minute(0), validTo: null };
  return { termsId, ...everything, ...more };
}

function later(base: TermsVersion, minutes: number): TermsVersion {
  return { ...base, validFrom: minute(minutes) };
}

describe('which terms', () => {
  const sale = { createdAt: minute(100), productId: 'prd_1', storeId: 'str_1', influencerId: 'inf_1' };
  const brand = version('brand');
  const store = version('store', { storeId: 'str_1' });
  const product = version('product', { productId: 'prd_1' });
  const influencerStore = version('influencer+store', { influencerId: 'inf_1', storeId: 'str_1' });
  const influencerProduct = version('influencer+product', { influencerId: 'inf_1', productId: 'prd_1' });
  const all = [brand, store, product, influencerStore, influencerProduct];
  const chosen = (...versions: TermsVersion[]): string | undefined => selectTerms(versions, sale)?.termsId;

  it('the most specific wins, level by level', () => {
    const inOrder = all.map((_, count) => chosen(...all.slice(0, all.length - count)));
    expect(inOrder).toEqual(['influencer+product', 'influencer+store', 'product', 'store', 'brand']);
    expect(chosen(...all.toReversed())).toBe('influencer+product');
    expect(chosen()).toBeUndefined();
  });

  it.each([
    { productId: 'prd_2' },
    { storeId: 'str_2' },
    { influencerId: 'inf_2', productId: 'prd_1' },
    { influencerId: 'inf_2', storeId: 'str_1' },
    // A rule for everything one influencer sells has no level, so it never applies.
    { influencerId: 'inf_1' },
  ])('terms of %j do not cover the sale', (scope) => {
    expect(chosen(version('other', scope))).toBeUndefined();
  });

  it('a version holds from its first instant until before its last', () => {
    expect(chosen(version('from now', { validFrom: minute(100) }), version('old', { validTo: minute(100) }))).toBe(
      'from now',
    );
    expect(chosen(version('still', { validTo: new Date(minute(100).getTime() + 1) }))).toBe('still');
    expect(chosen(version('over', { validTo: minute(100) }))).toBeUndefined();
  });

  it('a level without a version in force passes to the next', () => {
    expect(chosen({ ...product, validTo: minute(99) }, { ...influencerProduct, validFrom: minute(101) }, brand)).toBe(
      'brand',
    );
  });

  it('none in force: the first later version, the most specific of one instant', () => {
    expect(chosen(later(product, 102), later(brand, 101))).toBe('brand');
    expect(chosen(later(brand, 101), later(product, 101), later(store, 101))).toBe('product');
    expect(chosen({ ...product, validTo: minute(50) }, later(store, 500))).toBe('store');
  });
});
