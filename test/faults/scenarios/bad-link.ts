import type { LinkMode } from '../../support/tcp-proxy.ts';
import { expectFast, timed } from '../checks/spool.ts';
import type { Scenario } from '../scenario.ts';

const MODES: readonly { mode: LinkMode; words: string }[] = [
  { mode: { kind: 'dark' }, words: 'dark' },
  { mode: { kind: 'slow', latencyMs: 0, jitterMs: 2_000 }, words: 'up to 2 s late' },
  { mode: { kind: 'narrow', bytesPerSecond: 1_000 }, words: '1 KB/s' },
];
/** By then a link that says nothing is known for broken. */
const KNOWN_MS = 1_000;
const P99_MS = 250;
const AFTER_MS = 2_000;

/** F13: links that swallow everything and close nothing, that are slow, or narrow: each kind on each link in turn. */
export function badLink({
  rounds,
  darkSeconds,
  badSeconds,
}: {
  rounds: number;
  darkSeconds: number;
  badSeconds: number;
}): Scenario {
  const seconds = rounds * (darkSeconds + 2 * badSeconds);
  return {
    fault: 'F13',
    name: `links dark ${darkSeconds} s, slow and narrow ${badSeconds} s ×${rounds} each`,
    limitMs: 240_000 + seconds * 2_000,
    drainWithinMs: Math.max(120_000, seconds * 500),
    load: { visitsPerSecond: 200, orders: 40 + seconds },
    steps: async (run) => {
      const { site, visits, random, sleep, expect, figures, log } = run;
      const links = Object.entries(site.links);
      let slowestMs = 0;
      for (let round = 0; round < rounds; round += 1) {
        for (const { mode, words } of MODES) {
          const [name, link] = links[random(links.length)] ?? [];
          if (link === undefined) return;
          log.write('bad link', { link: name, mode: words });
          const span = await timed(async () => {
            await link.set(mode);
            await sleep((mode.kind === 'dark' ? darkSeconds : badSeconds) * 1_000);
            await link.heal();
          });
          const settled = { fromMs: span.fromMs + KNOWN_MS, toMs: span.toMs };
          slowestMs = Math.max(slowestMs, expectFast(run, settled, { p99Ms: P99_MS, what: `F13, ${name} ${words}` }));
          await sleep(AFTER_MS);
        }
      }
      expect(visits.counts.lost === 0, `F13: ${visits.counts.lost} visits failed`);
      figures['p99 while it lasts ms'] = slowestMs;
    },
  };
}
