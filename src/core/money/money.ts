/**
 * Conversion of money at the edges: yuan texts and JSON integers outside, fen as bigint inside. No amount is ever a float.
 */

/** 10 trillion yuan (13 digits) stays below 2^53 − 1 fen, so every parsed amount also fits a JSON integer. */
const YUAN_TEXT = /^(\d{1,13})(?:\.(\d+))?$/;
const MAX_DECIMALS = 4;
const MAX_JSON_INTEGER = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The greatest amount of one line or refund, fen: 100 million yuan, more than any real line. Readers refuse a larger one, because two lines
 * near 2^53 fen would push every total that contains them past what a JSON integer holds, and journal entries are never deleted.
 */
export const MAX_LINE_FEN = 10_000_000_000n;

export type ParsedYuan =
  | { ok: true; fen: bigint; rounded: boolean }
  | { ok: false; reason: 'not_an_amount' | 'too_many_decimals' };

/**
 * Reads an amount of yuan ("12.5", "49.9000") from its digits.
 *
 * Accepts the digits 0-9 with at most 13 before the point; no sign, exponent, blank or thousands mark. Platforms send amounts with three or
 * four decimals; they are rounded half up to whole fen and flagged.
 *
 * @returns fen, >= 0n; `rounded` when digits below a fen were lost; `too_many_decimals` for more than four
 */
export function parseYuanToFen(text: string): ParsedYuan {
  const match = YUAN_TEXT.exec(text);
  const yuan = match?.[1];
  if (yuan === undefined) return { ok: false, reason: 'not_an_amount' };
  const decimals = match?.[2] ?? '';
  if (decimals.length > MAX_DECIMALS) return { ok: false, reason: 'too_many_decimals' };
  const tenThousandths = BigInt(yuan + decimals.padEnd(MAX_DECIMALS, '0'));
  return { ok: true, fen: (tenThousandths + 50n) / 100n, rounded: tenThousandths % 100n !== 0n };
}

/**
 * An amount as the JSON integer that the API answers.
 *
 * @throws RangeError beyond ±(2^53 − 1) fen: a bug or a corrupted sum, which must not be rounded silently
 */
export function fenToJson(fen: bigint): number {
  if (fen > MAX_JSON_INTEGER || fen < -MAX_JSON_INTEGER) {
    throw new RangeError(`an amount of ${fen} fen does not fit a JSON integer`);
  }
  return Number(fen);
}

/** Fen as a yuan text with two decimals, for people and CSV files: 2985n is "29.85". Negative amounts keep their sign. */
export function formatFenAsYuan(fen: bigint): string {
  const digits = (fen < 0n ? -fen : fen).toString().padStart(3, '0');
  return `${fen < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
