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

/** 36^16 ≈ 8 × 10^24: at a billion ids of one kind a collision has a chance of 6 in 100,000, and the primary key refuses it. */
const randomPart = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16);

/** A new opaque id, `brd_` and 16 random lower-case letters and digits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomPart()}`;
}
