import type { Bucket, Dimensions } from '../../core/money/accounts.ts';
import { commissionLegs, type CommissionTerms } from '../../core/money/commission.ts';
import type { DesiredLine } from '../../core/money/journal.ts';
import type { PricedLine } from './queries.ts';
import { rateOf } from '../terms/rate-cards.ts';

/** The operator of the platform, a payee like any other (written by the first migration). */
export const OPERATOR_PAYEE_ID = 'pye_operator';

/** The facts of an order line that its commission depends on; money in fen. */
export interface BookableLine {
  lineId: string;
  brandId: string;
  orderId: string;
  storeId: string;
  platform: string;
  /** The line's product; empty or absent where it is not registered: an attributed line is then priced by the product of its link. */
  productId?: string | undefined;
  quantity: bigint;
  paidFen: bigint;
  /** 0n to paidFen. */
  refundedFen: bigint;
  orderCreatedAt: Date;
  /** Absent while the order is not paid: nothing is booked then. */
  paidAt?: Date | undefined;
  receivedAt?: Date | undefined;
  /** When the receipt first reached us. */
  receivedSeenAt?: Date | undefined;
  refundOpen: boolean;
  attribution?: BookableAttribution | undefined;
}

export interface BookableAttribution {
  method: string;
  linkId: string;
  influencerId: string;
  tag?: string | undefined;
}

/**
 * What should be booked for a line by its facts and frozen terms; undefined: nothing.
 *
 * The dimensions of a released line (when it was paid, tag, method …) stay as they were booked, unless a person gave it to another link.
 */
export function desiredLine(
  line: BookableLine,
  { state, booked }: { state: PricedLine | undefined; booked: readonly Bucket[] },
): DesiredLine | undefined {
  const { attribution, paidAt } = line;
  if (attribution === undefined || paidAt === undefined || state === undefined) return undefined;
  // A line that no terms cover for its new influencer keeps the row of the old one, which must not price it.
  if (state.influencerId !== attribution.influencerId) return undefined;
  const released = state.releasedAt !== null;
  const standing = released
    ? booked.find(({ dimensions, amounts }) => amounts.lines > 0 && isOfLink(dimensions, attribution))
    : undefined;
  const { paidFen, refundedFen } = line;
  return {
    dimensions: standing?.dimensions ?? dimensionsOf(line, { state, attribution, paidAt }),
    amounts: { lines: 1, paidFen, refundedFen },
    legs: commissionLegs({ paidFen, refundedFen, quantity: Number(line.quantity) }, termsOf(state)),
    owesAccount: state.basis === 'platform_commission' ? 'platform_owes' : 'brand_owes',
    released,
  };
}

function isOfLink(dimensions: Dimensions, attribution: BookableAttribution): boolean {
  return dimensions.linkId === attribution.linkId && dimensions.influencerId === attribution.influencerId;
}

function dimensionsOf(
  line: BookableLine,
  { state, attribution, paidAt }: { state: PricedLine; attribution: BookableAttribution; paidAt: Date },
): Dimensions {
  return {
    brandId: line.brandId,
    lineId: line.lineId,
    orderId: line.orderId,
    storeId: line.storeId,
    productId: state.productId,
    platform: line.platform,
    linkId: attribution.linkId,
    tag: attribution.tag ?? null,
    influencerId: attribution.influencerId,
    agencyPayeeId: state.agencyPayeeId,
    method: attribution.method,
    paidAt,
  };
}

/** The frozen copy in the form the core prices with. */
export function termsOf(state: PricedLine): CommissionTerms {
  return {
    termsId: state.termsId,
    basis: state.basis,
    rate: rateOf(state),
    windowDays: state.windowDays,
    holdDays: state.holdDays,
    platformFeeBp: state.platformFeeBp,
    agency: state.agencyPayeeId === null ? undefined : { payeeId: state.agencyPayeeId, shareBp: state.agencyShareBp },
    influencerPayeeId: state.influencerPayeeId,
    operatorPayeeId: OPERATOR_PAYEE_ID,
  };
}
