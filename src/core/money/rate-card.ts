/**
 * Which terms and which policy of a brand apply to a sale. Both are versioned; a sale is priced by the versions in force when its order was
 * created.
 */
import type { CommissionBasis, InferredPolicy, MatchingScope } from '../vocabulary.ts';
import type { CommissionRate } from './commission.ts';

/** The rule chosen for a sale, without the split of its commission. */
export interface ChosenTerms {
  termsId: string;
  basis: CommissionBasis;
  rate: CommissionRate;
  windowDays: number;
  holdDays: number;
}

/**
 * One version of a commission rule. A null id does not narrow the scope. The version is in force from `validFrom` (inclusive) to `validTo`
 * (exclusive; null: without end).
 */
export interface TermsVersion {
  termsId: string;
  influencerId: string | null;
  productId: string | null;
  storeId: string | null;
  validFrom: Date;
  validTo: Date | null;
}

/** The sale that terms are selected for; `createdAt` is the creation of its order. */
export interface TermsSubject {
  createdAt: Date;
  productId: string;
  storeId: string;
  influencerId: string;
}

/**
 * The terms of a sale: the most specific version in force when the order was created. The levels are, from the most specific: influencer and
 * product, influencer and store, product, store, brand. Without a version in force at any level, the first later version applies; of several
 * that began at the same instant, the most specific.
 *
 * @param versions  every version of the brand, in any order
 * @returns undefined when no version covers the sale at any time (reason `no_terms`)
 */
export function selectTerms<Version extends TermsVersion>(
  versions: readonly Version[],
  subject: TermsSubject,
): Version | undefined {
  const createdMs = subject.createdAt.getTime();
  const covering = versions
    .flatMap((version) => {
      const level = specificityOf(version, subject);
      return level === undefined ? [] : [{ version, level, fromMs: version.validFrom.getTime() }];
    })
    // Versions of one scope never overlap (a database constraint), so a level has at most one in force.
    .toSorted((left, right) => left.level - right.level);
  const inForce = covering.find(
    ({ version, fromMs }) => fromMs <= createdMs && (version.validTo === null || createdMs < version.validTo.getTime()),
  );
  if (inForce !== undefined) return inForce.version;
  const later = covering
    .filter(({ fromMs }) => fromMs > createdMs)
    .toSorted((left, right) => left.fromMs - right.fromMs);
  return later[0]?.version;
}

/** The level of a version, 0 for the most specific, 4 for the whole brand; undefined when the version does not cover the sale. */
function specificityOf(version: TermsVersion, subject: TermsSubject): number | undefined {
  const covers =
    (version.influencerId ?? subject.influencerId) === subject.influencerId &&
    (version.productId ?? subject.productId) === subject.productId &&
    (version.storeId ?? subject.storeId) === subject.storeId;
  if (!covers) return undefined;
  if (version.influencerId !== null) {
    if (version.productId !== null) return 0;
    // Terms of one influencer for the whole brand have no level; a check constraint refuses to store such a version.
    return version.storeId === null ? undefined : 1;
  }
  if (version.productId !== null) return 2;
  return version.storeId === null ? 4 : 3;
}

/** How a brand treats evidence that only infers (levels 5 and 6) (levels 5 and 6), the scope of a click, and the operator's fee. */
export interface BrandPolicy {
  inferred: InferredPolicy;
  scope: MatchingScope;
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
