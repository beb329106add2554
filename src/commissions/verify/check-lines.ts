import { type Bucket, positionOf, type Position, sumLineEntries } from '../../core/money/accounts.ts';
import { bookDifference } from '../../core/money/journal.ts';
import type { Tx } from '../../infra/db.ts';
import { type BookableLine, desiredLine } from '../pricing/desired-line.ts';
import { listPricedLines, type PricedLine } from '../pricing/queries.ts';
import { listBooked } from '../../ledger/positions/queries.ts';
import { readBookableLines } from '../pricing/stored-lines.ts';
import { type Grouping, GROUPINGS, sumTotals, type TotalsRow } from '../../ledger/totals/queries.ts';
import { type Check, CheckBuilder } from '../../ledger/verify/check.ts';
import { listCashDifferences } from '../../ledger/verify/queries.ts';
import { listDriftedTerms, listLineIds } from './queries.ts';

/** Lines held in memory at once. */
const PAGE_LINES = 500;
/** More groups than this of one kind are not read: their sum is proven by the total. */
const MOST_GROUPS = 100_000;

const POSITION_FIELDS = [
  'commissionFen',
  'pendingFen',
  'payableFen',
  'inPayoutFen',
  'paidOutFen',
  'debtFen',
  'reversedFen',
] as const satisfies (keyof Position)[];
const SUMMED_FIELDS = ['lines', 'paidFen', 'refundedFen', ...POSITION_FIELDS] as const;
type Sums = Record<(typeof SUMMED_FIELDS)[number], bigint>;

/** Proofs (b), (c) and (d): books = facts, lines = totals, and the balance identity. Reads the lines once, page by page. */
export async function checkLines(tx: Tx): Promise<Check[]> {
  const books = new CheckBuilder('books of every line = its facts and frozen terms');
  const identity = new CheckBuilder('no balance of a line and payee is impossible, and paid out = cash');
  const sums = noSums();
  let after = '';
  for (;;) {
    const lineIds = await listLineIds(tx, { after, limit: PAGE_LINES });
    await checkPage(tx, lineIds, { books, identity, sums });
    after = lineIds.at(-1) ?? after;
    if (lineIds.length < PAGE_LINES) break;
  }
  for (const { lineId, termsId } of await listDriftedTerms(tx)) {
    books.problem(`line ${lineId}: its frozen terms differ from ${termsId}`);
  }
  for (const { brandId, payeeId, differenceFen } of await listCashDifferences(tx)) {
    identity.problem(`payee ${payeeId} in ${brandId}: paid out and cash differ by ${differenceFen} fen`);
  }
  return [books.finish(), await checkTotals(tx, sums), identity.finish()];
}

interface Found {
  books: CheckBuilder;
  identity: CheckBuilder;
  sums: Sums;
}

async function checkPage(tx: Tx, lineIds: readonly string[], found: Found): Promise<void> {
  if (lineIds.length === 0) return;
  const lines = new Map((await readBookableLines(tx, lineIds)).map((line) => [line.lineId, line]));
  const states = await listPricedLines(tx, lineIds);
  const booked = await listBooked(tx, lineIds);
  for (const lineId of lineIds) {
    const buckets = sumLineEntries(booked.get(lineId) ?? []);
    found.books.count('lines', 1n);
    for (const fault of bookFaults(lines.get(lineId), { state: states.get(lineId), buckets })) {
      found.books.problem(`line ${lineId}: ${fault}`);
    }
    for (const fault of balanceFaults(buckets, found.identity)) found.identity.problem(`line ${lineId}: ${fault}`);
    addSums(found.sums, buckets);
  }
}

