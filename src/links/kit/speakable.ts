/** Digits as they are read out one by one; 1 is 幺 there, which is not taken for 七. */
const SPOKEN: Readonly<Record<string, string>> = {
  '0': '零',
  '1': '幺',
  '2': '二',
  '3': '三',
  '4': '四',
  '5': '五',
  '6': '六',
  '7': '七',
  '8': '八',
  '9': '九',
  '-': '横杠',
};
const GROUP = 4;

/**
 * A code as it is read out in a Chinese video: letters by their names, digits in Chinese, in groups of at most four
 * (`k7q2m8x` → `K 七 Q，二 M 八 X`). A word of letters only, as aliases are, is spelled the same way.
 */
export function speakableCode(code: string): string {
  const characters = code.split('').map((character) => SPOKEN[character] ?? character.toUpperCase());
  const groups: string[] = [];
  // From the back, so that seven are three and four, as in telephone numbers.
  for (let end = characters.length; end > 0; end -= GROUP) {
    groups.unshift(characters.slice(Math.max(0, end - GROUP), end).join(' '));
  }
  return groups.join('，');
}
