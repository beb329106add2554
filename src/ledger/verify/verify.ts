import type { Tx } from '../../infra/db.ts';
import { checkPositions } from './check-positions.ts';
import { checkSeals } from './check-seals.ts';
import { checkRollups, sumEntries } from './queries.ts';
import { type Check, CheckBuilder } from './report.ts';

/**
 * Proves the ledger by itself: every entry sums to 0; the totals of the API are the sum of the lines, by every grouping; no balance is
 * impossible; the seals chain from the first without a gap.
 *
 * Lines and seals are read page by page, so memory does not grow with the data.
 */
export async function checkLedger(tx: Tx): Promise<Check[]> {
  return [await checkEntrySums(tx), ...(await checkPositions(tx)), await checkSeals(tx)];
}

async function checkEntrySums(tx: Tx): Promise<Check> {
  const check = new CheckBuilder('every journal entry sums to 0');
  const { entries, postings, unbalanced } = await sumEntries(tx);
  check.count('entries', entries);
  check.count('postings', postings);
  for (const { entryId, sumFen } of unbalanced) check.problem(`journal entry ${entryId} sums to ${sumFen} fen`);
  return check.finish();
}

/** Proves that click rollups count the clicks that are still kept. */
export async function checkClickRollups(tx: Tx): Promise<Check> {
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
