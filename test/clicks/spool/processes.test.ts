import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { startSpoolDrain } from '../../../src/clicks/spool/drain.ts';
import { decodeClicks } from '../../../src/clicks/click-batch.ts';
import { runProgram } from '../../support/child-program.ts';
import type { Program } from '../../support/child-program.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { filesIn, idsOnDisk, keepMany, makeDir, openRig, removeDir, silent } from './spool-rig.ts';
import type { SpoolRig } from './spool-rig.ts';

const PROGRAM = path.join(import.meta.dirname, 'run-spool.ts');
/** Enough for a test run; hundreds belong to the fault harness. */
const KILLS = 12;

let database: TestDatabase;
let streams: TestRedis;
const stops: (() => Promise<void>)[] = [];
const dirs: string[] = [];

beforeAll(async () => {
  [database, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
  for (const dir of dirs.splice(0)) removeDir(dir);
  await streams.redis.flushdb();
});
afterAll(async () => {
  await database.drop();
  await streams.drop();
});

function newDir(): string {
  const dir = makeDir();
  dirs.push(dir);
  return dir;
}

async function open(dir: string): Promise<SpoolRig> {
  const rig = await openRig({ dir });
  stops.push(async () => rig.spool.stop());
  return rig;
}

function drain({ spool, metrics }: SpoolRig): void {
  const started = startSpoolDrain({
    spool,
    redis: streams.redis,
    db: database.db,
    log: silent,
    metrics,
    now: () => new Date(),
  });
  stops.push(async () => started.stop());
}

function start(...args: string[]): Program {
  const program = runProgram(PROGRAM, args, { PATH: process.env['PATH'] ?? '' });
  stops.push(async () => {
    program.child.kill('SIGKILL');
    await program.ended;
  });
  return program;
}

/** The ids it said were kept. */
function idsSaid(program: Program): string[] {
  const lines = program.stdout().split('\n');
  // A line the kill cut in two is none.
  return lines.slice(0, -1).filter((line) => /^[\w-]{38}$/.test(line));
}

async function kill(program: Program): Promise<void> {
  program.child.kill('SIGKILL');
  await program.ended;
}

async function sent(): Promise<string[]> {
  const entries = await streams.redis.xrange('clicks:{0}', '-', '+');
  return entries.flatMap(([, [, text]]) => {
    const reading = decodeClicks(text ?? '');
    return reading.ok ? reading.clicks.map(({ clickId }) => clickId) : [];
  });
}

describe('a process that is killed while it keeps clicks', () => {
  it(
    `loses none it has answered for, in ${KILLS} kills, and the next one sends them all`,
    { timeout: 90_000 },
    async () => {
      const dir = newDir();
      const promised: string[] = [];
      for (let round = 0; round < KILLS; round += 1) {
        const program = start(dir, 'append');
        await program.line(/^ready$/);
        await sleep(30 + 25 * round);
        await kill(program);
        const said = idsSaid(program);
        expect(said.length).toBeGreaterThan(0);
        promised.push(...said);
      }
      const onDisk = new Set(await idsOnDisk(dir));
      expect(promised.filter((id) => !onDisk.has(id))).toEqual([]);
      const heir = await open(dir);
      drain(heir);
      await vi.waitFor(() => expect(filesIn(dir, '.spool')).toHaveLength(1), { timeout: 20_000 });
      const arrived = await sent();
      expect(new Set(arrived)).toEqual(onDisk);
      expect(arrived).toHaveLength(onDisk.size);
      await vi.waitFor(() => expect(readdirSync(heir.spool.index.folders()[0]?.path ?? '')).toHaveLength(2));
    },
  );
});

describe('a folder whose owner', () => {
  it('lives is left to it, also while the owner is stopped and cannot answer', async () => {
    const dir = newDir();
    const owner = start(dir, 'hold', '20');
    await owner.line(/^held$/);
    const neighbour = await open(dir);
    drain(neighbour);
    owner.child.kill('SIGSTOP');
    await sleep(1_000);
    expect(neighbour.spool.index.folders()).toHaveLength(1);
    owner.child.kill('SIGCONT');
    await sleep(300);
    expect(neighbour.spool.backlog().clicks).toBe(0);
    expect(await sent()).toEqual([]);
    expect(new Set(await idsOnDisk(dir))).toEqual(new Set(idsSaid(owner)));
  });

  it('is dead is taken by one of several that see it, with what it had taken over itself, and sent once', async () => {
    const dir = newDir();
    const first = start(dir, 'hold', '30');
    await first.line(/^held$/);
    await kill(first);
    // Takes over the first one's, holds its own, and dies before anything is sent.
    const second = await open(dir);
    await vi.waitFor(() => expect(second.spool.backlog().clicks).toBe(30));
    const own = await keepMany(second.spool, 7);
    await second.spool.stop();
    const heirs = await Promise.all(Array.from({ length: 4 }, async () => open(dir)));
    for (const heir of heirs) drain(heir);
    await vi.waitFor(async () => expect(await sent()).toHaveLength(37), { timeout: 10_000 });
    await sleep(300);
    expect((await sent()).toSorted()).toEqual([...idsSaid(first), ...own].toSorted());
    // Nothing is left but the four themselves, each with its socket and an empty segment.
    await vi.waitFor(() => expect(readdirSync(dir)).toHaveLength(4));
    for (const name of readdirSync(dir)) expect(readdirSync(path.join(dir, name))).toHaveLength(2);
  });

  it('stopped in order with clicks left is taken as well', async () => {
    const dir = newDir();
    const owner = start(dir, 'hold', '15');
    await owner.line(/^held$/);
    owner.child.kill('SIGTERM');
    expect(await owner.ended).toBe(0);
    const heir = await open(dir);
    drain(heir);
    await vi.waitFor(async () => expect((await sent()).toSorted()).toEqual(idsSaid(owner).toSorted()), {
      timeout: 5_000,
    });
  });

  it('died while it made the folder is cleared away after a minute, not before', async () => {
    const dir = newDir();
    const old = start(dir, 'hold', '0');
    await old.line(/^held$/);
    await kill(old);
    const [name = ''] = readdirSync(dir);
    const rest = name.slice(13);
    for (const file of filesIn(dir, '.spool')) rmSync(file);
    const stale = `.new-${Date.now() - 61_000}${rest}`;
    const young = `.new-${Date.now()}${rest.replace(/.$/, 'x')}`.replace(/x$/, '0');
    renameSync(path.join(dir, name), path.join(dir, stale));
    const other = start(dir, 'hold', '0');
    await other.line(/^held$/);
    await kill(other);
    const second = readdirSync(dir).find((each) => !each.startsWith('.new-')) ?? '';
    renameSync(path.join(dir, second), path.join(dir, young));
    await open(dir);
    await vi.waitFor(() => expect(existsSync(path.join(dir, stale))).toBe(false));
    expect(existsSync(path.join(dir, young))).toBe(true);
  });

  // No process should be able to take the folder of a living one; if it happens all the same, no click may be lost by it.
  it('lives and loses it all the same answers for no click that only the taker has', async () => {
    const dir = newDir();
    const owner = await open(dir);
    const before = await keepMany(owner.spool, 10);
    rmSync(filesIn(dir, 'owner.sock')[0] ?? '');
    const taker = await open(dir);
    await vi.waitFor(() => expect(taker.spool.backlog().clicks).toBe(10));
    const after = await keepMany(owner.spool, 10);
    expect(after).toHaveLength(10);
    drain(taker);
    drain(owner);
    await vi.waitFor(async () => expect(new Set(await sent())).toEqual(new Set([...before, ...after])), {
      timeout: 5_000,
    });
  });
});
