import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { encodeClicks, shardOf, shardsOf, streamKey } from '../../src/clicks/click-batch.ts';
import { registerShards } from '../../src/clicks/ingest/shard-queries.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { runProgram } from '../support/child-program.ts';
import type { Program } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startTestWorker } from './click-server.ts';
import type { TestWorker } from './click-server.ts';
import { findDifferences, makeClickOn, visitorOf } from './make-clicks.ts';

const PROGRAM = path.join(import.meta.dirname, 'run-worker.ts');
const SHARDS = 4;

let test: TestDatabase;
let streams: TestRedis;
let link: SeededLink;
const workers: TestWorker[] = [];
const programs: Program[] = [];

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterAll(async () => {
  await test.drop();
  await streams.drop();
});
beforeEach(async () => {
  await streams.redis.flushdb();
  await test.db.query('delete from click_watermarks');
  link = await seedLink(test.db);
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  for (const { child, ended } of programs.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await test.db.query('delete from click_leases');
  await test.db.query('delete from click_workers');
});

function startWorker(shardCount = SHARDS): TestWorker {
  const worker = startTestWorker({ db: test.db, redisUrl: streams.url, shardCount });
  workers.push(worker);
  return worker;
}

async function startProgram(): Promise<Program> {
  const program = runProgram(PROGRAM, [test.url, streams.url, String(SHARDS)], {});
  programs.push(program);
  await program.line(/running/);
  return program;
}

async function append(clicks: readonly Click[], shardCount = SHARDS): Promise<void> {
  for (const [shard, ofShard] of Map.groupBy(clicks, ({ visitor }) => shardOf(visitor, shardCount))) {
    await streams.redis.xadd(streamKey(shard), '*', 'clicks', encodeClicks(ofShard));
  }
}

async function storedCount(): Promise<number> {
  const { rows } = await test.db.query<{ count: bigint }>('select count(*) from clicks where link_number = $1', [
    link.linkNumber,
  ]);
  return Number(rows[0]?.count);
}

async function leases(): Promise<Map<string, number[]>> {
  const { rows } = await test.db.query<{ worker: string; shards: number[] }>(
    `select worker, array_agg(shard order by shard) as shards from click_leases where leased_until > now() group by worker order by worker`,
  );
  return new Map(rows.map(({ worker, shards }) => [worker, shards]));
}

/** Waits until so many workers have so many shards each. */
async function expectShared(counts: readonly number[]): Promise<void> {
  await vi.waitFor(
    async () =>
      expect([...(await leases()).values()].map(({ length }) => length).toSorted((a, b) => a - b)).toEqual(counts),
    { timeout: 6_000, interval: 25 },
  );
}

function visits(count: number): Click[] {
  return Array.from({ length: count }, (_, i) => makeClickOn(link.linkNumber, { visitor: visitorOf(i) }));
}

async function expectStoredOnce(count: number): Promise<void> {
  await vi.waitFor(async () => expect(await storedCount()).toBe(count), { timeout: 10_000, interval: 25 });
  await vi.waitFor(async () => {
    for (const shard of shardsOf(SHARDS)) expect(await streams.redis.xlen(streamKey(shard))).toBe(0);
  });
  const { rollups, shown, uniques, deadLetters } = await findDifferences(test.db);
  expect({ rollups, shown, deadLetters }).toEqual({ rollups: [], shown: [], deadLetters: [] });
  expect(uniques.kept).toBe(uniques.counted);
}

describe('spreading clicks', () => {
  it('a visitor always falls into the same one of the shards, and the shards get about as many', () => {
    const counts = Array.from({ length: 8 }, () => 0);
    for (let i = 0; i < 80_000; i += 1) {
      const visitor = (Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0').repeat(2);
      const shard = shardOf(visitor, 8);
      expect(shardOf(visitor, 8)).toBe(shard);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(shardsOf(3)).toEqual([0, 1, 2]);
  });
});

describe('sharing out', () => {
  it('one worker has all shards, two have half each, and what one gives back the other gets', async () => {
    startWorker();
    await expectShared([SHARDS]);
    const second = startWorker();
    await expectShared([2, 2]);
    await append(visits(200));
    await expectStoredOnce(200);
    await second.stop();
    await expectShared([SHARDS]);
  });

  it('more workers than shards wait for one to become free', async () => {
    const first = startWorker(1);
    await expectShared([1]);
    startWorker(1);
    await sleep(300);
    expect([...(await leases()).values()]).toEqual([[0]]);
    const before = [...(await leases()).keys()];
    await first.stop();
    await vi.waitFor(async () => expect([...(await leases()).keys()]).not.toEqual(before), { timeout: 3_000 });
    await append(visits(20), 1);
    await expectStoredOnce(20);
  });

  it('a killed worker’s shards, and what it left unfinished, are taken over when its leases run out', async () => {
    const program = await startProgram();
    await expectShared([SHARDS]);
    await append(visits(50));
    program.child.kill('SIGKILL');
    await program.ended;
    await append(visits(50));
    startWorker();
    await expectStoredOnce(100);
    await expectShared([SHARDS]);
  });

  // Without this a worker that is paused by its machine holds its visitors' clicks back, or doubles them when it wakes.
  it('a worker that is stopped and wakes again loses its shards meanwhile and doubles nothing', async () => {
    const program = await startProgram();
    await expectShared([SHARDS]);
    for (let round = 0; round < 3; round += 1) {
      // Stopped in the middle of its work, or nearly.
      await append(visits(40));
      program.child.kill('SIGSTOP');
      await append(visits(40));
      const worker = startWorker();
      // Stopped in the middle of a transaction, it holds its shard's row until Postgres ends that.
      await vi.waitFor(async () => expect(await storedCount()).toBe((round + 1) * 160 - 80), {
        timeout: 25_000,
        interval: 25,
      });
      await append(visits(40));
      program.child.kill('SIGCONT');
      await append(visits(40));
      await expectStoredOnce((round + 1) * 160);
      await expectShared([2, 2]);
      await worker.stop();
      await expectShared([SHARDS]);
    }
  }, 120_000);

  it('shards of an earlier, larger number are drained too', async () => {
    await registerShards(test.db, shardsOf(SHARDS));
    await append(visits(60));
    startWorker(1);
    await expectStoredOnce(60);
  });
});

describe('what waits for clicks', () => {
  async function drainedTo(shard: number): Promise<number> {
    const query = 'select drained_to as at from click_watermarks where shard = $1';
    const { rows } = await test.db.query<{ at: Date }>(query, [shard]);
    return rows[0]?.at.getTime() ?? NaN;
  }

  it('a shard that no worker drains yet, or any more, holds its watermark back', async () => {
    await registerShards(test.db, [0, 7]);
    expect(await drainedTo(7)).toBe(0);
    const worker = startWorker(1);
    await vi.waitFor(async () => expect(await drainedTo(7)).toBeGreaterThan(Date.now() - 10_000), { timeout: 5_000 });
    await worker.stop();
    const before = await drainedTo(7);
    await registerShards(test.db, [0, 7]);
    await sleep(300);
    expect(await drainedTo(7)).toBe(before);
  });
});
