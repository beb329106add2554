import { type Db, inTransaction, type Tx } from '../../infra/db.ts';
import { type Check, CheckBuilder } from '../../ledger/verify/check.ts';
import { checkLines } from './check-lines.ts';
import { checkSeals } from '../../ledger/verify/check-seals.ts';
import { checkBalances, checkRollups } from '../../ledger/verify/queries.ts';

export interface VerifyReport {
  ok: boolean;
  checks: Check[];
}

/**
 * Proves that totals = lines = journal = facts, in one snapshot, while everything else goes on.
 *
 * Every journal sums to 0; the books of every line are what its facts, frozen terms and attribution give; the totals of the API are the sum
 * of the lines, by every grouping; no balance is impossible; the seals chain from the first without a gap; click rollups count the clicks.
 * Lines and seals are read page by page, so memory does not grow with the data.
 *
 * @param db  give it a long statement timeout where the data is large: some checks read whole tables in one statement
 */
export async function verify(db: Db): Promise<VerifyReport> {
  const checks = await inTransaction(
    db,
    async (tx) => [
      await checkJournals(tx),
      ...(await checkLines(tx)),
      await checkSeals(tx),
      await checkClickRollups(tx),
    ],
    { isolation: 'repeatable read' },
  );
  return { ok: checks.every((check) => check.ok), checks };
}

async function checkJournals(tx: Tx): Promise<Check> {
  const check = new CheckBuilder('every journal sums to 0');
  const { journals, entries, unbalanced } = await checkBalances(tx);
  check.count('journals', journals);
  check.count('entries', entries);
  for (const { journalId, sumFen } of unbalanced) check.problem(`journal ${journalId} sums to ${sumFen} fen`);
  return check.finish();
}

async function checkClickRollups(tx: Tx): Promise<Check> {
  const check = new CheckBuilder('click rollups = clicks');
  const { clicks, rollups, differences } = await checkRollups(tx);
  check.count('clicks', clicks);
  check.count('rollups', rollups);
  for (const each of differences) {
    const { linkNumber, hour, verdict, clicks: counted, rolledUp } = each;
    check.problem(`link ${linkNumber}, ${hour.toISOString()}, ${verdict}: ${counted} clicks, rolled up ${rolledUp}`);
  }
  return check.finish();
}

/** The report as lines of plain text, the verdict last. */
export function formatVerifyReport(report: VerifyReport): string {
  const lines = report.checks.flatMap(({ name, ok, figures, problems }) => {
    const counted = Object.entries(figures).map(([figure, value]) => `${figure} ${value}`);
    return [
      `${ok ? 'ok  ' : 'FAIL'}  ${name}${counted.length === 0 ? '' : ` (${counted.join(', ')})`}`,
      ...problems.map((problem) => `      ${problem}`),
    ];
  });
  return [...lines, report.ok ? 'Everything holds.' : 'Something does not hold; see FAIL above.'].join('\n');
}
