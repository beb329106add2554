/**
 * A copy of an ASCII text that stands for itself, for what is kept: pieces and joints of strings refer to what they were made of, and a code
 * of 20 characters would keep the address of 16 KB that it was cut from.
 */
export function flatCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
