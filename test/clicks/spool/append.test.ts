import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import {
  filesIn,
  idsOnDisk,
  keep,
  keepMany,
  makeDir,
  newLine,
  openRig,
  rememberingLog,
  removeDir,
} from './spool-rig.ts';
import type { SpoolRig } from './spool-rig.ts';

const dirs: string[] = [];
const rigs: SpoolRig[] = [];
async function open(options?: Parameters<typeof openRig>[0]): Promise<SpoolRig> {
  const rig = await openRig(options);
  rigs.push(rig);
  dirs.push(rig.dir);
  return rig;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map(async ({ spool }) => spool.stop()));
  for (const dir of dirs.splice(0)) removeDir(dir);
});

describe('a click that the spool says it kept', () => {
  it('is in a file by then', async () => {
    const { spool, dir, metric } = await open();
    for (let round = 0; round < 20; round += 1) {
      const { clickId, line } = newLine();
      expect(await keep(spool, line)).toBe(true);
      expect(await idsOnDisk(dir)).toContain(clickId);
    }
    expect(await metric('clicks_spooled_total')).toBe(20);
    expect(await metric('click_spool_usable')).toBe(1);
    expect(spool.backlog()).toMatchObject({ clicks: 20 });
    expect(spool.backlog().bytes).toBe(filesIn(dir, '.spool').length === 1 ? 20 * (22 + 9 + newLine().line.length) : 0);
  });

  it('among thousands that come at once shares its write with the others, and each is called back for once', async () => {
    const { spool, dir } = await open();
    const calls = new Map<string, number>();
    const lines = Array.from({ length: 5_000 }, (_, index) => ({ ...newLine(), shard: index % 3 }));
    await new Promise<void>((resolve) => {
      let left = lines.length;
      for (const { clickId, line, shard } of lines) {
        spool.append(shard, line, (isKept) => {
          calls.set(clickId, (calls.get(clickId) ?? 0) + (isKept ? 1 : 100));
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
    expect(new Set(calls.values())).toEqual(new Set([1]));
    expect((await idsOnDisk(dir)).toSorted()).toEqual(lines.map(({ clickId }) => clickId).toSorted());
    // 5,000 frames of one click would take 22 bytes of header and 9 of version each; groups of up to 1,000 take next to nothing.
    const lineBytes = lines.reduce((sum, { line }) => sum + line.length + 1, 0);
    expect(spool.backlog().bytes - lineBytes).toBeLessThan(20 * 40);
  });

  it('says the time of the oldest', async () => {
    const { spool } = await open();
    const clickedAt = new Date(Date.now() - 3_600_000);
    await keep(spool, newLine().line);
    await keep(spool, newLine({ clickedAt }).line);
    expect(spool.backlog().oldestAt).toEqual(clickedAt);
  });

  it('survives a caller that throws, beside others of the same write', async () => {
    const { spool } = await open();
    const others = keepMany(spool, 5);
    spool.append(0, newLine().line, () => {
      throw new Error('a bug of the caller');
    });
    const later = keepMany(spool, 5);
    expect(await others).toHaveLength(5);
    expect(await later).toHaveLength(5);
  });
});

describe('segments', () => {
  it('end at their size and at their age, and nothing is lost between them', async () => {
    const { spool, dir } = await open({ limits: { maxSegmentBytes: 2_000, maxSegmentAgeMs: 150 } });
    const ids: string[] = [];
    for (let round = 0; round < 40; round += 1) ids.push(...(await keepMany(spool, 3)));
    const bySize = filesIn(dir, '.spool').length;
    expect(bySize).toBeGreaterThan(4);
    await vi.waitFor(async () => {
      ids.push(...(await keepMany(spool, 1)));
      expect(filesIn(dir, '.spool').length).toBeGreaterThan(bySize + 1);
    });
    expect((await idsOnDisk(dir)).toSorted()).toEqual(ids.toSorted());
  });

  it('are kept through a stop, which leaves nothing behind where nothing was kept', async () => {
    const kept = await open();
    const ids = await keepMany(kept.spool, 10);
    await kept.spool.stop();
    expect((await idsOnDisk(kept.dir)).toSorted()).toEqual(ids.toSorted());
    const unused = await open();
    await unused.spool.stop();
    expect(readdirSync(unused.dir)).toEqual([]);
  });

  it('are written to the end by a stop that comes in between, and refused afterwards', async () => {
    const { spool, dir, metric } = await open();
    const underWay = keepMany(spool, 500);
    await spool.stop();
    const ids = await underWay;
    expect(ids).toHaveLength(500);
    expect((await idsOnDisk(dir)).toSorted()).toEqual(ids.toSorted());
    expect(await keep(spool, newLine().line)).toBe(false);
    expect(await metric('click_spool_refused_total', 'reason="stopped"')).toBe(1);
  });
});

describe('a disk that is slow', () => {
  it('answers every click once and within the limit, and each that it answers with true is on disk', async () => {
    const { spool, dir, metric } = await open({ limits: { withinMs: 2 } });
    const calls = new Map<string, boolean[]>();
    await new Promise<void>((resolve) => {
      let left = 30_000;
      for (const { clickId, line } of Array.from({ length: left }, () => newLine())) {
        spool.append(0, line, (isKept) => {
          calls.set(clickId, [...(calls.get(clickId) ?? []), isKept]);
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
    expect([...calls.values()].filter(({ length }) => length !== 1)).toEqual([]);
    const late = [...calls.values()].filter(([isKept]) => isKept === false).length;
    expect(late).toBeGreaterThan(0);
    expect(await metric('click_spool_refused_total', 'reason="late"')).toBe(late);
    await spool.stop();
    const onDisk = new Set(await idsOnDisk(dir));
    expect([...calls].filter(([id, [isKept]]) => isKept === true && !onDisk.has(id))).toEqual([]);
  });
});

describe('a spool that is full', () => {
  it('refuses at once, counts it, says so once and keeps what it has', async () => {
    const { log, lines } = rememberingLog();
    const { spool, dir, metric } = await open({ maxBytes: 20_000, log });
    const ids = await keepMany(spool, 1_000);
    expect(ids.length).toBeGreaterThan(100);
    // What waits is reckoned click by click, and takes less room when it is written together: the rest fills up one by one.
    for (let line = newLine(); await keep(spool, line.line); line = newLine()) ids.push(line.clickId);
    expect(spool.backlog().bytes).toBeLessThanOrEqual(20_000);
    let answer: boolean | undefined;
    spool.append(0, newLine().line, (isKept) => {
      answer = isKept;
    });
    expect(answer).toBe(false);
    const refused = await metric('click_spool_refused_total', 'reason="full"');
    expect(refused).toBeGreaterThan(100);
    expect(await metric('clicks_spooled_total')).toBe(ids.length);
    expect(lines().filter((line) => line.includes('cannot keep'))).toHaveLength(1);
    expect((await idsOnDisk(dir)).toSorted()).toEqual(ids.toSorted());
  });
});

describe('F17: a directory that cannot be used', () => {
  it('does not delay a start or a visitor; it is logged, measured, and used as soon as it works', async () => {
    const dir = makeDir();
    dirs.push(dir);
    const blocked = path.join(dir, 'spool');
    writeFileSync(blocked, 'a file where the folder should be');
    const { log, lines } = rememberingLog();
    const { spool, metric } = await open({ dir: blocked, log, limits: { restMs: 100 } });
    expect(lines().filter((line) => line.includes('"level":50'))).not.toEqual([]);
    expect(await keepMany(spool, 50)).toEqual([]);
    expect(await metric('click_spool_usable')).toBe(0);
    const startedAtMs = performance.now();
    for (let round = 0; round < 50; round += 1) expect(await keep(spool, newLine().line)).toBe(false);
    expect(performance.now() - startedAtMs).toBeLessThan(500);
    rmSync(blocked);
    await vi.waitFor(async () => expect(await keep(spool, newLine().line)).toBe(true), { timeout: 5_000 });
    expect(await metric('click_spool_usable')).toBe(1);
  });

  it('removed while clicks are kept: another is made, no click is answered for that is nowhere, what the open file holds is kept', async () => {
    const { spool, dir, metric } = await open();
    const before = await keepMany(spool, 10);
    rmSync(dir, { recursive: true });
    const after = await keepMany(spool, 10);
    expect(after).toHaveLength(10);
    expect((await idsOnDisk(dir)).toSorted()).toEqual(after.toSorted());
    // The first ten live on in the file that has no name any more, until they are drained.
    expect(before).toHaveLength(10);
    expect(spool.backlog().clicks).toBe(20);
    expect(await metric('click_spool_usable')).toBe(1);
  });

  it('moved elsewhere while clicks are kept: no click is answered for that only lies there', async () => {
    const { spool, dir } = await open();
    await keepMany(spool, 3);
    const elsewhere = `${dir}-moved`;
    dirs.push(elsewhere);
    renameSync(dir, elsewhere);
    const after = await keepMany(spool, 10);
    expect(after).toHaveLength(10);
    expect((await idsOnDisk(dir)).toSorted()).toEqual(after.toSorted());
  });

  it('with a path too long for a socket is used all the same', async () => {
    const dir = makeDir();
    dirs.push(dir);
    const long = path.join(dir, 'x'.repeat(120), 'spool');
    const { spool } = await open({ dir: long });
    expect(await keepMany(spool, 5)).toHaveLength(5);
    const other = await open({ dir: long });
    await keepMany(other.spool, 1);
    // The other one searches for dead owners every 100 ms; there is none.
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    expect([spool.backlog().clicks, other.spool.backlog().clicks]).toEqual([5, 1]);
  });

  it('with files and folders of others in it leaves them alone', async () => {
    const dir = makeDir();
    mkdirSync(path.join(dir, 'lost+found'));
    mkdirSync(path.join(dir, '1795316645678-1-nonsense'));
    writeFileSync(path.join(dir, 'notes.spool'), 'mine');
    const { spool } = await open({ dir });
    await keepMany(spool, 5);
    const own = path.dirname(filesIn(dir, '.spool').find((file) => !file.endsWith('notes.spool')) ?? '');
    writeFileSync(path.join(own, 'also-mine.spool'), 'not a segment');
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    await spool.stop();
    for (const name of ['lost+found', '1795316645678-1-nonsense', 'notes.spool']) {
      expect(existsSync(path.join(dir, name))).toBe(true);
    }
    expect(existsSync(path.join(own, 'also-mine.spool'))).toBe(true);
  });
});
