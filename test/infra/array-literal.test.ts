import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrayLiterals } from '../../src/infra/array-literal.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await test.drop();
});

const READ = `
select $1::text[] as texts, $2::bigint[]::text[] as numbers, $3::timestamptz[] as instants, $4::bytea[] as bytes,
  $5::boolean[] as flags, $6::jsonb[]::text[] as documents`;

/** Anything Postgres can keep as text: no NUL, no half of a surrogate pair. */
const texts = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('', 'NULL', 'null', '{}', '"', '\\', ',', ' a ', "'", '{"a":"\\""}', '达人'),
  )
  .filter((text) => !text.includes('\0') && text.isWellFormed());
const orNull = <Value>(values: fc.Arbitrary<Value>): fc.Arbitrary<(Value | null)[]> =>
  fc.array(fc.option(values), { maxLength: 6 });

describe('arrayLiterals', () => {
  it('Postgres reads the same from them as from what the driver makes of the arrays', async () => {
    await fc.assert(
      fc.asyncProperty(
        orNull(texts),
        orNull(fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer())),
        orNull(
          fc.date({
            min: new Date(-62_000_000_000_000),
            max: new Date('9999-12-31T23:59:59.999Z'),
            noInvalidDate: true,
          }),
        ),
        orNull(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))),
        orNull(fc.boolean()),
        orNull(texts.map((text) => JSON.stringify({ [text]: [text] }))),
        async (...values) => {
          const ours = await test.db.query<Record<string, unknown>>(READ, arrayLiterals(values));
          const theirs = await test.db.query<Record<string, unknown>>(READ, values);
          expect(ours.rows).toEqual(theirs.rows);
          expect(ours.rows[0]?.['texts']).toEqual(values[0]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('an undefined element is null, as the driver has it', async () => {
    const { rows } = await test.db.query<Record<string, unknown>>(
      'select $1::text[] as texts',
      arrayLiterals([[undefined, 'a']]),
    );
    expect(rows).toEqual([{ texts: [null, 'a'] }]);
  });

  it('leaves to the driver what it has no text for, and what is no array', () => {
    const nested = [['a'], ['b']];
    const farAway = [new Date(Date.UTC(12_000, 0, 1))];
    const invalid = [new Date(Number.NaN)];
    const objects = [{ a: 1 }];
    const values = [nested, farAway, invalid, objects, 'text', 7, null];
    for (const [place, value] of arrayLiterals(values).entries()) expect(value).toBe(values[place]);
  });
});
