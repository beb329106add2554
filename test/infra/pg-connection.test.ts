import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, inTransaction } from '../../src/infra/db.ts';
import type { Db, Tx } from '../../src/infra/db.ts';
import { CHECKED_VERSION, sendCopy, streamOf } from '../../src/infra/pg-connection.ts';
import { pipelined } from '../../src/infra/pipelined.ts';
import { CHECKOUT } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase({ isEmpty: true });
  db = createDb({ url: database.url, max: 1, applicationName: 'pg-connection', onError: () => undefined });
  await db.query('create table notes (id bigint not null, text text, constraint notes_pkey primary key (id))');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('truncate table notes');
});

it('was checked against the version of pg that is installed', () => {
  const file = path.join(CHECKOUT, 'node_modules', 'pg', 'package.json');
  expect((JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version).toBe(CHECKED_VERSION);
});

/** The writes to the socket of a connection while `work` runs: the number of chunks that left in each. */
async function writesDuring(tx: Tx, work: () => Promise<unknown>): Promise<number[]> {
  const stream = streamOf(tx) as Duplex;
  const write = stream._write.bind(stream);
  const writev = stream._writev?.bind(stream);
  const writes: number[] = [];
  stream._write = (...parameters) => {
    writes.push(1);
    write(...parameters);
  };
  stream._writev = (...parameters) => {
    writes.push(parameters[0].length);
    writev?.(...parameters);
  };
  await work();
  Object.assign(stream, { _write: write, _writev: writev });
  return writes;
}

describe('the socket of a connection', () => {
  it('is a stream that can be corked; a pool has none', async () => {
    expect(streamOf(db)).toBeUndefined();
    await inTransaction(db, async (tx) => {
      expect(streamOf(tx)).toBeInstanceOf(Duplex);
    });
  });

  // Without this each statement of a batch of orders is a write of its own, which is most of its cost.
  it('takes statements that are sent pipelined in one write', async () => {
    await inTransaction(db, async (tx) => {
      const writes = await writesDuring(tx, () =>
        pipelined(tx, () => ({
          one: tx.query('select 1'),
          two: tx.query('select $1::text', ['2']),
          three: tx.query('select 3'),
        })),
      );
      expect(writes).toHaveLength(1);
      expect(writes[0]).toBeGreaterThan(2);
    });
  });
});

describe('results of pipelined statements', () => {
  it('stand under the names of their promises; a statement that is not needed stays undefined', async () => {
    await inTransaction(db, async (tx) => {
      const { one, none, both } = await pipelined(tx, () => ({
        one: tx.query<{ n: number }>('select 1 as "n"').then(({ rows }) => rows[0]?.n),
        none: undefined,
        both: pipelined(tx, () => ({ two: tx.query('select 2') })),
      }));
      expect([one, none, both.two.rowCount]).toEqual([1, undefined, 1]);
    });
  });

  it('are thrown as the error that came first in time, after every statement has ended', async () => {
    let hasEnded = false;
    let hadEnded: boolean | undefined;
    const work = inTransaction(db, async (tx) => {
      try {
        return await pipelined(tx, () => ({
          // Its second statement runs in a transaction that has failed meanwhile.
          late: tx
            .query('select 1')
            .then(() => tx.query('select 2'))
            .finally(() => (hasEnded = true)),
          failing: tx.query('select 1 / 0'),
        }));
      } finally {
        hadEnded = hasEnded;
      }
    });
    await expect(work).rejects.toMatchObject({ code: '22012' });
    expect(hadEnded).toBe(true);
  });

  it('do not keep the socket corked when sending throws', async () => {
    await inTransaction(db, async (tx) => {
      const work = pipelined(tx, () => {
        throw new TypeError('a bug');
      });
      await expect(work).rejects.toThrow('a bug');
      expect((await tx.query('select 1')).rowCount).toBe(1);
    });
  });
});

describe('COPY with its rows sent at once', () => {
  const message = (rows: string): Buffer => {
    const header = Buffer.from([0x64, 0, 0, 0, 0]);
    header.writeUInt32BE(rows.length + 4, 1);
    return Buffer.concat([header, Buffer.from(rows)]);
  };

  it('writes the rows and returns their number; a refused one leaves the connection sound', async () => {
    const copy = 'copy notes (id, text) from stdin';
    expect(await inTransaction(db, (tx) => sendCopy(tx, copy, message('1\tone\n2\ttwo\n')))).toBe(2);
    const refused = inTransaction(db, (tx) => sendCopy(tx, copy, message('2\tagain\n')));
    await expect(refused).rejects.toMatchObject({ constraint: 'notes_pkey' });
    const wrong = inTransaction(db, (tx) => sendCopy(tx, 'copy nowhere (id) from stdin', message('1\n')));
    await expect(wrong).rejects.toMatchObject({ code: '42P01' });
    expect((await db.query<{ text: string }>('select n.text from notes n order by n.id')).rows).toEqual([
      { text: 'one' },
      { text: 'two' },
    ]);
  });
});
