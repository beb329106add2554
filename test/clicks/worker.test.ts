import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { encodeClickLine, encodeClicks, joinClickLines } from '../../src/clicks/click-batch.ts';
import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { type SeededLink, seedLink } from '../support/promotion.ts';
import { createTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { drained, startTestWorker } from './click-server.ts';
import type { TestWorker } from './click-server.ts';

const STREAM = 'clicks:{0}';
const GROUP = 'ingest';

let test: TestDatabase;
let streams: TestRedis;
let link: SeededLink;
const workers: TestWorker[] = [];

beforeAll(async () => {
  [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterAll(async () => {
  await test.drop();
  await streams.drop();
});
beforeEach(async () => {
  await streams.redis.flushdb();
  link = await seedLink(test.db);
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

function startWorker(limits: Parameters<typeof startTestWorker>[0]['limits'] = {}): TestWorker {
  const worker = startTestWorker({ db: test.db, redisUrl: streams.url, limits });
  workers.push(worker);
  return worker;
}

const mint = createClickIdMint(deriveKeys(Buffer.alloc(32, 9)).clickIdKeys[0] ?? { number: 0, key: Buffer.alloc(16) });
let made = 0;

/** A click of one visitor on the link, now unless said otherwise. */
function makeClick(change: Partial<Click> = {}): Click {
  made += 1;
  const clickedAt = change.clickedAt ?? new Date();
  const linkNumber = change.linkNumber ?? link.linkNumber;
  const random = Buffer.alloc(8);
  random.writeUInt32BE(made);
  const clickId = mint({ linkNumber, clickedAtMs: clickedAt.getTime(), random });
  return {
    clickId,
    clickedAt,
    linkNumber,
    verdict: 'counted',
    visitor: '00000000000000aa',
    app: 'douyin',
    os: 'ios',
    ...change,
  };
}

function visitorOf(number: number): string {
  return number.toString(16).padStart(16, '0');
}

async function append(...clicks: Click[]): Promise<string> {
  return await appendText(encodeClicks(clicks));
}

async function appendText(text: string): Promise<string> {
  return (await streams.redis.xadd(STREAM, '*', 'clicks', text)) ?? '';
}

interface StoredRow {
  clickId: string;
  verdict: string;
  tag: string | null;
}

async function storedClicks(): Promise<StoredRow[]> {
  const { rows } = await test.db.query<StoredRow>(
    `select click_id as "clickId", verdict, tag from clicks where link_number = $1 order by clicked_at, click_id`,
    [link.linkNumber],
  );
  return rows;
}

async function verdicts(): Promise<string[]> {
  return (await storedClicks()).map(({ verdict }) => verdict);
}

interface Letter {
  entryId: string;
  line: number;
  reason: string;
  payload: string;
}

async function deadLetters(entryId: string): Promise<Letter[]> {
  const { rows } = await test.db.query<Letter>(
    `select entry_id as "entryId", line, reason, payload from click_dead_letters where entry_id = $1 order by line`,
    [entryId],
  );
  return rows;
}

/** The rollup of the link, and the same counted anew from the clicks. */
async function rollups(): Promise<{ kept: unknown[]; counted: unknown[] }> {
  const kept = await test.db.query(
    `select hour, verdict, tag, clicks from click_rollups where link_number = $1 order by hour, verdict, tag`,
    [link.linkNumber],
  );
  const counted = await test.db.query(
    `select date_trunc('hour', clicked_at, 'Asia/Shanghai') as hour, verdict, coalesce(tag, '') as tag, count(*) as clicks
     from clicks where link_number = $1 group by 1, 2, 3 order by 1, 2, 3`,
    [link.linkNumber],
  );
  return { kept: kept.rows, counted: counted.rows };
}

async function uniques(): Promise<number> {
  const { rows } = await test.db.query<{ sum: string }>(
    `select sum(uniques) as sum from click_rollups where link_number = $1`,
    [link.linkNumber],
  );
  return Number(rows[0]?.sum);
}

describe('storing', () => {
  it('every click of every entry is stored once, booked under its link, and the stream is empty', async () => {
    const clicks = Array.from({ length: 300 }, (_, i) =>
      makeClick({ visitor: visitorOf(i), ...(i % 3 === 0 && { tag: 'v12' }) }),
    );
    for (let at = 0; at < clicks.length; at += 30) await append(...clicks.slice(at, at + 30));
    startWorker();
    await drained(streams.redis);
    expect((await storedClicks()).map(({ clickId }) => clickId).toSorted()).toEqual(
      clicks.map(({ clickId }) => clickId).toSorted(),
    );
    const { rows } = await test.db.query(
      `select distinct brand_id as "brandId", link_id as "linkId", product_id as "productId", influencer_id as "influencerId", app, os,
         octet_length(visitor) as bytes from clicks where link_number = $1`,
      [link.linkNumber],
    );
    const { brandId, linkId, productId, influencerId } = link;
    expect(rows).toEqual([{ brandId, linkId, productId, influencerId, app: 'douyin', os: 'ios', bytes: 8 }]);
    expect(await streams.redis.xpending(STREAM, GROUP)).toEqual([0, null, null, null]);
  });

  it('the rollup is the count of the clicks by hour, verdict and tag, also over many batches and duplicates', async () => {
    const hour = 3_600_000;
    const clicks = Array.from({ length: 120 }, (_, i) =>
      makeClick({
        clickedAt: new Date(Date.now() - (i % 5) * hour),
        visitor: visitorOf(i % 7),
        ...(i % 4 === 0 && { tag: `v${i % 2}` }),
        verdict: i % 6 === 0 ? 'bot' : 'counted',
      }),
    );
    startWorker({ entriesPerRead: 3 });
    for (const click of [...clicks, ...clicks]) await append(click);
    await drained(streams.redis);
    const { kept, counted } = await rollups();
    expect(kept).toEqual(counted);
    expect((await storedClicks()).length).toBe(120);
  });

  it('a visitor is unique once a Shanghai day on a link, whatever the tag and the hour', async () => {
    const at = (iso: string): Date =>
      new Date(`${new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10)}T${iso}Z`);
    // 15:59:59 and 16:00 UTC are two days in Shanghai.
    await append(
      makeClick({ clickedAt: at('05:00:00'), tag: 'v1' }),
      makeClick({ clickedAt: at('15:59:59'), tag: 'v2' }),
      makeClick({ clickedAt: at('16:00:30') }),
      makeClick({ clickedAt: at('05:00:00'), visitor: visitorOf(1), verdict: 'bot' }),
    );
    await append(makeClick({ clickedAt: at('06:00:00') }));
    startWorker();
    await drained(streams.redis);
    expect(await uniques()).toBe(2);
  });

  it('clicks of a month without a partition get one', async () => {
    const clickedAt = new Date(Date.now() - 39 * 86_400_000);
    await append(makeClick({ clickedAt }));
    startWorker();
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['counted']);
  });

  it('a worker that starts before there is a stream, or whose stream was deleted, goes on', async () => {
    startWorker();
    await sleep(150);
    await append(makeClick());
    await drained(streams.redis);
    await streams.redis.flushdb();
    await append(makeClick({ visitor: visitorOf(5) }));
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['counted', 'counted']);
  });
});

describe('delivering again', () => {
  it('what was committed but not acknowledged by a worker that died is acknowledged by another one, and stored once', async () => {
    const clicks = Array.from({ length: 20 }, (_, i) => makeClick({ visitor: visitorOf(i) }));
    const first = startWorker();
    await append(...clicks);
    await drained(streams.redis);
    await first.stop();
    // The same entry once more, read by a consumer that is never seen again: as if the worker had died between COMMIT and XACK.
    await append(...clicks);
    await streams.redis.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 10, 'STREAMS', STREAM, '>');
    const before = await rollups();
    startWorker();
    await drained(streams.redis);
    expect(await storedClicks()).toHaveLength(20);
    expect(await rollups()).toEqual(before);
    expect(await uniques()).toBe(20);
  });

  it('an entry another worker still has is left to it until it is idle for long', async () => {
    startWorker({ minIdleMs: 700 });
    await sleep(100);
    await append(makeClick());
    await drained(streams.redis);
    await streams.redis.xadd(STREAM, '*', 'clicks', encodeClicks([makeClick({ visitor: visitorOf(9) })]));
    await sleep(100);
    expect(await verdicts()).toHaveLength(2);
  });

  it('two workers on one stream store every click once', async () => {
    startWorker({ entriesPerRead: 2 });
    startWorker({ entriesPerRead: 2, minIdleMs: 5 });
    const clicks = Array.from({ length: 150 }, (_, i) =>
      makeClick({ visitor: visitorOf(i % 20), clickedAt: new Date(Date.now() + i * 400) }),
    );
    await Promise.all(clicks.map((click) => append(click)));
    await drained(streams.redis);
    expect(await storedClicks()).toHaveLength(150);
    const { kept, counted } = await rollups();
    expect(kept).toEqual(counted);
  });

  it('a worker that stops leaves no consumer and nothing pending behind', async () => {
    const worker = startWorker();
    await append(makeClick());
    await drained(streams.redis);
    const startedAtMs = performance.now();
    await worker.stop();
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    expect(await streams.redis.xinfo('CONSUMERS', STREAM, GROUP)).toEqual([]);
  });
});

describe('repeats', () => {
  it.each([
    [9_999, 'repeat'],
    [10_000, 'repeat'],
    [10_001, 'counted'],
  ])('a click %i ms after a counted one of an earlier batch is %s', async (offsetMs, verdict) => {
    const start = Date.now() - 60_000;
    startWorker();
    await append(makeClick({ clickedAt: new Date(start) }));
    await drained(streams.redis);
    await append(makeClick({ clickedAt: new Date(start + offsetMs) }));
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['counted', verdict]);
  });

  it('other visitors and other links are no repeats, and neither is what follows a bot', async () => {
    const start = Date.now() - 60_000;
    startWorker();
    await append(makeClick({ clickedAt: new Date(start), verdict: 'bot' }));
    await drained(streams.redis);
    await append(
      makeClick({ clickedAt: new Date(start + 1) }),
      makeClick({ clickedAt: new Date(start + 2), visitor: visitorOf(1) }),
    );
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['bot', 'counted', 'counted']);
  });

  it('a click that arrives late, before a counted one, is a repeat too, and changes nothing that is stored', async () => {
    const start = Date.now() - 60_000;
    startWorker();
    await append(makeClick({ clickedAt: new Date(start + 5_000) }));
    await drained(streams.redis);
    await append(makeClick({ clickedAt: new Date(start) }));
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['repeat', 'counted']);
  });
});

