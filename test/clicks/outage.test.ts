import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { decodeClicks, encodeClicks } from '../../src/clicks/click-batch.ts';
import { createDb } from '../../src/infra/db.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer, drained, startTestWorker } from './click-server.ts';
import type { ClickServer } from './click-server.ts';
import { makeClickOn } from './make-clicks.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

let test: TestDatabase;
let streams: TestRedis;
let proxy: TcpProxy;
let server: ClickServer;
let link: SeededLink;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  proxy = await createTcpProxy(streams.url);
  server = await createClickServer({ test, redisUrl: proxy.url });
  link = await seedLink(test.db);
});
afterAll(async () => {
  await server.close();
  await proxy.cut();
  await test.drop();
  await streams.drop();
});

interface Answered {
  status: number;
  clickId: string | undefined;
  tookMs: number;
}

async function visit(code = link.code): Promise<Answered> {
  const startedAtMs = performance.now();
  const { statusCode, headers } = await server.app.inject({ url: `/${code}`, headers: { 'user-agent': PHONE } });
  const clickId = new URL(headers.location ?? 'https://none').searchParams.get('dh_click') ?? undefined;
  return { status: statusCode, clickId, tookMs: performance.now() - startedAtMs };
}

async function visits(count: number, code?: string): Promise<Answered[]> {
  return Promise.all(Array.from({ length: count }, () => visit(code)));
}

async function isTrackedAgain(): Promise<void> {
  await expect.poll(async () => (await visit()).clickId !== undefined, { timeout: 5_000, interval: 50 }).toBe(true);
}

async function idsInStream(): Promise<string[]> {
  const entries = await streams.redis.xrange('clicks:{0}', '-', '+');
  return entries.flatMap(([, [, text]]) => {
    const reading = decodeClicks(text ?? '');
    return reading.ok ? reading.clicks.map(({ clickId }) => clickId) : [];
  });
}

function expectSentOnUntracked(answers: readonly Answered[]): void {
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([302]));
  expect(answers.filter(({ clickId }) => clickId !== undefined)).toEqual([]);
  const times = answers.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  // Not the slowest of all: the machine of the test may be busy with something else for a moment.
  expect(times[Math.floor(times.length * 0.95)]).toBeLessThan(150);
}

describe('while Redis is stopped', () => {
  it('visitors are sent on untracked within 150 ms, every one is counted, and tracking comes back by itself', async () => {
    expect((await visit()).clickId).toBeDefined();
    await proxy.cut();
    const before = await server.metric('redirects_total', 'outcome="untracked"');
    expectSentOnUntracked(await visits(50));
    await sleep(300);
    expectSentOnUntracked(await visits(50));
    expect(await server.metric('redirects_total', 'outcome="untracked"')).toBe(before + 100);
    expect(await server.metric('clicks_unacked_total', 'reason="away"')).toBeGreaterThan(0);
    await proxy.heal();
    await isTrackedAgain();
  });

  it('a link that is not cached is found without it', async () => {
    const fresh = await seedLink(test.db);
    await proxy.cut();
    const answers = await visits(20, fresh.code);
    expectSentOnUntracked(answers);
    expect(answers).toHaveLength(20);
    await proxy.heal();
    await isTrackedAgain();
  });
});

describe('while Redis hangs', () => {
  it('no visitor waits longer than 150 ms, and no click id is handed out that Redis has not acknowledged', async () => {
    await streams.redis.del('clicks:{0}');
    proxy.mute(true);
    const answers: Answered[] = [];
    for (let round = 0; round < 15; round += 1) {
      answers.push(...(await visits(10)));
      await sleep(20);
    }
    expectSentOnUntracked(answers);
    expect(await server.metric('clicks_unacked_total', 'reason="late"')).toBeGreaterThan(0);
    proxy.mute(false);
    await isTrackedAgain();
    const tracked = await visits(20);
    const ids = await idsInStream();
    for (const { clickId } of tracked) expect(ids.filter((id) => id === clickId)).toHaveLength(1);
  });

  it('clicks that arrived although their visitors went untracked are stored once, like any other', async () => {
    const worker = startTestWorker({ db: test.db, redisUrl: streams.url });
    const ids = await idsInStream();
    expect(ids.length).toBeGreaterThan(20);
    await drained(streams.redis);
    await worker.stop();
    const { rows } = await test.db.query<{ count: bigint }>(
      'select count(*) as count from clicks where click_id = any ($1)',
      [ids],
    );
    expect(Number(rows[0]?.count)).toBe(new Set(ids).size);
  });
});

describe('a worker without Postgres', () => {
  it('waits with its batch, loses nothing, sets nothing aside and goes on', async () => {
    const postgres = await createTcpProxy(test.url);
    const db = createDb({ url: postgres.url, applicationName: 'daihuo-test-own', onError: () => undefined });
    const worker = startTestWorker({ db, redisUrl: streams.url });
    await visits(1);
    await drained(streams.redis);
    await postgres.cut();
    const answers = await visits(30);
    await sleep(1_000);
    expect(await streams.redis.xlen('clicks:{0}')).toBeGreaterThan(0);
    await postgres.heal();
    await drained(streams.redis);
    await worker.stop();
    await db.end();
    await postgres.cut();
    const stored = await test.db.query<{ count: bigint }>(
      'select count(*) as count from clicks where click_id = any ($1)',
      [answers.map(({ clickId }) => clickId)],
    );
    expect(stored.rows[0]?.count).toBe(30n);
    expect((await test.db.query('select * from click_dead_letters')).rows).toEqual([]);
  });
});

describe('a worker without Redis', () => {
  it('waits, loses nothing and goes on', async () => {
    const worker = startTestWorker({ db: test.db, redisUrl: proxy.url });
    const [before] = await visits(1);
    await drained(streams.redis);
    await proxy.cut();
    await sleep(300);
    await proxy.heal();
    await isTrackedAgain();
    const [after] = await visits(1);
    await drained(streams.redis);
    await worker.stop();
    const { rows } = await test.db.query<{ count: bigint }>(
      'select count(*) as count from clicks where click_id = any ($1)',
      [[before?.clickId, after?.clickId]],
    );
    expect(rows[0]?.count).toBe(2n);
  });

  it('stores at once what was delivered to it in an answer that never arrived', async () => {
    const limits = { minIdleMs: 600_000, claimEveryMs: 600_000, blockMs: 1_000 };
    const worker = startTestWorker({ db: test.db, redisUrl: proxy.url, limits });
    await visits(1);
    await drained(streams.redis);
    proxy.mute(true);
    const lost =
      (await streams.redis.xadd('clicks:{0}', '*', 'clicks', encodeClicks([makeClickOn(link.linkNumber)]))) ?? '';
    await vi.waitFor(async () => {
      expect(await streams.redis.xpending('clicks:{0}', 'ingest', lost, lost, 1)).toHaveLength(1);
    });
    proxy.reset();
    proxy.mute(false);
    await drained(streams.redis);
    await worker.stop();
  });
});
