import type { Tx } from './db.ts';
import { sendCopy } from './pg-connection.ts';

const COPY_DATA = 0x64;
/** The kind of a message and its length, which counts itself and not the kind. */
const HEADER_BYTES = 5;
const FIRST_BYTES = 1 << 16;
const MOST_BYTES_PER_UNIT = 3;

/**
 * Rows for COPY in its text format, as the bytes of the message that carries them. A row is written to the buffer when it is added: texts
 * would live until they are sent, and the garbage collector would copy them several times.
 */
export class CopyRows {
  count = 0;
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = HEADER_BYTES;

  /** @param row  its columns with tabs between them, `\N` for null, backslashes doubled; without a line end */
  add(row: string): void {
    const most = this.#length + row.length * MOST_BYTES_PER_UNIT + 1;
    if (most > this.#bytes.length) this.#grow(most);
    this.#length += this.#bytes.write(row, this.#length);
    this.#bytes[this.#length] = 0x0a;
    this.#length += 1;
    this.count += 1;
  }

  /** The complete CopyData message. */
  message(): Buffer {
    this.#bytes.writeUInt8(COPY_DATA, 0);
    this.#bytes.writeUInt32BE(this.#length - 1, 1);
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(least: number): void {
    const larger = Buffer.allocUnsafe(Math.max(least, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/**
 * Writes rows by COPY: the cheapest way into a table. COPY has no `on conflict`, so a row that exists refuses all of them.
 *
 * @param text  `copy … from stdin`
 * @returns the number of rows
 * @throws the server's error; then no row was written
 */
export async function copyRows(tx: Tx, text: string, rows: CopyRows): Promise<number> {
  return sendCopy(tx, text, rows.message());
}

/** A text without control characters as a column of COPY's text format. */
export function copyText(text: string): string {
  return text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
}