describe('what cannot be stored', () => {
  it('a line that cannot be read is set aside with its reason, the others of its entry are stored', async () => {
    const [good, alsoGood] = [makeClick(), makeClick({ visitor: visitorOf(1) })];
    const id = await appendText(joinClickLines([encodeClickLine(good), 'not\ta\tclick', encodeClickLine(alsoGood)]));
    startWorker();
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['counted', 'counted']);
    expect(await deadLetters(id)).toEqual([{ entryId: id, line: 2, reason: 'fields', payload: 'not\ta\tclick' }]);
  });

  it('a link that does not exist and a time of another year are set aside at once, under the number of their line', async () => {
    const id = await append(
      makeClick(),
      makeClick({ linkNumber: 999_999_999 }),
      makeClick({ clickedAt: new Date(Date.now() - 41 * 86_400_000) }),
      makeClick({ clickedAt: new Date(Date.now() + 41 * 86_400_000) }),
    );
    startWorker();
    await drained(streams.redis);
    expect(await verdicts()).toEqual(['counted']);
    expect((await deadLetters(id)).map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'unknown_link'],
      [3, 'clicked_at_out_of_range'],
      [4, 'clicked_at_out_of_range'],
    ]);
  });

  it('an entry without clicks, with other fields or with a NUL is set aside whole', async () => {
    const [empty, nul] = [await appendText('clicks/1'), await appendText('clicks/1\na\0b')];
    const other = (await streams.redis.xadd(STREAM, '*', 'color', 'blue')) ?? '';
    startWorker();
    await drained(streams.redis);
    expect(await deadLetters(empty)).toMatchObject([{ line: 0, reason: 'empty', payload: 'clicks/1' }]);
    expect(await deadLetters(nul)).toMatchObject([{ line: 1, reason: 'fields', payload: 'a␀b' }]);
    expect(await deadLetters(other)).toMatchObject([
      { line: 0, reason: 'no_clicks_field', payload: '["color","blue"]' },
    ]);
  });

  it('an entry of a newer version stays for a worker that can read it, and is set aside whole after five deliveries', async () => {
    const id = await appendText('clicks/9\nfrom the future');
    startWorker({ minIdleMs: 150, claimEveryMs: 20 });
    await append(makeClick());
    await vi.waitFor(async () => expect(await verdicts()).toEqual(['counted']), { timeout: 5_000 });
    expect(await streams.redis.xrange(STREAM, id, id)).toHaveLength(1);
    expect(await deadLetters(id)).toEqual([]);
    await drained(streams.redis);
    expect(await deadLetters(id)).toEqual([
      { entryId: id, line: 0, reason: 'unknown_version', payload: 'clicks/9\nfrom the future' },
    ]);
  });

  it('a click that Postgres refuses is found by halving, tried five times and set aside; no other click waits for it', async () => {
    await test.db.query(`alter table clicks add constraint clicks_test_poison check (tag is distinct from 'poison')`);
    try {
      const clicks = Array.from({ length: 40 }, (_, i) =>
        makeClick({ visitor: visitorOf(i), ...(i === 17 && { tag: 'poison' }) }),
      );
      const id = await append(...clicks);
      startWorker({ minIdleMs: 100, claimEveryMs: 20 });
      await vi.waitFor(async () => expect(await storedClicks()).toHaveLength(39), { timeout: 5_000 });
      expect(await streams.redis.xrange(STREAM, id, id)).toHaveLength(1);
      await drained(streams.redis);
      expect((await deadLetters(id)).map(({ line, reason }) => [line, reason])).toEqual([[18, 'not_storable']]);
      const { kept, counted } = await rollups();
      expect(kept).toEqual(counted);
    } finally {
      await test.db.query(`alter table clicks drop constraint clicks_test_poison`);
    }
  });
});

describe('the watermark', () => {
  async function drainedTo(): Promise<number> {
    const { rows } = await test.db.query<{ at: Date }>(`select drained_to as at from click_watermarks where shard = 0`);
    return rows[0]?.at.getTime() ?? 0;
  }

  it('follows the clock while the stream is empty, and stays before the oldest click that is not stored', async () => {
    startWorker({ minIdleMs: 400, claimEveryMs: 50 });
    await vi.waitFor(async () => expect(await drainedTo()).toBeGreaterThan(Date.now() - 6_000), { timeout: 5_000 });
    expect(await drainedTo()).toBeLessThan(Date.now() - 4_900);
    const id = await appendText('clicks/9\nwaits');
    await sleep(300);
    expect(await drainedTo()).toBeLessThanOrEqual(Number(id.split('-')[0]) - 5_000);
    await drained(streams.redis);
    const after = Date.now();
    await vi.waitFor(async () => expect(await drainedTo()).toBeGreaterThan(after - 5_000), { timeout: 5_000 });
  });
});
