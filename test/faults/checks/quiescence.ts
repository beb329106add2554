import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTotals } from '../../../src/local/demo/answers.ts';
import { createClickIdReader } from '../../../src/core/clicks/click-id.ts';
import { verify } from '../../../src/verify.ts';
import { formatVerifyReport } from '../../../src/ledger/verify/report.ts';
import { deriveKeys } from '../../../src/infra/secrets.ts';
import { expectedCommissionFen } from '../../journey/sales-plan.ts';
import type { Sales } from '../driver/sales.ts';
import type { EventLog } from '../event-log.ts';
import { SECRET } from '../ground.ts';
import type { Site } from '../site.ts';
import { readMetrics, sumOf } from './metrics.ts';
import { areClicksAppendOnly, countSpools, listClickIds, listRollupFaults } from './queries.ts';

const POLL_MS = 250;

export interface Backlog {
  /** In the streams, delivered to a worker or not. */
  entries: number;
  pending: number;
  /** In spools, as the apps say; spools with a published row; files. */
  spooledClicks: number;
  spools: number;
  spoolFiles: number;
}

async function readStreams(site: Site): Promise<Pick<Backlog, 'entries' | 'pending'>> {
  return site.redis.ask(async (redis) => {
    let [entries, pending] = [0, 0];
    for (const key of await redis.keys('clicks:{*}')) {
      if ((await redis.type(key)) !== 'stream') continue;
      entries += await redis.xlen(key);
      // A stream whose group is gone has nothing pending.
      const [count] = (await redis.xpending(key, 'ingest').catch(() => [0])) as [number];
      pending += count;
    }
    return { entries, pending };
  });
}

/** Files that hold something. The one an app has open for the next click is empty; what was set aside as damaged stays. */
function countSpoolFiles(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.spool') && !name.includes('damaged'));
  const sizeOf = (name: string): number => statSync(path.join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return files.filter((name) => sizeOf(name) > 0).length;
}

/** What has not reached Postgres yet. Rejects while a store is away. */
export async function readBacklog(site: Site): Promise<Backlog> {
  const texts = await Promise.all(site.apps.map(({ metricsPort }) => readMetrics(metricsPort)));
  const spooledClicks = texts.reduce((sum, text) => sum + (sumOf(text ?? '', 'click_spool_backlog_clicks') ?? 0), 0);
  const [streams, spools] = await Promise.all([readStreams(site), countSpools(site.db)]);
  return { ...streams, spooledClicks, spools, spoolFiles: countSpoolFiles(site.spoolFolder) };
}

export interface Drained {
  tookMs: number;
  /** What was left at the end of the time. */
  left: string | undefined;
}

/**
 * Waits until everything is in Postgres.
 *
 * @param options.awaitsRows  also until no row of a spool is published any more; the row of a dead owner whose folder is gone lives for a minute, and
 *   holds back nothing but inference
 */
export async function drain(
  site: Site,
  options: { withinMs: number; awaitsRows: boolean; log: EventLog },
): Promise<Drained> {
  const startedAtMs = performance.now();
  for (;;) {
    const backlog = await readBacklog(site).catch(() => undefined);
    const tookMs = Math.round(performance.now() - startedAtMs);
    options.log.write('backlog', { ...backlog });
    const { spools, ...clicks } = backlog ?? { spools: 1, clicks: 1 };
    const isEmpty = Object.values(clicks).every((count) => count === 0) && (spools === 0 || !options.awaitsRows);
    if (isEmpty) return { tookMs, left: undefined };
    if (tookMs > options.withinMs) return { tookMs, left: JSON.stringify(backlog ?? 'a store does not answer') };
    await sleep(POLL_MS);
  }
}

export interface ClickProof {
  faults: string[];
  stored: number;
  /** Stored although no visitor got the id: the answer came too late or its receiver was gone. */
  unseen: number;
  /** Of those that had to be deleted by the fault itself, how many are really missing. */
  lost: number;
}

/**
 * K1 and K2: each click id that a visitor was given is stored exactly once, and every stored one was made by us for that link and instant.
 *
 * @param excused  ids that may be missing, because the fault itself deleted them before a worker had them; `any` where nothing is promised
 */
export async function proveClicks(
  site: Site,
  handedOut: readonly string[],
  excused: ReadonlySet<string> | 'any',
): Promise<ClickProof> {
  const faults: string[] = [];
  const missing = new Set(handedOut);
  if (missing.size !== handedOut.length)
    faults.push(`K1: ${handedOut.length - missing.size} click ids were given twice`);
  const read = createClickIdReader(deriveKeys(Buffer.from(SECRET)).clickIdKeys);
  let [stored, unseen, previous] = [0, 0, ''];
  for await (const { clickId, clickedAt, linkNumber } of listClickIds(site.db)) {
    stored += 1;
    if (clickId === previous) faults.push(`K1: ${clickId} is stored twice`);
    else if (!missing.delete(clickId)) unseen += 1;
    previous = clickId;
    const reading = read(clickId);
    const isOurs =
      reading.ok && BigInt(reading.linkNumber) === linkNumber && reading.clickedAt.getTime() === clickedAt.getTime();
    if (!isOurs) faults.push(`K2: ${clickId} was not made by us for link ${linkNumber} at ${clickedAt.toISOString()}`);
  }
  const lost = missing.size;
  for (const clickId of excused === 'any' ? [...missing] : excused) missing.delete(clickId);
  if (missing.size > 0)
    faults.push(`K1: ${missing.size} of ${handedOut.length} lost, such as ${[...missing].slice(0, 3).join(', ')}`);
  return { faults: faults.slice(0, 10), stored, unseen, lost };
}

/** K6 and K8. */
export async function proveClickTables(site: Site): Promise<string[]> {
  const faults = await listRollupFaults(site.db);
  return (await areClicksAppendOnly(site.db)) ? faults : [...faults, 'K6: Postgres let a click be changed'];
}

/** The books hold, and show what the rules give for the orders that were told. */
export async function proveMoney(site: Site, sales: Sales): Promise<string[]> {
  const { market } = site.ground;
  const faults = [...sales.faults];
  const report = await verify(site.db);
  if (!report.ok) faults.push(`M: verify fails: ${formatVerifyReport(report)}`);
  const expected = expectedCommissionFen(sales.plan, market.products);
  const { total } = await readTotals(market.finance);
  const pairs = [
    ['commissionFen', total.commissionFen, expected.commissionFen],
    ['paidFen', total.paidFen, expected.paidFen],
    ['lines', total.lines, expected.creditedLines],
    ['orders', total.orders, expected.creditedOrders],
  ] as const;
  for (const [name, told, due] of pairs) if (told !== due) faults.push(`M: ${name} is ${told}, the rules give ${due}`);
  return faults;
}
