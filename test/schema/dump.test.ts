import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MIGRATIONS_FOLDER } from '../../src/infra/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { dumpSchema } from './dump-schema.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => test.drop());

it('migrations/schema.sql is what the migrations make; if not, run `npm run schema` and look at the difference', async () => {
  const dump = await dumpSchema(test.db);
  await expect(dump).toMatchFileSnapshot(path.join(MIGRATIONS_FOLDER, 'schema.sql'));
});
