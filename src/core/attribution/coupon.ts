/**
 * The canonical spelling of a coupon code, used when it is registered and when it is found in an order.
 *
 * Buyers type codes on Chinese keyboards and shops print them in many styles, so case, full-width forms and blanks around a code do not make
 * a different coupon.
 */

export const MAX_COUPON_CHARACTERS = 64;

/** Letters and digits of any script, with `_` and `-` between them. Marks belong to letters (`é` may be two characters). */
const COUPON = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u;

/**
 * The canonical form of a coupon code: NFKC, trimmed, upper case. Idempotent.
 *
 * @returns undefined for a text that cannot be a code: empty, longer than 64 characters, or with blanks or punctuation inside
 */
export function canonicalCoupon(raw: string): string | undefined {
  if (raw.length > 4 * MAX_COUPON_CHARACTERS) return undefined;
  // Upper case of an NFKC text may not be NFKC (`ΐ` becomes three characters), so the text is normalised before and after.
  const code = raw.normalize('NFKC').trim().toUpperCase().normalize('NFKC');
  return code.length <= MAX_COUPON_CHARACTERS && COUPON.test(code) ? code : undefined;
}
