import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const BIT_DEPTH = 1;
const GREYSCALE = 0;

/** A picture in black and white, white at first. */
export class Bitmap {
  readonly width: number;
  readonly height: number;
  /** One byte a row in front (the filter of a PNG, none), then a bit a pixel; a set bit is white. */
  readonly #rows: Buffer;
  readonly #rowBytes: number;

  constructor({ width, height }: { width: number; height: number }) {
    this.width = width;
    this.height = height;
    this.#rowBytes = 1 + Math.ceil(width / 8);
    this.#rows = Buffer.alloc(this.#rowBytes * height, 0xff);
    for (let y = 0; y < height; y += 1) this.#rows[y * this.#rowBytes] = 0;
  }

  /** Paints a square black; what lies outside of the picture is left out. */
  fillSquare({ x, y, size }: { x: number; y: number; size: number }): void {
    for (let row = Math.max(0, y); row < Math.min(this.height, y + size); row += 1) {
      for (let column = Math.max(0, x); column < Math.min(this.width, x + size); column += 1) {
        const at = row * this.#rowBytes + 1 + (column >> 3);
        this.#rows[at] = (this.#rows[at] ?? 0) & ~(0x80 >> (column & 7));
      }
    }
  }

  /** The picture as a PNG of one bit a pixel. */
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
