/**
 * Which terms and which policy of a brand apply to a sale. Both are versioned; a sale is priced by the versions in force when its order was
 * created.
 */
import {
  type CommissionBasis,
  type CommissionRate,
  selectTerms,
  type TermsSubject,
  type TermsVersion,
} from './commission.ts';

/** The rule chosen for a sale, without the split of its commission. */
export interface ChosenTerms {
  termsId: string;
  basis: CommissionBasis;
  rate: CommissionRate;
  windowDays: number;
  holdDays: number;
}

/** What a brand pays for evidence that only infers (levels 5 and 6), how far a click reaches, and the operator's fee. */
export interface BrandPolicy {
  inferred: 'pay' | 'review' | 'off';
  scope: 'product' | 'store';
  platformFeeBp: number;
}

/** A version of a brand's policy, in force from `validFrom` until before `validTo`. */
export interface PolicyVersion extends BrandPolicy {
  validFrom: Date;
  validTo: Date | null;
}

/** A brand without any policy version: a person decides about inferred sales, and the operator takes no fee. */
const DEFAULT_POLICY: BrandPolicy = { inferred: 'review', scope: 'product', platformFeeBp: 0 };

/**
 * The policy in force at an instant.
 *
 * @param versions  of the brand, the oldest first
 * @returns before the first version the first, without any the default
 */
export function selectPolicy(versions: readonly PolicyVersion[], at: Date): BrandPolicy {
  const inForce = versions.find(({ validFrom, validTo }) => validFrom <= at && (validTo === null || at < validTo));
  const { inferred, scope, platformFeeBp } = inForce ?? versions[0] ?? DEFAULT_POLICY;
  return { inferred, scope, platformFeeBp };
}

/** The versions of a brand's terms and policy, read once and applied to many sales. */
export interface RateCard {
  /** As `selectTerms`. */
  termsFor(sale: TermsSubject): ChosenTerms | undefined;
  /** As `selectPolicy`. */
  policyAt(createdAt: Date): BrandPolicy;
}

/**
 * The rate card of one brand.
 *
 * @param terms     in any order
 * @param policies  the oldest first
 */
export function createRateCard(
  terms: readonly (TermsVersion & ChosenTerms)[],
  policies: readonly PolicyVersion[],
): RateCard {
  return {
    termsFor(sale) {
      const version = selectTerms(terms, sale);
      if (version === undefined) return undefined;
      const { termsId, basis, rate, windowDays, holdDays } = version;
      return { termsId, basis, rate, windowDays, holdDays };
    },
    policyAt: (createdAt) => selectPolicy(policies, createdAt),
  };
}
