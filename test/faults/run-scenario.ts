import { setTimeout as sleep } from 'node:timers/promises';
import { randomOf } from '../journey/sales-plan.ts';
import { drain, proveClicks, proveClickTables, proveMoney } from './checks/quiescence.ts';
import { startWatch } from './checks/watch.ts';
import type { Watch } from './checks/watch.ts';
import { startQuestions } from './driver/questions.ts';
import type { Questions } from './driver/questions.ts';
import { exchange } from './driver/exchange.ts';
import { startSales } from './driver/sales.ts';
import type { Sales } from './driver/sales.ts';
import { startVisits } from './driver/visits.ts';
import type { Visits } from './driver/visits.ts';
import type { EventLog } from './event-log.ts';
import { MARKET_SIZE } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Figures, Outcome, Run, Scenario } from './scenario.ts';
import { openSite } from './site.ts';
import type { Site } from './site.ts';

const DEFAULT_VISITS_PER_SECOND = 300;
const DEFAULT_MESSAGES_PER_SECOND = 15;
const DEFAULT_ORDERS = 40;
const DEFAULT_DRAIN_MS = 120_000;
/** Enough work for the memory of a process to take its usual size, against which growth is measured. */
const WARM_UP_MS = 4_000;
const WARM_UP_VISITS_PER_SECOND = 1_200;
const SETTLE_MS = 500;

interface Tools {
  ground: Ground;
  log: EventLog;
  seed: number;
  /** Ends the whole run. */
  signal: AbortSignal;
}

/** The driver of one scenario: visitors, a shop, and finance. */
interface Load {
  visits: Visits;
  sales: Sales;
  questions: Questions;
}

/** Visits every link once: these clicks are what the shop's orders name. @returns by link code */
async function visitEachLink(site: Site, codes: readonly string[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  const [door] = site.apps;
  for (const code of codes) {
    const headers = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) first' };
    const answer = await exchange({
      port: door?.port ?? 0,
      method: 'GET',
      path: `/${code}`,
      headers,
      timeoutMs: 5_000,
    });
    const location = answer.kind === 'answer' ? answer.headers.location : undefined;
    const clickId = URL.parse(location ?? '')?.searchParams.get('dh_click');
    if (!clickId) throw new Error(`before any fault, /${code} gave no click id: ${JSON.stringify(answer)}`);
    ids.set(code, clickId);
  }
  return ids;
}

function startLoad(site: Site, scenario: Scenario, firstClicks: ReadonlyMap<string, string>, seed: number): Load {
  const { market } = site.ground;
  const load = scenario.load ?? {};
  const codes = market.links.flat().map(({ code }) => code);
  const visits = startVisits({
    doors: site.apps,
    codes,
    perSecond: load.visitsPerSecond ?? DEFAULT_VISITS_PER_SECOND,
    random: randomOf(seed + 1),
    onClick: () => undefined,
    asksReadiness: load.asksReadiness ?? false,
  });
  const sales = startSales({
    doors: site.apps,
    market,
    clickIdFor: (influencer, product) => firstClicks.get(market.links[influencer]?.[product]?.code ?? '') ?? '',
    orders: load.orders ?? DEFAULT_ORDERS,
    perSecond: load.messagesPerSecond ?? DEFAULT_MESSAGES_PER_SECOND,
    size: MARKET_SIZE,
    random: randomOf(seed + 2),
  });
  return { visits, sales, questions: startQuestions(market.finance) };
}

/** Starts whatever does not run: after the fault everything is as in the beginning. */
async function restore(site: Site): Promise<void> {
  await site.heal();
  if (site.postgres.process.pid === undefined) await site.postgres.start();
  if (site.redis.process.pid === undefined) await site.redis.start();
  const stopped = [...site.apps, ...site.workers].map(({ process }) => process).filter(({ pid }) => pid === undefined);
  await Promise.all(stopped.map((process) => process.start()));
}

function describeVisits({ counts }: Visits): Figures {
  const other = Object.entries(counts.other).map(([status, count]) => `${count}×${status}`);
  return {
    clicks: counts.tracked,
    untracked: counts.untracked,
    'lost visits': counts.lost,
    ...(other.length === 0 ? {} : { 'other answers': other.join(' ') }),
    ...(counts.skipped === 0 ? {} : { skipped: counts.skipped }),
  };
}

