import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { startSpoolDrain } from '../../../src/clicks/spool/drain.ts';
import { MAX_CLICKS_PER_ENTRY, decodeClicks } from '../../../src/clicks/click-batch.ts';
import { closeRedis, createRedis, waitForRedis } from '../../../src/infra/redis.ts';
import type { RedisClient } from '../../../src/infra/redis.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import type { TcpProxy } from '../../support/tcp-proxy.ts';
import { filesIn, idsOnDisk, keep, keepMany, makeDir, newLine, openRig, removeDir, silent } from './spool-rig.ts';
import type { SpoolRig } from './spool-rig.ts';

let database: TestDatabase;
let streams: TestRedis;
let proxy: TcpProxy;
let redis: RedisClient;
const stops: (() => Promise<void>)[] = [];
const dirs: string[] = [];

beforeAll(async () => {
  [database, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  proxy = await createTcpProxy(streams.url);
  redis = createRedis({ urls: proxy.url, role: 'commands', log: silent });
  await waitForRedis(redis, 5_000);
});
beforeEach(async () => {
  await streams.redis.flushdb();
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
  for (const dir of dirs.splice(0)) removeDir(dir);
});
afterAll(async () => {
  await closeRedis(redis);
  await proxy.cut();
  await database.drop();
  await streams.drop();
});

async function open(options?: Parameters<typeof openRig>[0]): Promise<SpoolRig> {
  const rig = await openRig(options);
  dirs.push(rig.dir);
  stops.push(async () => rig.spool.stop());
  return rig;
}

function drain({ spool, metrics }: SpoolRig): { stop(): Promise<void> } {
  const started = startSpoolDrain({ spool, redis, db: database.db, log: silent, metrics, now: () => new Date() });
  stops.push(async () => started.stop());
  return started;
}

async function entries(shard = 0): Promise<string[][]> {
  const found = await streams.redis.xrange(`clicks:{${shard}}`, '-', '+');
  return found.map(([, [, text]]) => {
    const reading = decodeClicks(text ?? '');
    if (!reading.ok || reading.badLines.length > 0) throw new Error(`an entry that cannot be read: ${text}`);
    return reading.clicks.map(({ clickId }) => clickId);
  });
}

async function emptied({ spool }: SpoolRig): Promise<void> {
  await vi.waitFor(() => expect(spool.backlog()).toEqual({ clicks: 0, bytes: 0, oldestAt: undefined }), {
    timeout: 10_000,
  });
}

describe('the drain', () => {
  it('hands every click to the stream of its shard once, in order, as the redirect encoded it, and deletes the files', async () => {
    const rig = await open();
    const first = await keepMany(rig.spool, 1_700);
    const second = await keepMany(rig.spool, 3);
    const other = await keepMany(rig.spool, 5, 1);
    drain(rig);
    await emptied(rig);
    const sent = await entries();
    expect(sent.flat()).toEqual([...first, ...second]);
    expect(Math.max(...sent.map(({ length }) => length))).toBeLessThanOrEqual(MAX_CLICKS_PER_ENTRY);
    expect((await entries(1)).flat()).toEqual(other);
    expect(await rig.metric('clicks_drained_total')).toBe(1_708);
    expect(await idsOnDisk(rig.dir)).toEqual([]);
  });

  it('puts clicks that were kept one by one together to large entries', async () => {
    const rig = await open();
    const ids: string[] = [];
    for (let round = 0; round < 300; round += 1) ids.push(...(await keepMany(rig.spool, 1)));
    drain(rig);
    await emptied(rig);
    expect(await entries()).toEqual([ids]);
  });

  it('takes the oldest segment first', async () => {
    const rig = await open({ limits: { maxSegmentBytes: 1 } });
    const ids: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      ids.push(...(await keepMany(rig.spool, 1)));
      await sleep(2);
    }
    expect(filesIn(rig.dir, '.spool').length).toBeGreaterThanOrEqual(20);
    drain(rig);
    await emptied(rig);
    expect((await entries()).flat()).toEqual(ids);
  });

  it('goes on while clicks are being kept, and loses none of them', async () => {
    const rig = await open();
    drain(rig);
    const ids: string[] = [];
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs) {
      ids.push(...(await keepMany(rig.spool, 5)));
      await sleep(2);
    }
    await emptied(rig);
    expect((await entries()).flat()).toEqual(ids);
  });

  it('waits while Redis is away, and begins within a second of its return', async () => {
    const rig = await open();
    await proxy.cut();
    await vi.waitFor(() => expect(redis.status).not.toBe('ready'));
    drain(rig);
    const ids = await keepMany(rig.spool, 2_000);
    await sleep(300);
    expect(rig.spool.backlog().clicks).toBe(2_000);
    await proxy.heal();
    await vi.waitFor(() => expect(redis.status).toBe('ready'), { timeout: 5_000 });
    await vi.waitFor(() => expect(rig.spool.backlog().clicks).toBe(0), { timeout: 1_000 });
    expect((await entries()).flat()).toEqual(ids);
  });

  it('deletes nothing that is not acknowledged: answers that are lost cost duplicates, never clicks', async () => {
    const rig = await open();
    const ids = await keepMany(rig.spool, 3_000);
    proxy.mute(true);
    drain(rig);
    await sleep(700);
    expect(rig.spool.backlog().clicks).toBe(3_000);
    proxy.mute(false);
    await emptied(rig);
    const sent = (await entries()).flat();
    expect(new Set(sent)).toEqual(new Set(ids));
    expect(sent.length).toBeGreaterThanOrEqual(ids.length);
  });

  it('stops within 2 s whatever Redis does, and what it left the next one sends', async () => {
    const rig = await open();
    const ids = await keepMany(rig.spool, 100);
    proxy.mute(true);
    const started = drain(rig);
    await sleep(300);
    const startedAtMs = performance.now();
    await started.stop();
    await rig.spool.stop();
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    proxy.mute(false);
    await vi.waitFor(() => expect(redis.status).toBe('ready'), { timeout: 5_000 });
    const next = await open({ dir: rig.dir });
    drain(next);
    await vi.waitFor(async () => expect(new Set((await entries()).flat())).toEqual(new Set(ids)), { timeout: 5_000 });
    await emptied(next);
  });

  it('hands over at a stop what it can, although the segment is young', async () => {
    const rig = await open();
    const started = drain(rig);
    const ids = await keepMany(rig.spool, 50);
    await started.stop();
    expect((await entries()).flat()).toEqual(ids);
  });

  it('sends also the clicks of a file that was removed while it was written', async () => {
    const rig = await open();
    const before = await keepMany(rig.spool, 10);
    rmSync(rig.dir, { recursive: true });
    const after = await keepMany(rig.spool, 10);
    drain(rig);
    await emptied(rig);
    // The write that found the file gone lies in both files: sent twice, and absorbed.
    expect(new Set((await entries()).flat())).toEqual(new Set([...before, ...after]));
  });
});

