import { readMetrics } from '../checks/metrics.ts';
import { exchange } from '../driver/exchange.ts';
import type { Run, Scenario } from '../scenario.ts';

const READY_WITHIN_MS = 30_000;
const BETWEEN_MS = 150;
const POLL_MS = 50;
const PARTS = ['app', 'worker', 'redis', 'postgres'] as const;
type Part = (typeof PARTS)[number];

/** Every order of some things. */
export function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) => ordersOf(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

async function isReady({ site }: Run): Promise<boolean> {
  const [app] = site.apps;
  const [worker] = site.workers;
  const ask = { port: app?.port ?? 0, method: 'GET', path: '/readyz', headers: {}, timeoutMs: 3_000 };
  const answer = await exchange(ask);
  return (
    answer.kind === 'answer' && answer.status === 200 && (await readMetrics(worker?.metricsPort ?? 0)) !== undefined
  );
}

async function startInOrder({ site, sleep }: Run, order: readonly Part[]): Promise<void> {
  const starters: Record<Part, () => Promise<unknown>> = {
    app: async () => site.apps[0]?.process.start(),
    worker: async () => site.workers[0]?.process.start(),
    redis: async () => site.redis.start(),
    postgres: async () => site.postgres.start(),
  };
  const started: Promise<unknown>[] = [];
  for (const part of order) {
    started.push(starters[part]());
    await sleep(BETWEEN_MS);
  }
  await Promise.all(started);
}

/** F7: everything dies in one instant and comes back, in every order there is. */
export function coldStart({ rounds }: { rounds: number }): Scenario {
  const orders = Array.from({ length: rounds }, () => ordersOf(PARTS)).flat();
  return {
    fault: 'F7',
    name: `everything killed, cold start in each of 24 orders ×${rounds}`,
    limitMs: 120_000 + orders.length * 35_000,
    load: { visitsPerSecond: 200 },
    steps: async (run) => {
      const { site, sleep, expect, figures, log } = run;
      let slowestMs = 0;
      for (const order of orders) {
        await sleep(800);
        const stores = [site.redis.process.kill(), site.postgres.process.kill('all')];
        await Promise.all([...stores, ...[...site.apps, ...site.workers].map(({ process }) => process.kill())]);
        log.write('killed', { process: 'all', order: order.join(' ') });
        const startedAtMs = performance.now();
        await startInOrder(run, order);
        while (!(await isReady(run))) await sleep(POLL_MS);
        const tookMs = Math.round(performance.now() - startedAtMs);
        slowestMs = Math.max(slowestMs, tookMs);
        expect(tookMs <= READY_WITHIN_MS, `F7: started in the order ${order.join(', ')}, ready after ${tookMs} ms`);
      }
      Object.assign(figures, { starts: orders.length, 'slowest to ready ms': slowestMs });
    },
  };
}
