import type { Scenario } from '../scenario.ts';

/** F12: answers are held back for a moment, then the connections are reset: whoever asked cannot know whether it was done. */
export function cutLinks({ cuts }: { cuts: number }): Scenario {
  return {
    fault: 'F12',
    name: `answers lost and the link cut ×${cuts}`,
    limitMs: 120_000 + cuts * 1_000,
    load: { messagesPerSecond: 30, orders: 60 + Math.floor(cuts / 4) },
    steps: async ({ site, visits, random, sleep, expect, figures, log }) => {
      const links = Object.entries(site.links);
      let connections = 0;
      for (let cut = 0; cut < cuts; cut += 1) {
        const [name, link] = links[random(links.length)] ?? [];
        if (link === undefined) return;
        await link.set({ kind: 'muted' });
        await sleep(10 + random(100));
        connections += link.reset();
        await link.heal();
        log.write('cut', { link: name });
        await sleep(100 + random(300));
      }
      const late = visits.lost.filter(({ kind }) => kind === 'late').length;
      expect(late === 0, `F12: ${late} visits were never answered`);
      expect(visits.counts.lost === 0, `F12: ${visits.counts.lost} visits failed`);
      Object.assign(figures, { cuts, 'connections cut': connections });
    },
  };
}
