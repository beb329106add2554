import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expectFast, readAppMetric, timed } from '../checks/spool.ts';
import type { Run, Scenario } from '../scenario.ts';
import { readLinkNumber } from '../checks/queries.ts';

const SERVING_WITHIN_MS = 2_000;
const LEAST_PER_SECOND = 5_000;
const P99_MS = 250;

async function fill({ site, handedOut, expect, figures }: Run, clicks: number): Promise<void> {
  const { code = '' } = site.ground.market.links[0]?.[0] ?? {};
  const idFile = path.join(site.folder, 'spooled-ids');
  const filler = site.addProcess({
    name: 'filler',
    file: path.join(import.meta.dirname, '..', 'fill-spool.ts'),
    args: [site.spoolFolder, String(clicks), String(await readLinkNumber(site.db, code)), idFile],
  });
  await filler.start();
  await filler.endsByItself();
  const ids = (await readFile(idFile, 'utf8')).trimEnd().split('\n');
  for (const id of ids) handedOut.push(id);
  expect(ids.length === clicks, `F20: only ${ids.length} clicks could be spooled`);
  figures['spooled before'] = ids.length;
}

/** F20: an app starts beside the full spool of one that died. It serves at once, stays small, and hands everything over. */
export function bigSpool({ clicks }: { clicks: number }): Scenario {
  return {
    fault: 'F20',
    name: `a spool of ${clicks} clicks at start`,
    limitMs: 300_000 + clicks,
    drainWithinMs: 120_000 + clicks,
    load: { visitsPerSecond: 100 },
    awaitsSpoolRows: true,
    steps: async (run) => {
      const { site, expect, figures, sleep } = run;
      const [app] = site.apps;
      if (app === undefined) return;
      await app.process.kill();
      await fill(run, clicks);
      const readyMs = await app.process.start();
      await sleep(500);
      let drainedInTime = false;
      const span = await timed(async () => {
        const limitMs = (clicks / LEAST_PER_SECOND) * 1_000 + 10_000;
        const deadlineMs = performance.now() + limitMs;
        while (!drainedInTime && performance.now() < deadlineMs) {
          drainedInTime = (await readAppMetric(site, 'clicks_drained_total')) >= clicks;
          await sleep(250);
        }
      });
      const perSecond = Math.round(clicks / ((span.toMs - span.fromMs + 500) / 1_000));
      expect(drainedInTime, `F20: not ${LEAST_PER_SECOND} clicks a second left the spool`);
      expect(readyMs <= SERVING_WITHIN_MS, `F20: ready after ${readyMs} ms`);
      const p99Ms = expectFast(run, span, { p99Ms: P99_MS, what: 'F20' });
      Object.assign(figures, { 'ready ms': readyMs, 'drained a second': perSecond, 'p99 meanwhile ms': p99Ms });
    },
  };
}
