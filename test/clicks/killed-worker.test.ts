import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { runProgram } from '../support/child-program.ts';
import type { Program } from '../support/child-program.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { PHONE, createClickServer, drained } from './click-server.ts';
import type { ClickServer } from './click-server.ts';
import { seedLink } from './seed-link.ts';

const PROGRAM = path.join(import.meta.dirname, 'run-worker.ts');
const KILLS = 4;
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

async function startWorker(): Promise<Program> {
  const worker = runProgram(PROGRAM, [test.url, streams.url], {});
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
  const kept = await test.db.query(
    `select link_number, hour, verdict, tag, clicks from click_rollups order by link_number, hour, verdict, tag`,
  );
  const counted = await test.db.query(
    `select link_number, date_trunc('hour', clicked_at, 'Asia/Shanghai') as hour, verdict, coalesce(tag, '') as tag, count(*) as clicks
     from clicks group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
  );
  expect(kept.rows).toEqual(counted.rows);
  const uniques = await test.db.query(
    `select (select sum(uniques) from click_rollups)::text as kept,
       (select count(distinct (link_number, visitor)) from clicks where verdict = 'counted')::text as counted`,
  );
  expect(uniques.rows[0]).toMatchObject({ kept: (uniques.rows[0] as { counted: string }).counted });
  const letters = await test.db.query('select * from click_dead_letters');
  expect(letters.rows).toEqual([]);
}, 60_000);
