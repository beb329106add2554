/**
 * The products of the demo and the figures that the rules give for its sales. The figures were worked out by hand, not by the code that
 * they check. All amounts are in fen; each step rounds half up.
 */

/** The platform's share of each commission, deducted first. */
export const PLATFORM_FEE_BP = 500;
/** The agency's share of the rest; only one of the two influencers has an agency. */
export const AGENCY_SHARE_BP = 3_000;

export type ProductName = 'fryer' | 'kettle' | 'cup' | 'tea';

export interface OfferedProduct {
  platform: 'taobao' | 'youzan';
  title: string;
  priceFen: number;
  commission: { rateBp: number } | { flatFen: number };
  /** 15 days by default. */
  holdDays?: number;
}

export const PRODUCTS: Record<ProductName, OfferedProduct> = {
  fryer: { platform: 'taobao', title: '可视窗空气炸锅 5L', priceFen: 19_900, commission: { rateBp: 1_500 } },
  kettle: {
    platform: 'taobao',
    title: '手冲咖啡壶 600ml',
    priceFen: 8_900,
    commission: { rateBp: 1_000 },
    holdDays: 0,
  },
  cup: { platform: 'taobao', title: '316 不锈钢保温杯 500ml', priceFen: 5_900, commission: { flatFen: 600 } },
  tea: { platform: 'youzan', title: '高山乌龙茶 250g 礼盒', priceFen: 12_800, commission: { rateBp: 2_000 } },
};

/** Sale 1: a fryer for 199.00; later a refund of 50.00. */
export const FRYER_SALE = {
  // 199.00 × 15 % = 29.85
  beforeRefund: { paidFen: 19_900n, refundedFen: 0n, commissionFen: 2_985n },
  // 149.00 × 15 % = 22.35: fee 1.12 (1.1175), the influencer keeps 21.23
  afterRefund: { paidFen: 19_900n, refundedFen: 5_000n, commissionFen: 2_235n },
} as const;

/** Sale 2: a kettle for 89.00, payable at once, and two cups for 118.00; the refund of one cup arrives before the payment. */
export const MIXED_SALE = {
  // 89.00 × 10 % = 8.90: fee 0.45 (0.445), of 8.45 the agency gets 2.54 (2.535), the influencer keeps 5.91
  kettle: { paidFen: 8_900n, refundedFen: 0n, commissionFen: 890n },
  // 2 × 6.00 for 118.00; after the refund 6.00 for 59.00: fee 0.30, of 5.70 the agency gets 1.71, the influencer keeps 3.99
  cups: { paidFen: 11_800n, refundedFen: 5_900n, commissionFen: 600n },
} as const;

/** Sale 3: tea for 128.00 on Youzan plus freight of 10.00; later a refund of 28.00. */
export const TEA_SALE = {
  // 128.00 × 20 % = 25.60; freight earns nothing
  beforeRefund: { paidFen: 12_800n, refundedFen: 0n, commissionFen: 2_560n },
  // 100.00 × 20 % = 20.00: fee 1.00, the influencer keeps 19.00
  afterRefund: { paidFen: 12_800n, refundedFen: 2_800n, commissionFen: 2_000n },
} as const;

/** Sums of whole lines, as brand and finance see them. `reversedFen` is the commission that refunds took back. */
export const TOTALS = {
  mei: {
    paidFen: 32_700n, // 199.00 + 128.00
    refundedFen: 7_800n, // 50.00 + 28.00
    commissionFen: 4_235n, // 22.35 + 20.00
    pendingFen: 4_235n,
    payableFen: 0n,
    inPayoutFen: 0n,
    paidOutFen: 0n,
    debtFen: 0n,
    reversedFen: 1_310n, // 29.85 − 22.35, and 25.60 − 20.00
  },
  qiang: {
    paidFen: 20_700n, // 89.00 + 118.00
    refundedFen: 5_900n,
    commissionFen: 1_490n, // 8.90 + 6.00
    pendingFen: 600n,
    payableFen: 890n,
    inPayoutFen: 0n,
    paidOutFen: 0n,
    debtFen: 0n,
    reversedFen: 600n, // 12.00 − 6.00
  },
  all: {
    paidFen: 53_400n,
    refundedFen: 13_700n,
    commissionFen: 5_725n,
    pendingFen: 4_835n,
    payableFen: 890n,
    inPayoutFen: 0n,
    paidOutFen: 0n,
    debtFen: 0n,
    reversedFen: 1_910n,
  },
} as const;

/** The balance of each payee; together 57.25, which is the whole commission. */
export const BALANCES = {
  mei: { commissionFen: 4_023n, pendingFen: 4_023n, payableFen: 0n, debtFen: 0n }, // 21.23 + 19.00
  qiang: { commissionFen: 990n, pendingFen: 399n, payableFen: 591n, debtFen: 0n }, // 5.91 + 3.99
  agency: { commissionFen: 425n, pendingFen: 171n, payableFen: 254n, debtFen: 0n }, // 2.54 + 1.71
  operator: { commissionFen: 287n, pendingFen: 242n, payableFen: 45n, debtFen: 0n }, // 1.12 + 1.00 + 0.30, and 0.45
} as const;

/** Steps of visitors on the fryer's middle page, by app. */
export const FRYER_FUNNEL = [
  { app: 'douyin', shown: 3n, view: 3n, copy: 2n, open: 2n, continue: 0n },
  { app: 'wechat', shown: 1n, view: 1n, copy: 0n, open: 0n, continue: 1n },
] as const;

/** Visits to the fryer's link: three phones, one of them twice within seconds, a search engine, and a HEAD request. */
export const FRYER_CLICKS = { counted: 3n, unique: 3n, repeat: 1n, bot: 1n, head: 1n } as const;
