/**
 * Money at the edges: yuan texts in, fen inside, fen or yuan texts out. Nothing here (or anywhere) passes through a float.
 */

/** 10 trillion yuan (13 digits) stays below 2^53 − 1 fen, so every parsed amount also fits a JSON integer. */
const YUAN_TEXT = /^(\d{1,13})(?:\.(\d+))?$/;
const MAX_DECIMALS = 4;
const MAX_JSON_INTEGER = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * 100 million yuan: more than any order line is sold for, or refunded by. What comes in above it is not believed, because two absurd lines
 * near 2^53 fen would push every total they are part of past what a JSON integer holds, and the journal forgets nothing.
 */
export const MAX_LINE_FEN = 10_000_000_000n;

export type ParsedYuan =
  | { ok: true; fen: bigint; rounded: boolean }
  | { ok: false; reason: 'not_an_amount' | 'too_many_decimals' };

/**
 * Reads an amount of yuan ("12.5", "49.9000") from its digits.
 *
 * No sign, exponent, blank, thousands mark or other digit than 0-9 is accepted, and at most 13 digits before the point. Three or
 * four decimals that are not whole fen are rounded half up and flagged, since a platform that sends them means them.
 *
 * @returns fen >= 0n, `rounded` when digits below a fen were lost
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
 * An amount as the JSON integer the API shows.
 *
 * @throws RangeError beyond ±(2^53 − 1) fen: a bug or a corrupted sum, never to be rounded away silently
 */
export function fenToJson(fen: bigint): number {
  if (fen > MAX_JSON_INTEGER || fen < -MAX_JSON_INTEGER) {
    throw new RangeError(`an amount of ${fen} fen does not fit a JSON integer`);
  }
  return Number(fen);
}

/** "2985" fen as "29.85", for people and CSV files; negative amounts keep their sign. */
export function formatFenAsYuan(fen: bigint): string {
  const digits = (fen < 0n ? -fen : fen).toString().padStart(3, '0');
  return `${fen < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
