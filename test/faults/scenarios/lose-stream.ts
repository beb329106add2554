import { decodeClicks } from '../../../src/clicks/click-batch.ts';
import type { Run, Scenario } from '../scenario.ts';

type Loss = 'FLUSHALL' | 'DEL' | 'XGROUP DESTROY';
const LOSSES: readonly Loss[] = ['FLUSHALL', 'DEL', 'XGROUP DESTROY'];

function clickIdsIn(entries: unknown): string[] {
  return (entries as [string, string[]][]).flatMap(([, fields]) => {
    const reading = decodeClicks(fields[1] ?? '');
    return reading.ok ? reading.clicks.map(({ clickId }) => clickId) : [];
  });
}

/** Deletes, and in the same step notes what was there: exactly that may be missing afterwards. */
async function lose({ site, excused, expect }: Run, loss: Loss): Promise<number> {
  return site.redis.ask(async (redis) => {
    const keys = await redis.keys('clicks:{*}');
    const step = redis.multi();
    for (const key of keys) step.xrange(key, '-', '+');
    if (loss === 'FLUSHALL') step.flushall();
    else for (const key of keys) void (loss === 'DEL' ? step.del(key) : step.xgroup('DESTROY', key, 'ingest'));
    const replies = (await step.exec()) ?? [];
    expect(
      replies.every(([error]) => error === null),
      `F8: ${loss} was not carried out`,
    );
    // The entries outlive their group: a new one begins with them, and nothing may be missing.
    if (loss === 'XGROUP DESTROY') return 0;
    const ids = replies.slice(0, keys.length).flatMap(([, entries]) => clickIdsIn(entries));
    for (const id of ids) excused.add(id);
    return ids.length;
  });
}

/** F8: somebody empties Redis, deletes the stream, or its group, while everything runs. */
export function loseStream({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F8',
    name: `FLUSHALL, stream deleted, group destroyed ×${rounds} each`,
    limitMs: 150_000 + rounds * 10_000,
    mayVanish: true,
    steps: async (run) => {
      const { visits, random, sleep, expect, figures, log } = run;
      let deleted = 0;
      for (let round = 0; round < rounds; round += 1) {
        for (const loss of LOSSES) {
          await sleep(500 + random(700));
          deleted += await lose(run, loss);
          log.write('lost', { loss });
        }
      }
      await sleep(1_000);
      expect(visits.counts.lost === 0, `F8: ${visits.counts.lost} visits failed`);
      figures['clicks deleted unread'] = deleted;
    },
  };
}
