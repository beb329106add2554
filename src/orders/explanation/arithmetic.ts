import { commissionLegs, lineCommission } from '../../core/money/commission.ts';
import type { CommissionTerms } from '../../core/money/commission.ts';
import type { ArithmeticStep } from './answer.ts';

export interface PricedLine {
  paidFen: bigint;
  refundedFen: bigint;
  quantity: bigint;
}

/**
 * How a line's commission comes about, step by step, in words and in numbers a person can redo.
 *
 * @returns the last steps are the legs; the results are computed by the same functions that book them
 */
export function explainArithmetic(line: PricedLine, terms: CommissionTerms): ArithmeticStep[] {
  const { paidFen, refundedFen } = line;
  const amounts = { paidFen, refundedFen, quantity: Number(line.quantity) };
  const commissionFen = lineCommission({ ...amounts, terms });
  return [
    ...explainNet(line),
    {
      name: 'commission',
      words: 'the commission of the line, never more than the net',
      formula: `${commissionFormula(line, terms)} = ${commissionFen}`,
      amountFen: commissionFen,
    },
    ...explainLegs({ ...amounts, commissionFen }, terms),
  ];
}

/** The same for an influencer: what the line was worth, and its own leg. What others get is not its business. */
export function explainOwnLeg(line: PricedLine, terms: CommissionTerms): ArithmeticStep[] {
  const { paidFen, refundedFen } = line;
  const legs = commissionLegs({ paidFen, refundedFen, quantity: Number(line.quantity) }, terms);
  const amountFen = legs.find(({ role }) => role === 'influencer')?.commissionFen ?? 0n;
  return [
    ...explainNet(line),
    { name: 'influencer', words: 'your part of the commission', formula: `${amountFen}`, amountFen },
  ];
}

function explainNet({ paidFen, refundedFen }: PricedLine): ArithmeticStep[] {
  const netFen = paidFen - refundedFen;
  return [
    {
      name: 'paid',
      words: 'what the buyer paid for the line after discounts, without freight',
      formula: `${paidFen}`,
      amountFen: paidFen,
    },
    { name: 'refunded', words: 'what the buyer got back', formula: `${refundedFen}`, amountFen: refundedFen },
    { name: 'net', words: 'paid less refunded', formula: `${paidFen} - ${refundedFen} = ${netFen}`, amountFen: netFen },
  ];
}

function commissionFormula(line: PricedLine, terms: CommissionTerms): string {
  const { paidFen, refundedFen, quantity } = line;
  const netFen = paidFen - refundedFen;
  if (paidFen === 0n) return 'nothing was paid';
  if (terms.rate.kind === 'flat') {
    return `min(${netFen}, half up of ${terms.rate.flatFen} * ${quantity} * ${netFen} / ${paidFen})`;
  }
  if (terms.basis === 'platform_commission') return 'the commission the platform pays for the line is not known yet';
  return `(${netFen} * ${terms.rate.rateBp} + 5000) / 10000`;
}

/** In cascade: the fee off the top, the agency's share of the rest, the remainder to the influencer. */
function explainLegs(
  amounts: { paidFen: bigint; refundedFen: bigint; quantity: number; commissionFen: bigint },
  terms: CommissionTerms,
): ArithmeticStep[] {
  let restFen = amounts.commissionFen;
  const steps: ArithmeticStep[] = [];
  for (const { role, commissionFen } of commissionLegs(amounts, terms)) {
    const shareBp = role === 'operator' ? terms.platformFeeBp : (terms.agency?.shareBp ?? 0);
    const formula =
      role === 'influencer' ? `${restFen}` : `(${restFen} * ${shareBp} + 5000) / 10000 = ${commissionFen}`;
    steps.push({ name: role, words: LEG_WORDS[role], formula, amountFen: commissionFen });
    restFen -= commissionFen;
  }
  return steps;
}

const LEG_WORDS = {
  operator: 'the operator’s fee, off the top',
  agency: 'the agency’s share of the rest',
  influencer: 'the influencer keeps the remainder',
} as const;
