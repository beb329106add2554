import { formatFenAsYuan } from '../../core/money/money.ts';
import {
  readBalance,
  readExplanation,
  readJournal,
  readOperatorPayee,
  readStats,
  readTotals,
  type OrderRead,
  type TotalsRow,
} from './answers.ts';
import { BALANCES, FRYER_SALE, TOTALS } from './rules.ts';
import { tableText, type Tour, waitUntil } from './tour.ts';

/** The worker releases due lines every few seconds. */
const RELEASE_TIMEOUT_MS = 30_000;

const MONEY = ['paidFen', 'refundedFen', 'commissionFen', 'pendingFen', 'payableFen', 'reversedFen'] as const;

/** Waits until the line without a hold is payable, then compares and prints the totals of finance. */
export async function checkTotals(tour: Tour): Promise<void> {
  const { market, figures, print } = tour;
  const totals = await waitUntil(
    () => readTotals(market.finance),
    ({ total }) => total.payableFen === TOTALS.all.payableFen,
    RELEASE_TIMEOUT_MS,
  );
  const rowOf = (influencerId: string): TotalsRow | undefined =>
    totals.data.find((row) => row.influencerId === influencerId);
  const rows = [
    { name: `小美 ${market.run}`, row: rowOf(market.mei.influencerId), expected: TOTALS.mei, orders: 2n, lines: 2n },
    {
      name: `阿强 ${market.run}`,
      row: rowOf(market.qiang.influencerId),
      expected: TOTALS.qiang,
      orders: 1n,
      lines: 2n,
    },
    { name: 'total', row: totals.total, expected: TOTALS.all, orders: 3n, lines: 4n },
  ];
  figures.expect('rows of the totals', BigInt(totals.data.length), 2n);
  for (const { name, row, expected, orders, lines } of rows) {
    figures.expect(`${name}, orders`, row?.orders, orders);
    figures.expect(`${name}, lines`, row?.lines, lines);
    figures.expectFen(name, row, expected);
  }
  const header = ['yuan', 'orders', 'paid', 'refunded', 'commission', 'pending', 'payable', 'reversed'];
  const cells = rows.map(({ name, row }) => [
    name,
    String(row?.orders ?? '?'),
    ...MONEY.map((field) => (row === undefined ? '?' : formatFenAsYuan(row[field]))),
  ]);
  print(tableText([header, ...cells]));
}

/** Compares and prints the balance of each payee; the balances sum to the whole commission. */
export async function checkBalances(tour: Tour): Promise<void> {
  const { admin, market, figures, print } = tour;
  const { brandId, mei, qiang, run } = market;
  const payees = [
    { name: `小美 ${run}`, payeeId: mei.payeeId, expected: BALANCES.mei },
    { name: `阿强 ${run}`, payeeId: qiang.payeeId, expected: BALANCES.qiang },
    { name: `星光传媒 ${run}, the agency`, payeeId: qiang.agencyPayeeId, expected: BALANCES.agency },
    { name: 'the platform fee', payeeId: await readOperatorPayee(admin), expected: BALANCES.operator },
  ];
  const rows = [['yuan', 'commission', 'pending', 'payable']];
  let sumFen = 0n;
  for (const { name, payeeId, expected } of payees) {
    const balance = payeeId === undefined ? undefined : await readBalance(market.finance, { payeeId, brandId });
    figures.expectFen(`balance of ${name}`, balance, { ...expected });
    if (balance === undefined) continue;
    sumFen += balance.commissionFen;
    const { commissionFen, pendingFen, payableFen } = balance;
    rows.push([name, ...[commissionFen, pendingFen, payableFen].map((fen) => formatFenAsYuan(fen))]);
  }
  figures.expectFen('all payees together', { sumFen }, { sumFen: TOTALS.all.commissionFen });
  print(tableText(rows));
}

/** Checks that every journal entry of the brand sums to 0, and that the statistics of a link show the same amounts as finance. */
export async function checkJournal(tour: Tour): Promise<void> {
  const { market, figures, print } = tour;
  const entries = await readJournal(market.finance, market.brandId);
  const sums = new Map<string, bigint>();
  for (const { journalId, amountFen } of entries) sums.set(journalId, (sums.get(journalId) ?? 0n) + amountFen);
  const unbalanced = [...sums.values()].filter((sum) => sum !== 0n).length;
  figures.expect('journals that do not sum to 0', BigInt(unbalanced), 0n);
  figures.expect('journals', sums.size > 0 ? 'some' : 'none', 'some');
  print(`  ${sums.size} journals with ${entries.length} entries; each sums to 0.`);
  const stats = await readStats(market.finance, market.mei.fryer.code);
  const { paidFen, commissionFen } = FRYER_SALE.afterRefund;
  figures.expect('statistics of the fryer’s link, orders', stats.orders, 1n);
  figures.expectFen('statistics of the fryer’s link', stats, { paidFen, commissionFen });
}

/** Prints a short form of the explanation of the fryer's commission. */
export async function showExplanation(tour: Tour, order: OrderRead | undefined): Promise<void> {
  const { market, figures, print } = tour;
  if (order === undefined) return;
  const { events, lines } = await readExplanation(market.finance, order.id);
  const [line] = lines;
  const won = line?.ladder.find(({ outcome }) => outcome === 'won');
  figures.expect('explanation of the fryer, what won', won?.method, 'click_id');
  figures.expectFen('explanation of the fryer', line, { commissionFen: FRYER_SALE.afterRefund.commissionFen });
  print(`  GET /v1/orders/${order.id}/explanation, in short:`);
  print(`    events     ${events.map(({ type }) => type).join(', ')}`);
  print(`    won by     ${won?.method ?? '?'}: ${won?.words ?? '?'}; window ${line?.window?.days ?? '?'} days`);
  for (const { name, formula, amountFen } of line?.arithmetic ?? []) {
    print(`    ${name.padEnd(10)} ${formula} → ${formatFenAsYuan(amountFen)}`);
  }
  print(`    journal    ${line?.journal.length ?? 0} entries`);
}
