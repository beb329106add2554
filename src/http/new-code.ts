import { customAlphabet } from 'nanoid';
import { CODE_ALPHABET, CODE_LENGTH, isGeneratedCode } from '../core/links/link-code.ts';

const randomCode = customAlphabet(CODE_ALPHABET, CODE_LENGTH);

/** How often an insert that met a taken code tries another: five collisions in a row among 30^7 codes is a bug, not bad luck. */
export const MAX_CODE_ATTEMPTS = 5;

/** A random code of the link alphabet: 7 characters with at least one letter and one digit, so that no word or number looks like one. */
export function newCode(): string {
  let code = randomCode();
  while (!isGeneratedCode(code)) code = randomCode();
  return code;
}
