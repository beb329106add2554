import type { Position } from '../core/money/accounts.ts';

/** Which part of the journal a reader may see and requests; null does not narrow. */
export interface CommissionFilter {
  /** The brand that the caller is confined to. */
  brandScope: string | null;
  /** The influencer that the caller is confined to: only its own leg of its own lines. */
  influencerScope: string | null;
  brandId: string | null;
  influencerId: string | null;
  storeId: string | null;
  productId: string | null;
  platform: string | null;
  stage: string | null;
  /** Inclusive. */
  from: Date | null;
  /** Exclusive. */
  to: Date | null;
}

/** The sums over some lines: how many, the buyers' money, and where the commission stands; fen. */
export interface Figures extends Position {
  orders: bigint;
  lines: bigint;
  paidFen: bigint;
  refundedFen: bigint;
}

/** What adds up over rows: everything but `orders`, which counts an order once in each row. */
export const ADDITIVE_FIGURES = [
  'lines',
  'paidFen',
  'refundedFen',
  'commissionFen',
  'pendingFen',
  'payableFen',
  'inPayoutFen',
  'paidOutFen',
  'debtFen',
  'reversedFen',
] as const satisfies (keyof Figures)[];
