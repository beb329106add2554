import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { encodeClicks } from '../../src/clicks/click-batch.ts';
import { decodeEntries } from '../../src/clicks/ingest/entry-source.ts';
import { createLinkDirectory, createPlanner } from '../../src/clicks/ingest/plan-batch.ts';
import type { PlannedBatch, ProjectedState } from '../../src/clicks/ingest/plan-batch.ts';
import { createPartitions, createStore } from '../../src/clicks/ingest/store-batch.ts';
import type { StoreResult } from '../../src/clicks/ingest/store-batch.ts';
import { decideRepeats } from '../../src/core/clicks/click.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { seedLink } from '../support/promotion.ts';
import { findDifferences, makeClickOn, visitorOf } from './make-clicks.ts';

const BATCHES = 60;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    // The low bits of such a sequence are hardly random.
    return (state >>> 12) % below;
  };
}

/** The last Shanghai midnight, so that batches lie around it. */
function midnightBefore(ms: number): number {
  const offset = 8 * HOUR;
  return Math.floor((ms + offset) / (24 * HOUR)) * 24 * HOUR - offset;
}

/**
 * Batches of few visitors on few links within moments of each other, so that repeats, late clicks, clicks about midnight, duplicates in and
 * between batches and second visits all happen, and often.
 */
function makeBatches(seed: number, links: readonly number[], nowMs: number): Click[][] {
  const random = createRandom(seed);
  const all: Click[] = [];
  const starts = [nowMs - HOUR, midnightBefore(nowMs) - 15 * SECOND, nowMs - 30 * HOUR];
  return Array.from({ length: BATCHES }, (_, number) => {
    const start = (starts[random(starts.length)] ?? nowMs) + number * 3 * SECOND;
    return Array.from({ length: 1 + random(12) }, () => {
      const earlier = all.length > 0 && random(12) === 0 ? all[random(all.length)] : undefined;
      const isLate = random(8) === 0;
      const at = start + random(25 * SECOND) - (isLate ? random(60) * SECOND : 0);
      const click =
        earlier ??
        makeClickOn(links[random(links.length)] ?? 0, {
          clickedAt: new Date(at),
          visitor: visitorOf(random(6)),
          verdict: random(6) === 0 ? 'bot' : 'counted',
          ...(random(2) === 0 && { tag: `v${random(3)}` }),
          ...(random(5) === 0 && { province: random(2) === 0 ? '广东' : String.raw`\N\t` }),
          ...(random(2) === 0 && { outcome: 'page' as const, app: random(2) === 0 ? 'douyin' : 'wechat' }),
        });
      all.push(click);
      return click;
    });
  });
}

/** What must be stored, by the rule alone: every batch decided with everything before it in sight. */
function expectedOf(batches: readonly Click[][]): Map<string, Click> {
  const stored = new Map<string, Click>();
  for (const batch of batches) {
    for (const click of decideRepeats(batch, [...stored.values()])) {
      if (!stored.has(click.clickId)) stored.set(click.clickId, click);
    }
  }
  return stored;
}

let test: TestDatabase;
let links: number[];

beforeAll(async () => {
  test = await createTestDatabase();
});
beforeEach(async () => {
  links = (await Promise.all([seedLink(test.db), seedLink(test.db), seedLink(test.db)])).map(
    ({ linkNumber }) => linkNumber,
  );
});
afterAll(async () => test.drop());

function createParts(shard: number, worker: string, now: () => Date) {
  const { db } = test;
  const ensurePartitions = createPartitions(db);
  let batches = 0;
  const nextFencingToken = (): number => (batches += 1);
  const store = createStore({ db, shard, worker, nextFencingToken, now, ensurePartitions, onStep: () => undefined });
  const plan = createPlanner({ db, links: createLinkDirectory(db), now });
  /** Each after the one before is done. */
  const storeAlone = async (planned: PlannedBatch): Promise<StoreResult> =>
    store.storeOptimistic(planned).catch(() => store.storeIdempotent(planned));
  const entriesOf = (batch: readonly Click[]) =>
    decodeEntries('stream', [{ id: '1-0', text: encodeClicks(batch), raw: () => '' }]);
  return { plan, store, storeAlone, entriesOf };
}