describe('damage', () => {
  /** Two processes' worth of one file: written by a spool that stopped, changed here, read by the next. */
  async function afterDamage(change: (file: string) => void): Promise<{ rig: SpoolRig; ids: string[] }> {
    const dir = makeDir();
    const writer = await open({ dir });
    const ids: string[] = [];
    for (let round = 0; round < 20; round += 1) ids.push(...(await keepMany(writer.spool, 2)));
    await writer.spool.stop();
    const [file = ''] = filesIn(dir, '.spool');
    change(file);
    const rig = await open({ dir });
    await vi.waitFor(() => expect(rig.spool.backlog().clicks).toBeGreaterThan(0));
    drain(rig);
    await emptied(rig);
    return { rig, ids };
  }

  it('costs the clicks of the damaged frame and no other; its bytes are kept aside and counted', async () => {
    const { rig, ids } = await afterDamage((file) => {
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(500) ^ 0x10, 500);
      writeFileSync(file, bytes);
    });
    const sent = (await entries()).flat();
    expect(ids.filter((id) => !sent.includes(id))).toHaveLength(2);
    expect(sent.filter((id) => !ids.includes(id))).toEqual([]);
    expect(await rig.metric('click_spool_damaged_total', 'kind="damaged"')).toBe(1);
    const [kept = ''] = filesIn(path.join(rig.dir, 'damaged'), '.bin');
    const lost = ids.filter((id) => !sent.includes(id));
    for (const id of lost) expect(readFileSync(kept, 'latin1').includes(id.slice(0, 10))).toBe(true);
    expect(filesIn(rig.dir, '.spool').map((file) => readFileSync(file).length)).toEqual([0]);
  });

  it('a torn tail costs no click that was answered, and is counted apart from damage', async () => {
    const { rig, ids } = await afterDamage((file) => {
      appendFileSync(file, readFileSync(file).subarray(0, 100));
    });
    expect((await entries()).flat()).toEqual(ids);
    expect(await rig.metric('click_spool_damaged_total', 'kind="torn"')).toBe(1);
    expect(await rig.metric('click_spool_damaged_total', 'kind="damaged"')).toBe(0);
  });

  it('that leaves no click at all sets the bytes aside and goes on', async () => {
    const dir = makeDir();
    const writer = await open({ dir });
    await keepMany(writer.spool, 5);
    await writer.spool.stop();
    const [file = ''] = filesIn(dir, '.spool');
    writeFileSync(file, 'x'.repeat(3_000));
    const rig = await open({ dir });
    drain(rig);
    await vi.waitFor(() => expect(existsSync(path.join(dir, 'damaged'))).toBe(true), { timeout: 5_000 });
    await vi.waitFor(() => expect(filesIn(dir, '.spool')).toHaveLength(1));
    expect(await entries()).toEqual([]);
    expect(await rig.metric('click_spool_damaged_total', 'kind="damaged"')).toBe(1);
  });

  it('a file that is gone is counted and holds up nothing', async () => {
    const rig = await open({ limits: { maxSegmentBytes: 1 } });
    await keepMany(rig.spool, 3);
    await sleep(5);
    const rest = await keepMany(rig.spool, 3);
    rmSync(filesIn(rig.dir, '.spool').toSorted()[0] ?? '');
    drain(rig);
    await emptied(rig);
    expect((await entries()).flat()).toEqual(rest);
    expect(await rig.metric('click_spool_damaged_total', 'kind="vanished"')).toBe(1);
  });
});

