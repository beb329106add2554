import { type Bucket, positionOf, sumLineEntries } from '../../core/money/accounts.ts';
import type { Tx } from '../../infra/db.ts';
import { ADDITIVE_FIGURES } from '../figures.ts';
import { listBooked, listBookedLineIds } from '../positions/queries.ts';
import { type Grouping, GROUPINGS, sumTotals, type TotalsRow } from '../totals/queries.ts';
import { type Check, CheckBuilder } from './report.ts';
import { listCashDifferences } from './queries.ts';

/** Lines held in memory at once. */
const PAGE_LINES = 500;
/** More groups than this of one kind are not read: their sum is proven by the total. */
const MOST_GROUPS = 100_000;

type Sums = Record<(typeof ADDITIVE_FIGURES)[number], bigint>;

/** Sums every booked line by the rules of the core, page by page, and proves the totals of the API and the identity of balances by it. */
export async function checkPositions(tx: Tx): Promise<Check[]> {
  const identity = new CheckBuilder('no balance of a line and payee is impossible, and paid out = cash');
  const sums = noSums();
  let after = '';
  for (;;) {
    const lineIds = await listBookedLineIds(tx, { after, limit: PAGE_LINES });
    for (const [lineId, lineEntries] of await listBooked(tx, lineIds)) {
      const buckets = sumLineEntries(lineEntries);
      for (const fault of balanceFaults(buckets, identity)) identity.problem(`line ${lineId}: ${fault}`);
      addSums(sums, buckets);
    }
    after = lineIds.at(-1) ?? after;
    if (lineIds.length < PAGE_LINES) break;
  }
  for (const { brandId, payeeId, differenceFen } of await listCashDifferences(tx)) {
    identity.problem(`payee ${payeeId} in ${brandId}: paid out and cash differ by ${differenceFen} fen`);
  }
  return [await checkTotals(tx, sums), identity.finish()];
}

function balanceFaults(buckets: readonly Bucket[], identity: CheckBuilder): string[] {
  return buckets.flatMap((bucket) =>
    bucket.legs.flatMap(({ payeeId }) => {
      identity.count('balances', 1n);
      const { paidOutFen, ...position } = positionOf([bucket], payeeId);
      const { commissionFen, pendingFen, payableFen, inPayoutFen, debtFen } = position;
      const faults = Object.entries(position)
        .filter(([, fen]) => fen < 0n)
        .map(([figure, fen]) => `${figure} of ${payeeId} is ${fen}`);
      if (commissionFen !== pendingFen + payableFen + inPayoutFen + paidOutFen - debtFen) {
        faults.push(`commission of ${payeeId} is not where it should be`);
      }
      if (commissionFen > bucket.amounts.paidFen - bucket.amounts.refundedFen) {
        faults.push(`commission of ${payeeId} exceeds what the buyer paid`);
      }
      return faults;
    }),
  );
}

function noSums(): Sums {
  return Object.fromEntries(ADDITIVE_FIGURES.map((figure) => [figure, 0n])) as Sums;
}

function addSums(sums: Sums, buckets: readonly Bucket[]): void {
  const position = positionOf(buckets);
  for (const [figure, fen] of Object.entries(position)) sums[figure as keyof typeof position] += fen;
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
    for (const group of groups) for (const figure of ADDITIVE_FIGURES) added[figure] += group[figure];
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

function compare(check: CheckBuilder, subject: string, actual: Sums | undefined, expected: Sums): void {
  for (const figure of ADDITIVE_FIGURES) {
    if (actual?.[figure] !== expected[figure]) {
      check.problem(`${subject}: ${figure} is ${actual?.[figure]}, the lines sum to ${expected[figure]}`);
    }
  }
}
