/**
 * The one spelling under which a coupon code is registered and later found in an order.
 *
 * Buyers type codes on Chinese keyboards and shops print them in every style, so case, full-width forms and blanks around a code do
 * not distinguish two coupons.
 */

export const MAX_COUPON_CHARACTERS = 64;

/** Letters and digits of any script, and the joints people put between them; marks belong to letters (`é` in two characters). */
const COUPON = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u;

/**
 * The canonical form of a coupon code: NFKC, trimmed, upper case. Applying it again changes nothing.
 *
 * @returns undefined for what cannot be a code: empty, longer than 64 characters, with blanks or punctuation inside
 */
export function canonicalCoupon(raw: string): string | undefined {
  if (raw.length > 4 * MAX_COUPON_CHARACTERS) return undefined;
  // Upper-casing can take a text out of NFKC (`ΐ` becomes three characters), so it is normalised on both sides.
  const code = raw.normalize('NFKC').trim().toUpperCase().normalize('NFKC');
  return code.length <= MAX_COUPON_CHARACTERS && COUPON.test(code) ? code : undefined;
}
