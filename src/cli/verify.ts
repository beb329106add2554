import { checkBookedLines } from '../commissions/verify/check-lines.ts';
import { type Db, inTransaction } from '../infra/db.ts';
import { formatVerifyReport, type VerifyReport } from '../ledger/verify/report.ts';
import { checkClickRollups, checkLedger } from '../ledger/verify/verify.ts';
import type { Command } from './command-line.ts';
import { withDatabase } from './runtime.ts';
import { requireSchema } from './schema.ts';

/**
 * Proves that totals = lines = journal = facts, in one snapshot, while everything else goes on.
 *
 * @param db  give it a long statement timeout where the data is large: some checks read whole tables in one statement
 */
export async function verify(db: Db): Promise<VerifyReport> {
  const checks = await inTransaction(
    db,
    async (tx) => [await checkBookedLines(tx), ...(await checkLedger(tx)), await checkClickRollups(tx)],
    { isolation: 'repeatable read' },
  );
  return { ok: checks.every((check) => check.ok), checks };
}

/** Runs every check on the database and prints the report. Exit code 1 where something does not hold. */
export async function runVerify({ config, env }: Command): Promise<number> {
  const report = await withDatabase(config, env, async (db) => {
    await requireSchema({ db });
    return verify(db);
  });
  console.log(formatVerifyReport(report));
  return report.ok ? 0 : 1;
}
