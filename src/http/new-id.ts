import { randomInt } from 'node:crypto';
import { customAlphabet } from 'nanoid';

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

/** 36^16 ≈ 8 × 10^24: at a billion ids of one kind a collision has a chance of 6 in 100,000; the primary key refuses it within a brand. */
const randomPart = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16);

/** A new opaque id, `brd_` and 16 random lower-case letters and digits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomPart()}`;
}

const ORDERED_SINCE_MS = Date.UTC(2025, 0, 1);
/** Eight digits in base 36: as milliseconds enough until 2114, as random numbers 3 × 10^12 of each millisecond. */
const EIGHT_DIGITS = 36 ** 8;

let lastMs = 0;
let lastTail = 0;

/**
 * A new id, `jrn_` and 16 lower-case letters and digits, that is greater than every one this process made before: eight digits of the time,
 * eight random ones. Rows of one transaction are read in the order in which their ids were made, also where their timestamps are equal.
 */
export function newAscendingId(prefix: IdPrefix): string {
  // A clock that was set back must not turn the order around.
  const ms = Math.max(Date.now() - ORDERED_SINCE_MS, lastMs);
  const isNextMs = ms > lastMs || lastTail + 1 === EIGHT_DIGITS;
  lastMs = ms > lastMs ? ms : isNextMs ? lastMs + 1 : lastMs;
  lastTail = isNextMs ? randomInt(EIGHT_DIGITS) : lastTail + 1;
  return `${prefix}_${eightDigits(lastMs)}${eightDigits(lastTail)}`;
}

function eightDigits(value: number): string {
  return value.toString(36).padStart(8, '0');
}
