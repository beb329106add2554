/**
 * The private parts of pg that this program uses, all in this file: the socket behind a connection, and the messages of the protocol that a
 * query sends itself. pg documents neither.
 *
 * `test/infra/pg-connection.test.ts` fails when the version or a member changes: read `client.js`, `connection.js` and `query.js` of the new
 * version, correct this file, and only then raise CHECKED_VERSION.
 */
import type { Duplex } from 'node:stream';
import { Query } from 'pg';
import type { Connection } from 'pg';
import type { Queryable, Tx } from './db.ts';

export const CHECKED_VERSION = '8.23.1';

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

/**
 * The socket of a connection; undefined for a pool. `cork` and `uncork` nest: pg itself corks the socket around each statement, so statements
 * that are sent between an outer pair leave in one write.
 */
export function streamOf(db: Queryable): Pick<Duplex, 'cork' | 'uncork'> | undefined {
  return (db as { connection?: { stream?: Duplex } }).connection?.stream;
}

type Settle = (error: Error | undefined, result: { rowCount: number | null }) => void;

/**
 * A COPY statement as a query of the driver. pg calls `submit` when the statement's turn comes, and `handleCopyInResponse` when the server is
 * ready for the rows.
 */
class CopyQuery extends Query {
  constructor(text: string, copyData: Buffer, settle: Settle) {
    super(text, settle);
    this.submit = (connection: Connection) => {
      connection.query(text);
      connection.stream.write(copyData);
      connection.stream.write(COPY_DONE);
    };
  }

  /** The rows are under way already, so there is nothing to send. */
  handleCopyInResponse(): void {}
}

/**
 * Sends a COPY statement and its rows in one go, without waiting until the server asks for the rows. A server that refuses the statement reads
 * over them, which is safe because the whole transaction is sent at once and fails as a whole.
 *
 * @param text      `copy … from stdin`
 * @param copyData  one CopyData message of the protocol
 * @returns the number of rows
 * @throws the server's error; then no row was written
 */
export async function sendCopy(tx: Tx, text: string, copyData: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    tx.query(
      new CopyQuery(text, copyData, (error, result) => {
        if (error) reject(error);
        else resolve(result.rowCount ?? 0);
      }),
    );
  });
}
