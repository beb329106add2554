import { parseArgs } from 'node:util';
import { formatFenAsYuan } from '../core/money/money.ts';
import { OperatorFault } from '../infra/failures.ts';
import type { Command } from './command.ts';
import { type Api, createApi, fetchFrom, sendOver } from '../local/demo/api.ts';
import { checkBalances, checkJournal, checkTotals, showExplanation } from '../local/demo/books.ts';
import { readDemoKeys } from '../local/demo/seed.ts';
import { createServerClock, Figures, type ServerClock, tableText, type Tour } from '../local/demo/tour.ts';
import { openMarket } from '../local/demo/market.ts';
import { PRODUCTS } from '../local/demo/rules.ts';
import { sellFryer, sellKettleAndCups, sellTea, sellWithoutEvidence } from '../local/demo/sales.ts';
import { checkClicks, visitLinks } from '../local/demo/visits.ts';
import { UsageFault } from './command.ts';

const DEFAULT_ADDRESS = 'http://127.0.0.1:3000';

/** @throws UsageFault on options it does not know, or an address that is none */
export function readDemoArguments(args: string[]): { origin?: string; adminKey?: string } {
  const { url, 'admin-key': adminKey } = parseOptions(args);
  const parsed = url === undefined ? undefined : URL.parse(url);
  if (parsed === null || (parsed !== undefined && !/^https?:$/.test(parsed.protocol))) {
    throw new UsageFault('--url must look like http://127.0.0.1:3000.');
  }
  return {
    ...(parsed === undefined ? {} : { origin: parsed.origin }),
    ...(adminKey === undefined ? {} : { adminKey }),
  };
}

function parseOptions(args: string[]) {
  try {
    const text = { type: 'string' } as const;
    return parseArgs({ args, options: { url: text, 'admin-key': text } }).values;
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message : String(error));
  }
}

/** Which server, and with which key. The kept key is only ever sent to the server that made it. */
async function findServer({ config, args }: Command): Promise<{ origin: string; adminKey: string }> {
  const given = readDemoArguments(args);
  const kept = await readDemoKeys(config.home);
  const origin = given.origin ?? kept?.address ?? DEFAULT_ADDRESS;
  const keptKey = origin === kept?.address ? kept.keys.admin : undefined;
  const adminKey = given.adminKey ?? config.adminKey ?? keptKey;
  if (adminKey === undefined) {
    throw new OperatorFault(
      `The demo needs an admin key of ${origin}. Start daihuo with 'npm start' here, or give one with --admin-key or DAIHUO_ADMIN_KEY.`,
    );
  }
  return { origin, adminKey };
}

async function openClock(origin: string): Promise<ServerClock> {
  const response = await fetchFrom(origin, { method: 'GET', path: '/readyz', headers: {} });
  const text = await response.text();
  if (!response.ok) throw new OperatorFault(`The server at ${origin} is not ready: ${text.slice(0, 200)}`);
  return createServerClock(response.headers.get('date'));
}

async function openTour(command: Command, print: (line: string) => void): Promise<Tour> {
  const { origin, adminKey } = await findServer(command);
  const clock = await openClock(origin);
  const connect = (key: string): Api => createApi(sendOver(origin), key);
  const admin = connect(adminKey);
  print(`daihuo demo, on ${origin}; it makes a brand of its own, so it can be run again and again.`);
  return { origin, admin, market: await openMarket(admin, connect), clock, figures: new Figures(), print };
}

function showMarket({ market, print }: Tour): void {
  print('\n1. A brand offers four products, two influencers take links');
  const rows = Object.values(PRODUCTS).map(({ platform, title, priceFen, commission, holdDays = 15 }) => [
    title,
    platform,
    formatFenAsYuan(BigInt(priceFen)),
    'rateBp' in commission ? `${commission.rateBp / 100} %` : `${formatFenAsYuan(BigInt(commission.flatFen))} each`,
    `${holdDays} days`,
  ]);
  print(tableText([['product', 'on', 'price', 'commission', 'hold'], ...rows]));
  print(`  小美 ${market.run} promotes the fryer and the tea, 阿强 ${market.run} the kettle and the cup.`);
  print('  The platform keeps 5 % of each commission; of the rest, 阿强’s agency gets 30 %.');
}

async function runTour(tour: Tour): Promise<void> {
  const { market, clock, print } = tour;
  showMarket(tour);
  print('\n2. Visitors follow the links');
  const clicks = await visitLinks(tour);
  await checkClicks(tour);
  // Marketplaces write whole seconds, and a code in a note counts only if its link existed when the order was created.
  const at = await clock.nextSecondAfter(market.qiang.cup.createdAt);
  print('\n3. Orders come in, signed, out of order and more than once');
  const fryer = await sellFryer(tour, { at, clicks });
  await sellKettleAndCups(tour, { at, clicks });
  await sellTea(tour, at);
  await sellWithoutEvidence(tour, at);
  print('\n4. What finance sees');
  await checkTotals(tour);
  print('\n5. What each payee has');
  await checkBalances(tour);
  print('\n6. Why, to the last entry');
  await showExplanation(tour, fryer);
  await checkJournal(tour);
}

/** Nobody will use the keys of this run again. Where the server is gone, that is what the person is told, not this. */
async function revokeKeys({ admin, market, print }: Tour): Promise<void> {
  try {
    for (const id of market.keyIds) await admin.remove(`/v1/keys/${id}`);
  } catch {
    print(`The keys of this run could not be revoked: ${market.keyIds.join(', ')}.`);
  }
}

/**
 * Drives a running server through the whole chain over HTTP, with signed messages, and compares every figure with what the rules give.
 *
 * @returns 0, or 1 where a figure differs
 */
export async function runDemo(command: Command): Promise<number> {
  const print = (line: string): void => console.log(line);
  const tour = await openTour(command, print);
  try {
    await runTour(tour);
  } finally {
    await revokeKeys(tour);
  }
  const { count, differences } = tour.figures;
  if (differences.length === 0) {
    print(`\nAll ${count} figures are as the rules give them.`);
    return 0;
  }
  print(`\n${differences.length} of ${count} figures differ from what the rules give:`);
  for (const difference of differences) print(`  - ${difference}`);
  return 1;
}