function bookFaults(
  line: BookableLine | undefined,
  { state, buckets }: { state: PricedLine | undefined; buckets: Bucket[] },
): string[] {
  if (line === undefined) return buckets.length === 0 ? [] : ['booked, but its order has no creation time'];
  const earns = line.attribution !== undefined && line.paidAt !== undefined;
  if (earns && state === undefined) return ['attributed and paid, but without frozen terms'];
  const desired = desiredLine(line, { state, booked: buckets });
  return bookDifference({ booked: buckets, desired }).map(({ dimensions, amounts, postings }) => {
    const moves = postings.map((posting) => `${posting.account} of ${posting.payeeId} by ${posting.amountFen}`);
    const what = [`lines ${amounts.lines}`, `paid ${amounts.paidFen}`, `refunded ${amounts.refundedFen}`, ...moves];
    return `books of link ${dimensions.linkId} are off by ${what.join(', ')}`;
  });
}

function balanceFaults(buckets: readonly Bucket[], identity: CheckBuilder): string[] {
  return buckets.flatMap((bucket) =>
    bucket.legs.flatMap((leg) => {
      identity.count('balances', 1n);
      const position = positionOf([bucket], leg.payeeId);
      const { commissionFen, pendingFen, payableFen, inPayoutFen, paidOutFen, debtFen } = position;
      const faults = POSITION_FIELDS.filter((field) => field !== 'paidOutFen' && position[field] < 0n).map(
        (field) => `${field} of ${leg.payeeId} is ${position[field]}`,
      );
      if (commissionFen !== pendingFen + payableFen + inPayoutFen + paidOutFen - debtFen) {
        faults.push(`commission of ${leg.payeeId} is not where it should be`);
      }
      if (commissionFen > bucket.amounts.paidFen - bucket.amounts.refundedFen) {
        faults.push(`commission of ${leg.payeeId} exceeds what the buyer paid`);
      }
      return faults;
    }),
  );
}

function noSums(): Sums {
  return Object.fromEntries(SUMMED_FIELDS.map((field) => [field, 0n])) as Sums;
}

function addSums(sums: Sums, buckets: readonly Bucket[]): void {
  const position = positionOf(buckets);
  for (const field of POSITION_FIELDS) sums[field] += position[field];
  for (const { amounts } of buckets) {
    sums.lines += BigInt(amounts.lines);
    sums.paidFen += amounts.paidFen;
    sums.refundedFen += amounts.refundedFen;
  }
}

/** The totals of the API, whole and by every single grouping, against the sums of the lines. */
async function checkTotals(tx: Tx, sums: Sums): Promise<Check> {
  const check = new CheckBuilder('totals by every grouping = sum of the lines');
  check.count('commissionFen', sums.commissionFen);
  const whole = await readTotals(tx, []);
  compare(check, 'the total', whole.total, sums);
  check.count('orders', whole.total?.orders ?? 0n);
  for (const grouping of GROUPINGS) {
    const { groups } = await readTotals(tx, [grouping]);
    check.count('groups', BigInt(groups.length));
    if (groups.length > MOST_GROUPS) continue;
    const added = noSums();
    for (const group of groups) for (const field of SUMMED_FIELDS) added[field] += group[field];
    compare(check, `the rows by ${grouping}`, added, sums);
  }
  return check.finish();
}

async function readTotals(tx: Tx, groupBy: Grouping[]): Promise<{ groups: TotalsRow[]; total: TotalsRow | undefined }> {
  const rows = await sumTotals(tx, {
    groupBy,
    timeBasis: 'paid',
    asOf: null,
    limit: MOST_GROUPS,
    brandScope: null,
    influencerScope: null,
    brandId: null,
    influencerId: null,
    storeId: null,
    productId: null,
    platform: null,
    stage: null,
    from: null,
    to: null,
  });
  return { groups: rows.filter(({ isTotal }) => !isTotal), total: rows.find(({ isTotal }) => isTotal) };
}

function compare(check: CheckBuilder, what: string, actual: Sums | undefined, expected: Sums): void {
  for (const field of SUMMED_FIELDS) {
    if (actual?.[field] !== expected[field]) {
      check.problem(`${what}: ${field} is ${actual?.[field]}, the lines sum to ${expected[field]}`);
    }
  }
}
