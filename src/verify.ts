import { checkBookedLines } from './commissions/verify/check-lines.ts';
import { type Db, inTransaction } from './infra/db.ts';
import type { VerifyReport } from './ledger/verify/report.ts';
import { checkClickRollups, checkLedger } from './ledger/verify/verify.ts';

/**
 * Every proof there is, in one snapshot, while everything else goes on: totals = lines = journal = facts.
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
