/** The terms of a sale: the version of a brand's rules that prices it, and the time from which its commission may be paid. */
import { addDays } from '../calendar.ts';

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

/** A receipt that reaches us more than this many days after it happened is late. */
const LATE_AFTER_DAYS = 1;
/** A late receipt waits this long from its arrival, so that refunds of the same delivery are applied before the money is payable. */
const LATE_WAIT_DAYS = 1;

/**
 * The instant from which a line may be paid: its receipt plus `holdDays`. A receipt that reached us more than a day after it happened makes
 * the line payable a day after its arrival at the earliest. With `holdDays` 0 and a receipt in time, the line is payable at the receipt.
 *
 * @param line.receivedAt  when the buyer received the line
 * @param line.receivedSeenAt  when the receipt first reached us; absent: at `receivedAt`
 */
export function payableAt(line: { receivedAt: Date; receivedSeenAt?: Date | undefined; holdDays: number }): Date {
  const holdOverAt = addDays(line.receivedAt, line.holdDays);
  const seenAt = line.receivedSeenAt ?? line.receivedAt;
  if (seenAt <= addDays(line.receivedAt, LATE_AFTER_DAYS)) return holdOverAt;
  const waitedAt = addDays(seenAt, LATE_WAIT_DAYS);
  return waitedAt > holdOverAt ? waitedAt : holdOverAt;
}