/** Everything after the fault: heals, stops the load, drains, proves. @returns what does not hold */
async function conclude(run: Run, load: Load, watch: Watch, scenario: Scenario) {
  const { site, figures, signal, log } = run;
  await restore(site);
  await load.sales.finish(signal);
  await load.visits.stop();
  await load.questions.stop();
  log.write('drain');
  const drained = await drain(site, {
    withinMs: scenario.drainWithinMs ?? DEFAULT_DRAIN_MS,
    awaitsRows: scenario.awaitsSpoolRows ?? false,
    log,
  });
  const faults: string[] = [];
  if (drained.left !== undefined) faults.push(`K3: not drained after ${drained.tookMs} ms: ${drained.left}`);
  const handedOut = [...load.visits.clickIds, ...run.handedOut];
  const clicks = await proveClicks(site, handedOut, scenario.mayLose === true ? 'any' : run.excused);
  faults.push(...clicks.faults, ...(await proveClickTables(site)), ...(await proveMoney(site, load.sales)));
  await watch.stop();
  faults.push(...watch.violations, ...load.questions.faults);
  Object.assign(figures, describeVisits(load.visits), {
    stored: clicks.stored,
    unseen: clicks.unseen,
    ...(clicks.lost === 0 ? {} : { 'lost clicks': clicks.lost }),
    messages: load.sales.counts.acknowledged,
    'p99 ms': load.visits.quantileMs(0.99),
    'drained in ms': drained.tookMs,
    'grew by MB': watch.figures.rssGrowthMb,
    'most MB': watch.figures.rssMostMb,
  });
  log.write('proved', { faults, figures, watch: watch.figures, sales: load.sales.counts });
  return faults;
}

async function play(site: Site, scenario: Scenario, tools: Tools, signal: AbortSignal, figures: Figures) {
  const { log, seed } = tools;
  await scenario.prepare?.(site);
  await Promise.all([...site.apps, ...site.workers].map(({ process }) => process.start()));
  const firstClicks = await visitEachLink(
    site,
    site.ground.market.links.flat().map(({ code }) => code),
  );
  const load = startLoad(site, scenario, firstClicks, seed);
  const watch = startWatch(site, { mayVanish: scenario.mayVanish ?? false, log });
  const faults: string[] = [];
  const run: Run = {
    site,
    visits: load.visits,
    sales: load.sales,
    log,
    random: randomOf(seed + 3),
    signal,
    excused: new Set(),
    handedOut: [...firstClicks.values()],
    figures,
    sleep: async (ms) => sleep(ms, undefined, { signal }),
    expect: (isSo, otherwise) => {
      if (!isSo) faults.push(otherwise);
    },
  };
  try {
    load.visits.setRate(WARM_UP_VISITS_PER_SECOND);
    await run.sleep(WARM_UP_MS);
    load.visits.setRate(scenario.load?.visitsPerSecond ?? DEFAULT_VISITS_PER_SECOND);
    await run.sleep(SETTLE_MS);
    watch.warmedUp();
    load.visits.measureFromHere();
    await scenario.steps(run);
    faults.push(...(await conclude(run, load, watch, scenario)));
    return faults;
  } finally {
    load.sales.stop();
    await Promise.allSettled([load.visits.stop(), load.questions.stop(), watch.stop()]);
  }
}

/** Plays one scenario on an installation of its own, and takes that down whatever happened. Never rejects. */
export async function runScenario(scenario: Scenario, tools: Tools): Promise<Outcome> {
  const { ground, log, seed } = tools;
  const { fault, name } = scenario;
  const reason = await scenario.obstacle?.();
  if (reason !== undefined) return { fault, name, result: 'not run', reason };
  log.write('scenario', { fault, name, seed });
  const startedAtMs = performance.now();
  const figures: Figures = {};
  const timeUp = AbortSignal.timeout(scenario.limitMs);
  const signal = AbortSignal.any([timeUp, tools.signal]);
  const ended = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error(timeUp.aborted ? `not over within ${scenario.limitMs / 1_000} s` : 'stopped'));
    });
  });
  // It may come to that when nobody waits any more.
  ended.catch(() => undefined);
  const faults: string[] = [];
  let site: Site | undefined;
  try {
    const opened = await openSite(ground, `${fault}-${seed}`, scenario.site ?? {});
    site = opened;
    faults.push(...(await Promise.race([play(opened, scenario, tools, signal, figures), ended])));
  } catch (error) {
    faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await site?.destroy();
    if (site !== undefined) await scenario.cleanUp?.(site);
  }
  const tookMs = Math.round(performance.now() - startedAtMs);
  return { fault, name, result: faults.length === 0 ? 'passed' : 'failed', tookMs, faults, figures };
}
