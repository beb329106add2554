import { formatVerifyReport, verify } from '../commissions/verify/verify.ts';
import type { Command } from './command-line.ts';
import { withDatabase } from './runtime.ts';
import { requireSchema } from './schema.ts';

/** Proves the books of the database and prints what was looked at. Exit code 1 where something does not hold. */
export async function runVerify({ config, env }: Command): Promise<number> {
  const report = await withDatabase(config, env, async (db) => {
    await requireSchema({ db });
    return verify(db);
  });
  console.log(formatVerifyReport(report));
  return report.ok ? 0 : 1;
}
