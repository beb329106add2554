import { readFile, stat, writeFile } from 'node:fs/promises';
import { clickIdsIn, segmentFiles } from '../checks/spool-files.ts';
import type { Run, Scenario } from '../scenario.ts';
import type { Site } from '../site.ts';

/** A frame is one group commit; with it, its neighbour may go. */
const FARTHEST_BYTES = 64 * 1_024;

async function newestSegment(site: Site): Promise<string | undefined> {
  const files = await segmentFiles(site);
  const found = await Promise.all(files.map(async (file) => ({ file, stats: await stat(file) })));
  const written = found.filter(({ stats }) => stats.size > 0);
  return written.toSorted((one, other) => other.stats.mtimeMs - one.stats.mtimeMs)[0]?.file;
}

/** Cuts the end off, or turns a bit near it. What stood behind that place may be missing, nothing in front of it. */
async function damage({ site, random, excused, log }: Run): Promise<boolean> {
  const file = await newestSegment(site);
  if (file === undefined) return false;
  const bytes = await readFile(file);
  const at = bytes.length - 1 - random(Math.min(bytes.length - 1, FARTHEST_BYTES));
  const isCut = random(2) === 0;
  // The frame that holds this place begins before it: as much as one group commit.
  const intactUntil = Math.max(0, bytes.lastIndexOf(Buffer.from([0xff, 0x64, 0x73, 0x01]), at));
  for (const clickId of clickIdsIn(bytes.subarray(intactUntil))) excused.add(clickId);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
  await writeFile(file, isCut ? bytes.subarray(0, at) : bytes);
  log.write('damaged', { isCut, at, of: bytes.length });
  return true;
}

/** F19, as a whole: a spool whose end is damaged while its owner is dead. (Every offset and bit has a test of its own.) */
export function damagedSpool({ rounds }: { rounds: number }): Scenario {
  return {
    fault: 'F19',
    name: `end of a dead app’s spool cut or altered ×${rounds}`,
    limitMs: 120_000 + rounds * 15_000,
    site: { apps: 2 },
    awaitsSpoolRows: true,
    steps: async (run) => {
      const { site, random, sleep, expect, figures } = run;
      let damaged = 0;
      for (let round = 0; round < rounds; round += 1) {
        await site.redis.process.kill();
        await sleep(1_000 + random(500));
        // Nobody may adopt what is about to be damaged.
        await Promise.all(site.apps.map(({ process }) => process.kill()));
        if (await damage(run)) damaged += 1;
        await Promise.all([site.redis.start(), ...site.apps.map(({ process }) => process.start())]);
        await sleep(1_500);
      }
      expect(damaged === rounds, `F19: only ${damaged} times there was a spool to damage`);
      Object.assign(figures, { damaged, 'clicks behind the damage': run.excused.size });
    },
  };
}