async function expectStored(expected: ReadonlyMap<string, Click>): Promise<void> {
  const { rows } = await test.db.query<{
    clickId: string;
    clickedAt: Date;
    verdict: string;
    tag: string;
    province: string;
  }>(`select click_id as "clickId", clicked_at as "clickedAt", verdict, tag, province from clicks`);
  const stored = new Map(rows.map((row) => [row.clickId, row]));
  for (const [clickId, { clickedAt, verdict, tag, province }] of expected) {
    expect(stored.get(clickId)).toEqual({ clickId, clickedAt, verdict, tag: tag ?? null, province: province ?? null });
  }
  const { rollups, shown, uniques } = await findDifferences(test.db);
  expect({ rollups, shown }).toEqual({ rollups: [], shown: [] });
  expect(uniques.kept).toBe(uniques.counted);
}

// Without these a popular link's counts depend on how its clicks happened to be cut into batches.
describe('what is stored follows from the clicks alone', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'where each batch is planned and sent while those before it are being stored (seed %i)',
    async (seed) => {
      const nowMs = Date.now();
      const batches = makeBatches(seed, links, nowMs);
      const { plan, store, entriesOf } = createParts(seed, 'worker', () => new Date(nowMs));
      await store.begin();
      const storing: Promise<StoreResult>[] = [];
      let before: ProjectedState[] = [];
      for (const batch of batches) {
        let planned = await plan(entriesOf(batch), before);
        // Wait for the older of the two in flight; when it was not stored optimistically, the other one cannot be either.
        if ((await storing.at(-2))?.isOptimistic === false) {
          await storing.at(-1);
          before = [];
          planned = await plan(entriesOf(batch), before);
        }
        const storeOptimistic = store.storeOptimistic(planned);
        storeOptimistic.catch(() => undefined);
        const previous = storing.at(-1);
        storing.push(
          (async () => {
            await previous;
            return storeOptimistic.catch(() => store.storeIdempotent(planned));
          })(),
        );
        if (planned.projected !== undefined) before = [...before.slice(-1), planned.projected];
      }
      const results = await Promise.all(storing);
      await expectStored(expectedOf(batches));
      // Both ways were taken, or the test shows nothing.
      expect(results.filter(({ isOptimistic }) => isOptimistic).length).toBeGreaterThan(BATCHES / 4);
      expect(results.filter(({ isOptimistic }) => !isOptimistic).length).toBeGreaterThan(5);
    },
  );

  it.each([9, 10, 11])('where two workers store by turns (seed %i)', async (seed) => {
    const nowMs = Date.now();
    const batches = makeBatches(seed, links, nowMs);
    const workers = ['a', 'b'].map((worker) => createParts(seed, worker, () => new Date(nowMs)));
    const random = createRandom(seed);
    for (const batch of batches) {
      const { plan, storeAlone, entriesOf } = workers[random(2)] ?? createParts(seed, 'c', () => new Date(nowMs));
      await storeAlone(await plan(entriesOf(batch), []));
    }
    await expectStored(expectedOf(batches));
  });

  it('where a worker comes back to a plan that another worker has overtaken', async () => {
    const [first, second] = ['a', 'b'].map((worker) => createParts(9, worker, () => new Date()));
    if (first === undefined || second === undefined) throw new Error('there are two');
    const [linkNumber = 0] = links;
    const visitor = visitorOf(77);
    const [one, two, three] = [0, 1, 2].map((seconds) =>
      makeClickOn(linkNumber, { visitor, clickedAt: new Date(Date.now() - 20 * SECOND + seconds * SECOND) }),
    );
    if (one === undefined || two === undefined || three === undefined) throw new Error('there are three');
    await first.storeAlone(
      await first.plan(first.entriesOf([makeClickOn(linkNumber, { visitor: visitorOf(78) })]), []),
    );
    const asleep = await first.plan(first.entriesOf([two]), []);
    await second.storeAlone(await second.plan(second.entriesOf([one]), []));
    const result = await first.storeAlone(asleep);
    expect(result).toMatchObject({ stored: 1, duplicate: 0, isOptimistic: false });
    await second.storeAlone(await second.plan(second.entriesOf([three, two]), []));
    await expectStored(expectedOf([[one], [two], [three]]));
  });
});
