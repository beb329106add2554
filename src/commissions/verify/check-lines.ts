import { type Bucket, sumLineEntries } from '../../core/money/accounts.ts';
import { bookDifference } from '../../core/money/journal.ts';
import type { Tx } from '../../infra/db.ts';
import { listBooked } from '../../ledger/positions/queries.ts';
import { type Check, CheckBuilder } from '../../ledger/verify/report.ts';
import { type BookableLine, desiredLine } from '../pricing/desired-line.ts';
import { listPricedLines, type PricedLine } from '../pricing/queries.ts';
import { readBookableLines } from '../pricing/stored-lines.ts';
import { listDriftedTerms, listLineIds } from './queries.ts';

/** Lines held in memory at once. */
const PAGE_LINES = 500;

/**
 * Proves that what is booked for every line is what its facts, its attribution and the terms copied onto it give, computed afresh.
 *
 * Reads the lines page by page, so memory does not grow with the data.
 */
export async function checkBookedLines(tx: Tx): Promise<Check> {
  const check = new CheckBuilder('booked for every line = its facts and the terms copied onto it');
  let after = '';
  for (;;) {
    const lineIds = await listLineIds(tx, { after, limit: PAGE_LINES });
    if (lineIds.length > 0) await checkPage(tx, lineIds, check);
    after = lineIds.at(-1) ?? after;
    if (lineIds.length < PAGE_LINES) break;
  }
  for (const { lineId, termsId } of await listDriftedTerms(tx)) {
    check.problem(`line ${lineId}: the terms copied onto it differ from ${termsId}`);
  }
  return check.finish();
}

async function checkPage(tx: Tx, lineIds: readonly string[], check: CheckBuilder): Promise<void> {
  const lines = new Map((await readBookableLines(tx, lineIds)).map((line) => [line.lineId, line]));
  const priced = await listPricedLines(tx, lineIds);
  const booked = await listBooked(tx, lineIds);
  for (const lineId of lineIds) {
    check.count('lines', 1n);
    const buckets = sumLineEntries(booked.get(lineId) ?? []);
    for (const fault of bookingFaults(lines.get(lineId), { state: priced.get(lineId), buckets })) {
      check.problem(`line ${lineId}: ${fault}`);
    }
  }
}

function bookingFaults(
  line: BookableLine | undefined,
  { state, buckets }: { state: PricedLine | undefined; buckets: Bucket[] },
): string[] {
  if (line === undefined) return buckets.length === 0 ? [] : ['booked, but its order has no creation time'];
  const earns = line.attribution !== undefined && line.paidAt !== undefined;
  if (earns && state === undefined) return ['attributed and paid, but without terms copied onto it'];
  const desired = desiredLine(line, { state, booked: buckets });
  return bookDifference({ booked: buckets, desired }).map(({ dimensions, amounts, postings }) => {
    const moves = postings.map((posting) => `${posting.account} of ${posting.payeeId} by ${posting.amountFen}`);
    const parts = [`lines ${amounts.lines}`, `paid ${amounts.paidFen}`, `refunded ${amounts.refundedFen}`, ...moves];
    return `postings of link ${dimensions.linkId} are off by ${parts.join(', ')}`;
  });
}
