/** What a brand may choose for visitors whose link leads nowhere now, in the order it prefers. */
export const FALLBACKS = ['same_product', 'brand_page', 'other_products'] as const;
export type FallbackKind = (typeof FALLBACKS)[number];
