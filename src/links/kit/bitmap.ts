import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const BIT_DEPTH = 1;
const GREYSCALE = 0;

/** A black and white picture; every pixel is white at first. */
export class Bitmap {
  readonly width: number;
  readonly height: number;
  /** Per row one byte (the PNG filter, 0 for none), then one bit per pixel; a set bit is white. */
  readonly #rows: Buffer;
  readonly #rowBytes: number;

  constructor({ width, height }: { width: number; height: number }) {
    this.width = width;
    this.height = height;
    this.#rowBytes = 1 + Math.ceil(width / 8);
    this.#rows = Buffer.alloc(this.#rowBytes * height, 0xff);
    for (let y = 0; y < height; y += 1) this.#rows[y * this.#rowBytes] = 0;
  }

  /** Paints a square black, without the part outside of the picture. */
  fillSquare({ x, y, size }: { x: number; y: number; size: number }): void {
    for (let row = Math.max(0, y); row < Math.min(this.height, y + size); row += 1) {
      for (let column = Math.max(0, x); column < Math.min(this.width, x + size); column += 1) {
        const at = row * this.#rowBytes + 1 + (column >> 3);
        this.#rows[at] = (this.#rows[at] ?? 0) & ~(0x80 >> (column & 7));
      }
    }
  }

  /** The picture as a PNG with one bit per pixel. */
  toPng(): Buffer {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(this.width, 0);
    header.writeUInt32BE(this.height, 4);
    header.set([BIT_DEPTH, GREYSCALE, 0, 0, 0], 8);
    return Buffer.concat([
      SIGNATURE,
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(this.#rows)),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  }
}

function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(named, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}

/**
 * A bitmap font for the text under a QR code: digits, lower-case letters and the marks of an address. Each glyph has five columns and nine
 * rows, the last two below the base line. A row is one digit of base 32; its leftmost pixel is the highest bit.
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
/** An empty box, for a character without a glyph. */
const UNKNOWN = 'vhhhhhv00';

/** Whether a pixel of a character is set; `column` and `row` from the top left. */
export function isInk(character: string, { column, row }: { column: number; row: number }): boolean {
  const rows = GLYPHS[character] ?? UNKNOWN;
  const bits = parseInt(rows[row] ?? '0', 32);
  return ((bits >> (GLYPH_COLUMNS - 1 - column)) & 1) === 1;
}
