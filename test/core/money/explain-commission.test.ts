import { describe, expect, it } from 'vitest';
import { explainCommission, explainInfluencerLeg } from '../../../src/core/money/explain-commission.ts';
import { plainTerms, sharedTerms } from './money-builders.ts';

const line = { paidFen: 19_900n, refundedFen: 5_000n, quantity: 2 };
const amounts = (steps: { name: string; amountFen: bigint }[]): [string, bigint][] =>
  steps.map(({ name, amountFen }) => [name, amountFen]);

describe('the commission of a line, explained', () => {
  it('ends with the legs, whose sum is the commission', () => {
    const steps = explainCommission(line, sharedTerms);
    const of = (name: string): bigint => steps.find((step) => step.name === name)?.amountFen ?? -1n;
    expect(steps.map(({ name }) => name)).toEqual([
      'paid',
      'refunded',
      'net',
      'commission',
      'operator',
      'agency',
      'influencer',
    ]);
    expect(of('operator') + of('agency') + of('influencer')).toBe(of('commission'));
    expect(of('net')).toBe(14_900n);
  });

  it('shows a formula that gives the amount when it is computed again', () => {
    const { formula } = explainCommission(line, plainTerms)[3] ?? {};
    expect(formula).toBe('(14900 * 1500 + 5000) / 10000 = 2235');
    const flat = { ...plainTerms, rate: { kind: 'flat', flatFen: 500n } } as const;
    expect(explainCommission(line, flat)[3]?.formula).toBe('min(14900, half up of 500 * 2 * 14900 / 19900) = 749');
  });

  it('shows an influencer the net and its own leg, and no other payee', () => {
    const own = explainCommission(line, sharedTerms).find(({ name }) => name === 'influencer')?.amountFen;
    expect(amounts(explainInfluencerLeg(line, sharedTerms))).toEqual([
      ['paid', 19_900n],
      ['refunded', 5_000n],
      ['net', 14_900n],
      ['influencer', own],
    ]);
  });
});
