import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { encodeClicks, streamKey } from '../../src/clicks/click-batch.ts';
import { runProgram } from '../support/child-program.ts';
import type { Program } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer, drained } from './click-server.ts';
import type { ClickServer } from './click-server.ts';
import { findDifferences, makeClickOn, visitorOf } from './make-clicks.ts';

const PROGRAM = path.join(import.meta.dirname, 'run-worker.ts');
const KILLS = 4;
const KILLS_AT_STEP = 3;
const LINKS = 10;

let test: TestDatabase;
let streams: TestRedis;
let server: ClickServer;

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  server = await createClickServer({ test, redisUrl: streams.url });
});
afterAll(async () => {
  await server.close();
  await test.drop();
  await streams.drop();
});

async function startWorker(...args: string[]): Promise<Program> {
  const worker = runProgram(PROGRAM, [test.url, streams.url, ...args], {});
  await worker.line(/running/);
  return worker;
}

/** Visitors of several links, some of them twice within the window of repeats. @returns every click id that was handed out */
async function visitFor(codes: readonly string[], signal: AbortSignal): Promise<string[]> {
  const clickIds: string[] = [];
  for (let round = 0; !signal.aborted; round += 1) {
    const answers = await Promise.all(
      codes.map((code, i) =>
        server.app.inject({
          url: `/${code}/v${round % 3}`,
          headers: { 'user-agent': PHONE, 'x-forwarded-for': `203.0.113.${(round * 7 + i) % 200}` },
        }),
      ),
    );
    for (const { statusCode, headers } of answers) {
      expect(statusCode).toBe(302);
      const clickId = new URL(headers.location ?? '').searchParams.get('dh_click');
      if (clickId !== null) clickIds.push(clickId);
    }
    await sleep(5);
  }
  return clickIds;
}

// Without this a brand sees too few or too many clicks after every crash or deployment.
it('workers killed again and again store every click that was answered exactly once, with rollups to match', async () => {
  const links = await Promise.all(Array.from({ length: LINKS }, () => seedLink(test.db)));
  const stopped = new AbortController();
  const visiting = visitFor(
    links.map(({ code }) => code),
    stopped.signal,
  );
  for (let kill = 0; kill < KILLS; kill += 1) {
    const worker = await startWorker();
    // At another moment of its work each time.
    await sleep(150 + kill * 37);
    worker.child.kill('SIGKILL');
    await worker.ended;
  }
  stopped.abort();
  const clickIds = await visiting;
  const last = await startWorker();
  await drained(streams.redis);
  last.child.kill('SIGKILL');
  await last.ended;

  expect(clickIds.length).toBeGreaterThan(500);
  expect(new Set(clickIds).size).toBe(clickIds.length);
  const stored = await test.db.query<{ clickId: string }>('select click_id as "clickId" from clicks');
  const storedIds = new Set(stored.rows.map(({ clickId }) => clickId));
  // A click may be stored although its acknowledgement came too late; never the other way round.
  expect(clickIds.filter((clickId) => !storedIds.has(clickId))).toEqual([]);
  expect(storedIds.size).toBe(stored.rows.length);
  const { rollups, shown, uniques, deadLetters } = await findDifferences(test.db);
  expect({ rollups, shown, deadLetters }).toEqual({ rollups: [], shown: [], deadLetters: [] });
  expect(uniques.kept).toBe(uniques.counted);
}, 60_000);

// The moments at which a worker has done half of what belongs together.
it.each(['claimed', 'read', 'sent', 'inserted', 'committed'])(
  'a worker killed when it has %s leaves nothing undone and nothing done twice',
  async (step) => {
    const { linkNumber } = await seedLink(test.db);
    const clicks = Array.from({ length: 240 }, (_, i) => makeClickOn(linkNumber, { visitor: visitorOf(i % 90) }));
    const append = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 10)
        await streams.redis.xadd(streamKey(0), '*', 'clicks', encodeClicks(clicks.slice(at, at + 10)));
    };
    await append(0, 10);
    const first = await startWorker();
    await drained(streams.redis);
    first.child.kill('SIGKILL');
    await first.ended;
    for (let kill = 0; kill < KILLS_AT_STEP; kill += 1) {
      // Stored already, so that the idempotent way, which reaches 'inserted', is taken too.
      await append(0, 10);
      await append(kill * 60, (kill + 1) * 60);
      const worker = await startWorker('1', step, step === 'inserted' ? '1' : String(kill + 1));
      expect(await worker.ended).toBe(null);
    }
    await append(KILLS_AT_STEP * 60, clicks.length);
    const last = await startWorker();
    await drained(streams.redis);
    last.child.kill('SIGKILL');
    await last.ended;

    const stored = await test.db.query<{ clickId: string }>(
      'select click_id as "clickId" from clicks where link_number = $1',
      [linkNumber],
    );
    expect(stored.rows.map(({ clickId }) => clickId).toSorted()).toEqual(
      clicks.map(({ clickId }) => clickId).toSorted(),
    );
    const { rollups, shown, uniques, deadLetters } = await findDifferences(test.db);
    expect({ rollups, shown, deadLetters }).toEqual({ rollups: [], shown: [], deadLetters: [] });
    expect(uniques.kept).toBe(uniques.counted);
  },
  60_000,
);
