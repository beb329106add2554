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

/** 36^16 ≈ 8 × 10^24: with a billion ids of one kind the chance of a collision is 6 in 100,000, and the primary key refuses it. */
const randomPart = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16);
const randomCode = customAlphabet(CODE_ALPHABET, CODE_LENGTH);

/** A new opaque id: `brd_` and 16 random lower-case letters and digits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomPart()}`;
}

/** How often an insert that met a taken code tries another one. Five collisions in a row among 30^7 codes are a bug and no bad luck. */
export const MAX_CODE_ATTEMPTS = 5;

/** A random code of the link alphabet: 7 characters with at least one letter and one digit, so that no word or number looks like a code. */
export function newCode(): string {
  let code = randomCode();
  while (!isGeneratedCode(code)) code = randomCode();
  return code;
}
