import { Query } from 'pg';
import type { Connection } from 'pg';

import type { Tx } from './db.ts';

const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);
/** The kind of a message and its length, which counts itself and not the kind. */
const HEADER_BYTES = 5;
const FIRST_BYTES = 1 << 16;
const MOST_BYTES_PER_UNIT = 3;

/**
 * Rows for COPY in its text format, as the bytes of the message that carries them. A row is written when it is added: as texts they would all
 * be kept, and copied by the collector, until they are sent.
 */
export class CopyRows {
  count = 0;
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = HEADER_BYTES;

  /** @param row  its columns, tabs between them, `\N` for null, backslashes doubled; without a line end */
  add(row: string): void {
    const most = this.#length + row.length * MOST_BYTES_PER_UNIT + 1;
    if (most > this.#bytes.length) this.#grow(most);
    this.#length += this.#bytes.write(row, this.#length);
    this.#bytes[this.#length] = 0x0a;
    this.#length += 1;
    this.count += 1;
  }

  /** Complete. */
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

type Settle = (error: Error | undefined, result: { rowCount: number | null }) => void;

/**
 * COPY as a query of the driver. The rows follow the statement at once, without waiting for the server to ask for them: so it goes into a
 * transaction that is sent whole. A server that refuses the statement reads over them.
 */
class CopyQuery extends Query {
  constructor(text: string, rows: CopyRows, settle: Settle) {
    super(text, settle);
    this.submit = (connection: Connection) => {
      connection.query(text);
      connection.stream.write(rows.message());
      connection.stream.write(COPY_DONE);
    };
  }

  /** The server is ready for the rows, which are on their way. */
  handleCopyInResponse(): void {}
}

/**
 * Writes rows by COPY: the cheapest way into a table, which knows no conflicts.
 *
 * @param text  `copy … from stdin`
 * @returns how many
 * @throws what the server says; then none is there
 */
export async function copyRows(tx: Tx, text: string, rows: CopyRows): Promise<number> {
  return new Promise((resolve, reject) => {
    tx.query(
      new CopyQuery(text, rows, (error, result) => {
        if (error) reject(error);
        else resolve(result.rowCount ?? 0);
      }),
    );
  });
}

/** A text as a column of COPY's text format, where it holds no control characters. */
export function copyText(text: string): string {
  return text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
}
