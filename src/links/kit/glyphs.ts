/**
 * A small bitmap font for what is printed under a QR code: digits, lower-case letters and the marks of an address. Five columns and nine
 * rows, the last two below the line; each row is one digit of base 32, its leftmost pixel the highest bit.
 */
export const GLYPH_COLUMNS = 5;
export const GLYPH_ROWS = 9;
/** From one character to the next. */
export const GLYPH_ADVANCE = GLYPH_COLUMNS + 1;

const GLYPHS: Readonly<Record<string, string>> = {
  '0': 'ehjlphe00',
  '1': '4c4444e00',
  '2': 'eh1248v00',
  '3': 'v2421he00',
  '4': '26aiv2200',
  '5': 'vgu11he00',
  '6': '68guhhe00',
  '7': 'v12488800',
  '8': 'ehhehhe00',
  '9': 'ehhf12c00',
  a: '00e1fhf00',
  b: 'ggmphhu00',
  c: '00egghe00',
  d: '11djhhf00',
  e: '00ehvge00',
  f: '698s88800',
  g: '00fhhhf1e',
  h: 'ggmphhh00',
  i: '40c444e00',
  j: '2062222ic',
  k: 'ggikoki00',
  l: 'c44444e00',
  m: '00qllhh00',
  n: '00mphhh00',
  o: '00ehhhe00',
  p: '00uhhhugg',
  q: '00fhhhf11',
  r: '00mpggg00',
  s: '00ege1u00',
  t: '88s889600',
  u: '00hhhjd00',
  v: '00hhha400',
  w: '00hhlla00',
  x: '00ha4ah00',
  y: '00hhhhf1e',
  z: '00v248v00',
  '-': '000e00000',
  _: '0000000v0',
  '.': '00000cc00',
  ':': '0cc0cc000',
  '/': '11248gg00',
};
/** An empty box. */
const UNKNOWN = 'vhhhhhv00';

/** Whether a pixel of a character is set; `column` and `row` from the top left. */
export function isInk(character: string, { column, row }: { column: number; row: number }): boolean {
  const rows = GLYPHS[character] ?? UNKNOWN;
  const bits = parseInt(rows[row] ?? '0', 32);
  return ((bits >> (GLYPH_COLUMNS - 1 - column)) & 1) === 1;
}
