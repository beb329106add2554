import { randomInt } from 'node:crypto';
import { customAlphabet } from 'nanoid';
import { CODE_ALPHABET, CODE_LENGTH, isGeneratedCode } from '../core/links/link-code.ts';

/** The nouns that have ids in the API. */
export type IdPrefix =
  | 'brd'
  | 'str'
  | 'prd'
  | 'inf'
  | 'pye'
  | 'lnk'
  | 'ord'
  | 'lin'
  | 'jrn'
  | 'pay'
  | 'key'
  | 'trm'
  | 'slt'
  | 'cpn'
  | 'pol';

/** 36^16 ≈ 8 × 10^24: with a billion ids of one kind the chance of a collision is 6 in 100,000; the primary key refuses it within a brand. */
const randomPart = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16);
const randomCode = customAlphabet(CODE_ALPHABET, CODE_LENGTH);

/** A new opaque id: `brd_` and 16 random lower-case letters and digits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomPart()}`;
}

const ORDERED_SINCE_MS = Date.UTC(2025, 0, 1);
/** Eight digits in base 36: as milliseconds they last until 2114, as random numbers they are 3 × 10^12 in each millisecond. */
const EIGHT_DIGITS = 36 ** 8;

let lastMs = 0;
let lastTail = 0;

/**
 * A new id, `jrn_` and 16 lower-case letters and digits, that is greater than every id that this process made before: eight digits of the time,
 * eight random ones. Rows of one transaction are read in the order in which their ids were made, also where their timestamps are equal.
 */
export function newAscendingId(prefix: IdPrefix): string {
  // A clock that was set back must not reverse the order.
  const ms = Math.max(Date.now() - ORDERED_SINCE_MS, lastMs);
  const isNextMs = ms > lastMs || lastTail + 1 === EIGHT_DIGITS;
  lastMs = ms > lastMs ? ms : isNextMs ? lastMs + 1 : lastMs;
  lastTail = isNextMs ? randomInt(EIGHT_DIGITS) : lastTail + 1;
  return `${prefix}_${eightDigits(lastMs)}${eightDigits(lastTail)}`;
}

function eightDigits(value: number): string {
  return value.toString(36).padStart(8, '0');
}

/** How often an insert that met a taken code tries another one. Five collisions in a row among 30^7 codes are a bug and no bad luck. */
export const MAX_CODE_ATTEMPTS = 5;

/** A random code of the link alphabet: 7 characters with at least one letter and one digit, so that no word or number looks like a code. */
export function newCode(): string {
  let code = randomCode();
  while (!isGeneratedCode(code)) code = randomCode();
  return code;
}
