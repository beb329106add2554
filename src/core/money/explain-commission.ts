/** The commission of a line, step by step, in words and in numbers that a person can compute again. */
import type { PayeeKind } from '../vocabulary.ts';
import { type CommissionTerms, commissionLegs, type LineAmounts, lineCommission } from './commission.ts';

/** One step. `formula` is in fen and basis points, whole numbers; `/` rounds down. */
export interface ArithmeticStep {
  name: 'paid' | 'refunded' | 'net' | 'commission' | PayeeKind;
  words: string;
  formula: string;
  amountFen: bigint;
}

const LEG_WORDS: Readonly<Record<PayeeKind, string>> = {
  operator: 'the operator’s fee, off the top',
  agency: 'the agency’s share of the rest',
  influencer: 'the influencer keeps the remainder',
};

/**
 * Explains the commission of a line for a reader who may see all of it. The results come from the functions that are used for booking.
 *
 * @returns paid, refunded, net, commission, then one step for each leg
 * @throws AssertionError as `lineCommission` and `splitCommission`
 */
export function explainCommission(line: LineAmounts, terms: CommissionTerms): ArithmeticStep[] {
  const commissionFen = lineCommission({ ...line, terms });
  return [
    ...explainNet(line),
    {
      name: 'commission',
      words: 'the commission of the line, never more than the net',
      formula: `${commissionFormula(line, terms)} = ${commissionFen}`,
      amountFen: commissionFen,
    },
    ...explainLegs({ line, commissionFen }, terms),
  ];
}

/** Explains the line to its influencer: the net and its own leg. The parts of other payees stay confidential. */
export function explainInfluencerLeg(line: LineAmounts, terms: CommissionTerms): ArithmeticStep[] {
  const amountFen = commissionLegs(line, terms).find(({ role }) => role === 'influencer')?.commissionFen ?? 0n;
  return [
    ...explainNet(line),
    { name: 'influencer', words: 'your part of the commission', formula: `${amountFen}`, amountFen },
  ];
}

function explainNet({ paidFen, refundedFen }: LineAmounts): ArithmeticStep[] {
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

function commissionFormula({ paidFen, refundedFen, quantity }: LineAmounts, terms: CommissionTerms): string {
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
  { line, commissionFen: totalFen }: { line: LineAmounts; commissionFen: bigint },
  terms: CommissionTerms,
): ArithmeticStep[] {
  let restFen = totalFen;
  const steps: ArithmeticStep[] = [];
  for (const { role, commissionFen } of commissionLegs(line, terms)) {
    const shareBp = role === 'operator' ? terms.platformFeeBp : (terms.agency?.shareBp ?? 0);
    const formula =
      role === 'influencer' ? `${restFen}` : `(${restFen} * ${shareBp} + 5000) / 10000 = ${commissionFen}`;
    steps.push({ name: role, words: LEG_WORDS[role], formula, amountFen: commissionFen });
    restFen -= commissionFen;
  }
  return steps;
}