interface SpoolRow {
  id: string;
  oldestAt: Date;
  sentAt: Date | null;
}

async function rows(): Promise<SpoolRow[]> {
  const { rows: found } = await database.db.query<SpoolRow>(
    `select spool_id as id, oldest_at as "oldestAt", sent_at as "sentAt" from click_spools order by spool_id`,
  );
  return found;
}

async function storedUpTo(at: Date): Promise<void> {
  await database.db.query(
    `insert into click_watermarks (shard, drained_to) values (0, $1)
     on conflict on constraint click_watermarks_pkey do update set drained_to = excluded.drained_to`,
    [at],
  );
}

describe('the published status', () => {
  beforeEach(async () => {
    await database.db.query('delete from click_spools');
    await storedUpTo(new Date(Date.now() - 60_000));
  });

  it('the oldest click as long as it lies here; when all are in the stream, the time of that; nothing once they are stored', async () => {
    const rig = await open();
    await proxy.cut();
    drain(rig);
    const clickedAt = new Date(Date.now() - 600_000);
    await keep(rig.spool, newLine({ clickedAt }).line);
    await keep(rig.spool, newLine().line);
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ oldestAt: clickedAt, sentAt: null }]));
    await proxy.heal();
    await emptied(rig);
    await vi.waitFor(async () => expect((await rows())[0]?.sentAt).toBeInstanceOf(Date));
    const [row] = await rows();
    expect(row?.oldestAt).toEqual(clickedAt);
    const [last] = await streams.redis.xrevrange('clicks:{0}', '+', '-', 'COUNT', 1);
    expect(row?.sentAt?.getTime()).toBeGreaterThanOrEqual(Number.parseInt(last?.[0] ?? '', 10));
    await storedUpTo(new Date((row?.sentAt?.getTime() ?? 0) + 1));
    await vi.waitFor(async () => expect(await rows()).toEqual([]), { timeout: 5_000 });
  });

  it('a later time once the earlier clicks are stored, so an outage now and then does not hold attribution up for ever', async () => {
    const rig = await open();
    drain(rig);
    await keep(rig.spool, newLine({ clickedAt: new Date(Date.now() - 600_000) }).line);
    await emptied(rig);
    await proxy.cut();
    await vi.waitFor(() => expect(redis.status).not.toBe('ready'));
    const clickedAt = new Date();
    await keep(rig.spool, newLine({ clickedAt }).line);
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ sentAt: null }]));
    expect((await rows())[0]?.oldestAt.getTime()).toBeLessThan(clickedAt.getTime() - 500_000);
    await storedUpTo(new Date(Date.now() + 1));
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ oldestAt: clickedAt, sentAt: null }]), {
      timeout: 5_000,
    });
    await proxy.heal();
    await emptied(rig);
  });

  it('of a dead process’s spool by the one that took it over, under its name, and never a later time than the dead one said', async () => {
    const dead = await open();
    await keepMany(dead.spool, 3);
    const [id = ''] = dead.spool.index.folders().map((folder) => folder.id);
    await dead.spool.stop();
    const saidAt = new Date(Date.now() - 3_600_000);
    await database.db.query('insert into click_spools (spool_id, oldest_at) values ($1, $2)', [id, saidAt]);
    const heir = await open({ dir: dead.dir });
    drain(heir);
    await vi.waitFor(async () => expect(await entries()).toHaveLength(1), { timeout: 5_000 });
    await vi.waitFor(async () =>
      expect(await rows()).toMatchObject([{ id, oldestAt: saidAt, sentAt: expect.any(Date) }]),
    );
    // Its folder goes too: what is left is the heir's own.
    await vi.waitFor(() => expect(filesIn(heir.dir, 'owner.sock')).toHaveLength(1));
    await storedUpTo(new Date(Date.now() + 10));
    await keep(heir.spool, newLine().line);
    await emptied(heir);
    await storedUpTo(new Date(Date.now() + 1_000));
    await vi.waitFor(async () => expect(await rows()).toEqual([]), { timeout: 5_000 });
  });

  it('of a process that died between handing over and saying so, that it is done: nothing waits for ever', async () => {
    const dead = await open();
    const [id = ''] = dead.spool.index.folders().map((folder) => folder.id);
    await keepMany(dead.spool, 1);
    await dead.spool.stop();
    for (const file of filesIn(dead.dir, '.spool')) rmSync(file);
    await database.db.query('insert into click_spools (spool_id, oldest_at) values ($1, $2)', [id, new Date(0)]);
    const heir = await open({ dir: dead.dir });
    drain(heir);
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ id, sentAt: expect.any(Date) }]), {
      timeout: 5_000,
    });
  });

  it('nothing where nothing was ever kept', async () => {
    const rig = await open();
    drain(rig);
    await sleep(500);
    expect(await rows()).toEqual([]);
  });
});
