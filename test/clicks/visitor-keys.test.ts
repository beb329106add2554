import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { clickUpkeepJobs } from '../../src/clicks/upkeep.ts';
import { createVisitorKeys } from '../../src/clicks/visitor-keys/visitor-keys.ts';
import type { VisitorKeys } from '../../src/clicks/visitor-keys/visitor-keys.ts';
import { createDb } from '../../src/infra/db.ts';
import type { Db } from '../../src/infra/db.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const log = pino({ level: 'silent' });
const visitor = { address: '203.0.113.7', agentDigest: 'phone' };
/** 00:00 of 22 November 2026 in Shanghai. */
const MIDNIGHT = new Date('2026-11-21T16:00:00Z');
const JUST_BEFORE = new Date(MIDNIGHT.getTime() - 1);

let test: TestDatabase;
const open: VisitorKeys[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await test.drop();
});
beforeEach(async () => {
  await test.db.query('delete from visitor_day_keys');
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((keys) => keys.stop()));
});

async function start(now: Date, db: Db = test.db): Promise<VisitorKeys> {
  const keys = createVisitorKeys({ db, now: () => now, log });
  open.push(keys);
  await keys.refresh().catch(() => undefined);
  return keys;
}

async function storedDays(): Promise<string[]> {
  const { rows } = await test.db.query<{ day: string }>('select day from visitor_day_keys order by day');
  return rows.map(({ day }) => day);
}

describe('the key of a day', () => {
  it('is the same in every process, also when all of them start at once', async () => {
    const processes = await Promise.all(Array.from({ length: 8 }, () => start(MIDNIGHT)));
    const hashes = processes.map((keys) => keys.hashAt(MIDNIGHT)(visitor));
    expect(new Set(hashes).size).toBe(1);
    expect(hashes[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it('changes at midnight in Shanghai, and tomorrow’s is there before', async () => {
    const keys = await start(JUST_BEFORE);
    expect(await storedDays()).toEqual(['2026-11-21', '2026-11-22']);
    const today = keys.hashAt(JUST_BEFORE)(visitor);
    const tomorrow = keys.hashAt(MIDNIGHT)(visitor);
    expect(tomorrow).not.toBe(today);
    // A click stamped before midnight may be hashed after one stamped behind it.
    expect(keys.hashAt(JUST_BEFORE)(visitor)).toBe(today);
    expect((await start(MIDNIGHT)).hashAt(MIDNIGHT)(visitor)).toBe(tomorrow);
  });

  it('is deleted after two days, with the list of counted visitors', async () => {
    const keys = await start(MIDNIGHT);
    // Or it may still be offering the key that is deleted here.
    await keys.stop();
    // More than are deleted at once.
    await test.db.query(
      `insert into click_visits (day, visit, last_counted_at)
       select date '2026-11-22', n, now() from generate_series(1, 50001) n union all select date '2026-11-23', 1, now()`,
    );
    const jobs = clickUpkeepJobs({ db: test.db, now: () => new Date('2026-11-23T16:00:00Z') });
    await Promise.all(jobs.map((job) => job.run(new AbortController().signal)));
    // Of yesterday's and today's clicks some may still come; the key of the 22nd has served its two days.
    expect(await storedDays()).toEqual(['2026-11-23']);
    const visits = await test.db.query<{ day: string }>('select day from click_visits');
    expect(visits.rows).toEqual([{ day: '2026-11-23' }]);
  });

  it('of another length than 16 bytes is refused by the table', async () => {
    await expect(
      test.db.query(`insert into visitor_day_keys (day, key) values ('2026-01-01', '\\x00')`),
    ).rejects.toThrow('visitor_day_keys_key_check');
  });
});

describe('without Postgres', () => {
  it('visitors are hashed all the same, in one way within the process, until the shared key can be had', async () => {
    const db = createDb({ url: test.url, applicationName: 'daihuo-test-own', onError: () => undefined });
    let isAway = true;
    const flaky = new Proxy(db, {
      get: (target, name: keyof Db) => {
        if (name === 'query' && isAway) return () => Promise.reject(new Error('Connection terminated unexpectedly'));
        const value = target[name];
        return typeof value === 'function' ? (value as (...values: unknown[]) => unknown).bind(target) : value;
      },
    });
    const keys = await start(MIDNIGHT, flaky);
    const makeshift = keys.hashAt(MIDNIGHT)(visitor);
    expect(makeshift).toMatch(/^[0-9a-f]{16}$/);
    expect(keys.hashAt(new Date(MIDNIGHT.getTime() + 1))(visitor)).toBe(makeshift);
    isAway = false;
    await keys.refresh();
    expect(keys.hashAt(MIDNIGHT)(visitor)).toBe((await start(MIDNIGHT)).hashAt(MIDNIGHT)(visitor));
    await db.end();
  });
});
