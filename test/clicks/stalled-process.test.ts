/**
 * A process that is stopped for a moment (a frozen virtual machine, an exhausted CPU quota, a debugger) must not blame Redis or the disk for it:
 * when it runs again, the answers it waited for are already there, and every visitor gets a click id.
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install } from '../journey/daihuo-process.ts';
import type { Installation, RunningServer } from '../journey/daihuo-process.ts';
import { PHONE, startTestWorker } from './click-server.ts';
import type { TestWorker } from './click-server.ts';
import { seedLink } from '../support/promotion.ts';

const STOPS_MS = [60, 100, 200, 400, 1_000];
const VISITS = 200;
/** One stop, and stops in a row with almost no time between them, as a CPU quota makes them. */
const PATTERNS = [
  { name: 'one stop', stops: 1, runMs: 30, startingMs: 60 },
  { name: 'six stops, 5 ms apart,', stops: 6, runMs: 5, startingMs: 400 },
];
/** 1 in every run of the tests; more of them for figures, `STALLED_PROCESS_ROUNDS=20`. */
const ROUNDS = Number(process.env['STALLED_PROCESS_ROUNDS'] ?? 1);

let installation: Installation;
let server: RunningServer;
let worker: TestWorker;
let code: string;
/** Connections are there before the process is stopped: it is the visits that are under way, not the handshakes. */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

beforeAll(async () => {
  installation = await install();
  ({ code } = await seedLink(installation.database.db));
  worker = startTestWorker({ db: installation.database.db, redisUrl: installation.redis.url });
  server = await installation.serve('serve');
  for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: VISITS }, () => visit()));
});
afterAll(async () => {
  agent.destroy();
  await worker.stop();
  await installation.remove();
});

async function visit(): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    get(`${server.origin}/${code}`, { agent, headers: { 'user-agent': PHONE } }, (response) => {
      response.once('error', reject);
      response.resume().once('end', () => {
        if (response.statusCode !== 302) reject(new Error(`answered ${response.statusCode}`));
        else resolve(URL.parse(response.headers.location ?? '')?.searchParams.get('dh_click') ?? undefined);
      });
    }).once('error', reject);
  });
}

interface Stall {
  stops: number;
  /** How long the process runs before each stop. */
  runMs: number;
  stopMs: number;
  /** The visits start over this long. */
  startingMs: number;
}

/** 200 visits, in the middle of which the process is stopped and continued. @returns their click ids */
async function visitsThrough({ stops, runMs, stopMs, startingMs }: Stall): Promise<(string | undefined)[]> {
  const visits: Promise<string | undefined>[] = [];
  const { child } = server.program;
  const stopAndContinue = async (): Promise<void> => {
    for (let stop = 0; stop < stops; stop += 1) {
      await sleep(runMs);
      child.kill('SIGSTOP');
      await sleep(stopMs);
      child.kill('SIGCONT');
    }
  };
  const stopping = stopAndContinue();
  const startedAtMs = performance.now();
  while (visits.length < VISITS) {
    const due = Math.ceil(Math.min(1, (performance.now() - startedAtMs) / startingMs) * VISITS);
    while (visits.length < due) visits.push(visit());
    await sleep(1);
  }
  await stopping;
  return Promise.all(visits);
}

async function countStored(clickIds: readonly string[]): Promise<number[]> {
  const { rows } = await installation.database.db.query<{ count: bigint }>(
    'select (select count(*) from clicks c where c.click_id = input.id) as count from unnest($1::text[]) as input (id)',
    [clickIds],
  );
  return rows.map(({ count }) => Number(count));
}

describe.for(PATTERNS)('through $name of the process itself', (pattern) => {
  it.for(STOPS_MS)(
    `of %i ms, all of ${VISITS} visits get a click id, and each is stored exactly once`,
    { timeout: 60_000 + ROUNDS * 10_000 },
    async (stopMs) => {
      const clickIds: string[] = [];
      const untracked: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const answers = await visitsThrough({ ...pattern, stopMs });
        const given = answers.filter((id) => id !== undefined);
        clickIds.push(...given);
        untracked.push(answers.length - given.length);
        await sleep(400);
      }
      if (ROUNDS > 1) console.log(`${pattern.name} of ${stopMs} ms, untracked of ${VISITS}: ${untracked.join(' ')}`);
      expect(new Set(clickIds).size).toBe(clickIds.length);
      await expect
        .poll(async () => (await countStored(clickIds)).filter((count) => count !== 1), { timeout: 15_000 })
        .toEqual([]);
      expect(untracked.filter((count) => count > 0)).toEqual([]);
    },
  );
});
