import { migrate } from '../infra/migrate.ts';
import type { Command } from './command-line.ts';
import { withDatabase } from './runtime.ts';

/** Brings the schema up to date and says what it applied. */
export async function runMigrate({ config, env }: Command): Promise<number> {
  const { applied } = await withDatabase(config, env, async (db) => migrate(db));
  console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  return 0;
}
