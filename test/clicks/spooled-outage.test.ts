import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { decodeClicks } from '../../src/clicks/click-batch.ts';
import { startSpoolDrain } from '../../src/clicks/spool/drain.ts';
import { createSpoolMetrics } from '../../src/clicks/spool/metrics.ts';
import { openSpool } from '../../src/clicks/spool/spool.ts';
import type { Spool } from '../../src/clicks/spool/spool.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { PHONE, createClickServer } from './click-server.ts';
import type { ClickServer } from './click-server.ts';

const log = pino({ level: 'silent' });
const now = (): Date => new Date();

let test: TestDatabase;
let streams: TestRedis;
let proxy: TcpProxy;
let dir: string;
let spool: Spool;
let drain: { stop(): Promise<void> };
let server: ClickServer;
let link: SeededLink;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  proxy = await createTcpProxy(streams.url);
  dir = await mkdtemp(path.join(os.tmpdir(), 'daihuo-test-outage-'));
  const metrics = createSpoolMetrics(createMetricsRegistry());
  // More patience than in service: the machine of the test may be busy with something else for a moment.
  const opened = await openSpool({ dir, maxBytes: 50_000_000, log, metrics, now, limits: { withinMs: 2_000 } });
  spool = opened;
  server = await createClickServer({ test, redisUrl: proxy.url, spool });
  drain = startSpoolDrain({ spool: opened, redis: server.redis, db: test.db, log, metrics, now });
  link = await seedLink(test.db);
  await server.resolver.resolve(link.code);
});
afterAll(async () => {
  await server.close();
  await drain.stop();
  await spool.stop();
  await rm(dir, { recursive: true, force: true });
  await proxy.cut();
  await test.drop();
  await streams.drop();
});
beforeEach(async () => {
  await streams.redis.del('clicks:{0}');
});

const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });

interface Answered {
  clickId: string | undefined;
}

async function visit(): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = { agent, path: `/${link.code}`, headers: { 'user-agent': PHONE } };
    http
      .get(server.address, options, (response) => {
        response.resume();
        const clickId = new URL(response.headers.location ?? 'https://none').searchParams.get('dh_click') ?? undefined;
        resolve({ clickId });
      })
      .on('error', reject);
  });
}

/** Some 200 visits a second. */
async function visitsFor(ms: number): Promise<Answered[]> {
  const answers: Promise<Answered>[] = [];
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    answers.push(...Array.from({ length: 4 }, () => visit()));
    await sleep(20);
  }
  return Promise.all(answers);
}

async function idsInStream(): Promise<Set<string>> {
  const entries = await streams.redis.xrange('clicks:{0}', '-', '+');
  return new Set(
    entries.flatMap(([, [, text]]) => {
      const reading = decodeClicks(text ?? '');
      return reading.ok ? reading.clicks.map(({ clickId }) => clickId) : [];
    }),
  );
}

/** Every visitor had a click id, and every id that was handed out is in the stream in the end. */
async function expectAllKept(answers: readonly Answered[]): Promise<void> {
  expect(answers.filter(({ clickId }) => clickId === undefined)).toEqual([]);
  await expect.poll(() => spool.backlog().clicks, { timeout: 10_000, interval: 50 }).toBe(0);
  const ids = await idsInStream();
  expect(answers.filter(({ clickId }) => !ids.has(clickId ?? ''))).toEqual([]);
}

describe('with a spool', () => {
  it('visits through an outage of Redis are tracked, and their clicks are in the stream when it is back', async () => {
    const before = await visitsFor(200);
    await proxy.cut();
    const during = await visitsFor(1_500);
    expect(spool.backlog().clicks).toBeGreaterThan(100);
    await proxy.heal();
    const after = await visitsFor(500);
    expect(during.length).toBeGreaterThan(100);
    await expectAllKept([...before, ...during, ...after]);
  });

  it('visits while Redis hangs are tracked: few wait for it, the others go straight to the spool', async () => {
    proxy.mute(true);
    const during = await visitsFor(1_500);
    proxy.mute(false);
    const late = await server.metric('clicks_unacked_total', 'reason="late"');
    const resting = await server.metric('clicks_unacked_total', 'reason="resting"');
    expect(late).toBeGreaterThan(0);
    // Few visitors waited for Redis: once it was late, no other one waits.
    expect(resting).toBeGreaterThan(4 * late);
    await expectAllKept(during);
    await expect
      .poll(async () => (await visit()).clickId !== undefined && spool.backlog().clicks, { timeout: 5_000 })
      .toBe(0);
  });

  it('visits while Redis refuses to write are tracked, and it is used again soon after', async () => {
    // What is no stream takes no entries: an error as from a Redis that is full or read-only, but for this test alone.
    await streams.redis.set('clicks:{0}', 'in the way');
    const during = await visitsFor(1_000);
    await streams.redis.del('clicks:{0}');
    expect(await server.metric('clicks_unacked_total', 'reason="refused"')).toBeGreaterThan(0);
    await expectAllKept(during);
    const appended = await server.metric('clicks_appended_total');
    await expect
      .poll(async () => (await visitsFor(50)).length > 0 && (await server.metric('clicks_appended_total')) > appended, {
        timeout: 5_000,
      })
      .toBe(true);
  });
});
