/** Messages recorded together: what stands afterwards is what would stand had each come alone. */
import * as fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/infra/db.ts';
import { createMessageIntake, type IntakeLimits, type MessageIntake } from '../../src/orders/intake/batch-messages.ts';
import type { IncomingMessage, RecordOutcome } from '../../src/orders/intake/incoming-message.ts';
import { recordMessage } from '../../src/orders/intake/record-messages.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  makeTwinMarket,
  messageFor,
  type PlannedEvent,
  type PlannedMessage,
  readMarket,
  recordDepsOf,
  type TwinMarket,
  unbalanced,
} from './intake-market.ts';

let test: TestDatabase;
/** Of a second process. */
let other: Db;
beforeAll(async () => {
  test = await createTestDatabase({ max: 12 });
  other = createDb({ url: test.url, max: 12, applicationName: 'daihuo-test-other', onError: console.error });
});
afterAll(async () => {
  await other.end();
  await test.drop();
});

interface Counted {
  intake: MessageIntake;
  batches: { messages: number; outcome: string }[];
  turnedAway: string[];
}

function createCounted(db: Db, limits: Partial<IntakeLimits> = {}): Counted {
  const batches: Counted['batches'] = [];
  const turnedAway: string[] = [];
  const metrics = {
    batch: (messages: number, outcome: string) => batches.push({ messages, outcome }),
    turnedAway: (reason: string) => turnedAway.push(reason),
  };
  // The machine of a test may stand still for seconds; only the tests of the limit want one.
  const intake = createMessageIntake({ ...recordDepsOf(db), metrics, limits: { answerWithinMs: 60_000, ...limits } });
  return { intake, batches, turnedAway };
}

const events: fc.Arbitrary<PlannedEvent> = fc.record({
  order: fc.constantFrom('A', 'B', 'C', 'D'),
  type: fc.constantFrom('paid', 'paid', 'received', 'refunded', 'closed'),
  version: fc.integer({ min: 1, max: 3 }),
  link: fc.constantFrom(0, 1, undefined),
  paidFen: fc.constantFrom(19_900, 19_901, 1),
  refundedFen: fc.constantFrom(1, 5_000, 30_000),
});
const messages: fc.Arbitrary<PlannedMessage> = fc.record({
  store: fc.constantFrom(0, 1),
  source: fc.constantFrom('shop', 'youzan'),
  // So few keys that many messages share one, mostly with other content.
  key: fc.integer({ min: 1, max: 25 }).map((number) => `key-${number}`),
  content: fc.integer({ min: 1, max: 2 }),
  events: fc.array(events, { minLength: 1, maxLength: 3 }),
  without: fc.constantFrom(undefined, undefined, undefined, undefined, 'ignored', 'quarantined'),
});
/** Some come twice. */
const withRepeats = (
  planned: readonly { message: PlannedMessage; pauseBefore: number }[],
): { message: PlannedMessage; pauseBefore: number }[] =>
  planned.flatMap((each, place) => (place % 4 === 0 ? [each, { ...each, pauseBefore: 0 }] : [each]));
const arrivals = fc
  .array(fc.record({ message: messages, pauseBefore: fc.nat({ max: 9 }) }), { minLength: 10, maxLength: 60 })
  .map(withRepeats);

async function deliverAll(
  intake: MessageIntake,
  market: TwinMarket,
  planned: readonly { message: PlannedMessage; pauseBefore: number }[],
): Promise<RecordOutcome[]> {
  const outcomes: Promise<RecordOutcome>[] = [];
  for (const { message, pauseBefore } of planned) {
    if (pauseBefore > 7) await sleep(pauseBefore - 7);
    outcomes.push(intake.record(messageFor(market, message)));
  }
  return Promise.all(outcomes);
}

describe('messages recorded together', () => {
  it('have the outcomes and leave the rows that they have and leave when recorded one after the other', async () => {
    let together = 0;
    await fc.assert(
      fc.asyncProperty(arrivals, async (planned) => {
        const [batched, alone] = [await makeTwinMarket(test.db), await makeTwinMarket(test.db)];
        const { intake, batches } = createCounted(test.db, { batchesInFlight: 1 });
        const outcomes = await deliverAll(intake, batched, planned);
        together += batches.filter((batch) => batch.messages > 1).length;
        const expected: RecordOutcome[] = [];
        for (const { message } of planned)
          expected.push(await recordMessage(recordDepsOf(test.db), messageFor(alone, message)));
        expect(outcomes).toEqual(expected);
        expect(await readMarket(test.db, batched)).toEqual(await readMarket(test.db, alone));
        expect(batches.filter(({ outcome }) => outcome === 'split')).toEqual([]);
      }),
      { numRuns: 12, endOnFailure: true },
    );
    expect(together).toBeGreaterThan(12);
    expect(await unbalanced(test.db)).toEqual([]);
  });

  it('by two processes at once, about the same orders, leave what they leave one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, async (arrived) => {
        // Without conflicts, whose winner depends on who comes first.
        const planned = arrived.map(({ message, pauseBefore }) => ({
          message: { ...message, content: 1 },
          pauseBefore,
        }));
        const firstOf = new Map(planned.map((each) => [keyOf(each.message), each]));
        const unique = [...firstOf.values()].filter(
          ({ message: { store, source } }) => (store === 0) === (source === 'shop'),
        );
        const [batched, alone] = [await makeTwinMarket(test.db), await makeTwinMarket(test.db)];
        const [one, two] = [createCounted(test.db), createCounted(other)];
        const answered = await Promise.all([
          deliverAll(one.intake, batched, unique),
          deliverAll(two.intake, batched, unique.toReversed()),
        ]);
        for (const { message } of unique) await recordMessage(recordDepsOf(test.db), messageFor(alone, message));
        expect(await readMarket(test.db, batched)).toEqual(await readMarket(test.db, alone));
        for (const outcomes of answered) expect(outcomes).toHaveLength(unique.length);
      }),
      { numRuns: 12, endOnFailure: true },
    );
    expect(await unbalanced(test.db)).toEqual([]);
  });
});

function keyOf({ store, source, key }: PlannedMessage): string {
  return `${store} ${source} ${key}`;
}

function paidPlan(number: number): PlannedMessage {
  const event = { order: `P-${number}`, type: 'paid', version: 1, link: 0, paidFen: 19_900, refundedFen: 0 } as const;
  return { store: 0, source: 'shop', key: `paid-${number}`, content: 1, events: [event] };
}

async function countOf(market: TwinMarket): Promise<{ messages: bigint; journals: bigint }> {
  const { rows } = await test.db.query<{ messages: bigint; journals: bigint }>(
    `select (select count(*) from inbox_messages m where m.brand_id = $1) as messages,
       (select count(*) from journal_entries j where j.brand_id = $1) as journals`,
    [market.brandId],
  );
  return rows[0] ?? { messages: -1n, journals: -1n };
}

describe('one bad message among 64', () => {
  const good = (market: TwinMarket): IncomingMessage[] =>
    Array.from({ length: 63 }, (_, number) => messageFor(market, paidPlan(number)));

  it('that no program can read fails alone', async () => {
    const market = await makeTwinMarket(test.db);
    const { intake, batches } = createCounted(test.db);
    const bad = messageFor(market, paidPlan(99));
    const event = { type: 'paid', externalOrderId: 'P-99', version: 1n, occurredAt: new Date(Number.NaN) } as const;
    bad.content = { kind: 'events', events: [{ event, notes: {} }] };
    const copies = good(market).map((message) => intake.record(message));
    const settled = await Promise.allSettled([...copies, intake.record(bad)]);
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(settled.at(-1)?.status).toBe('rejected');
    expect(batches.some(({ outcome }) => outcome === 'split')).toBe(true);
    expect(await countOf(market)).toEqual({ messages: 63n, journals: 63n });
  });

  it('that Postgres refuses at COMMIT fails alone, and is taken when it comes again', async () => {
    const market = await makeTwinMarket(test.db);
    const { intake } = createCounted(test.db);
    await test.db.query(`
      create function refuse_bad() returns trigger language plpgsql as $$ begin
        if new.message_key = 'paid-99' then raise exception 'refused at COMMIT'; end if; return null; end $$;
      create constraint trigger refuse_bad after insert on inbox_messages
        deferrable initially deferred for each row execute function refuse_bad();`);
    const bad = messageFor(market, paidPlan(99));
    const settled = await Promise.allSettled([...good(market), bad].map((message) => intake.record(message)));
    await test.db.query('drop trigger refuse_bad on inbox_messages; drop function refuse_bad;');
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(settled.at(-1)).toMatchObject({ status: 'rejected', reason: { message: 'refused at COMMIT' } });
    expect(await countOf(market)).toEqual({ messages: 63n, journals: 63n });
    expect(await intake.record(bad)).toBe('applied');
  });

  it('whose order another transaction holds waits alone, and its sender is asked in time to send it again', async () => {
    const market = await makeTwinMarket(test.db);
    const { intake, turnedAway } = createCounted(test.db, { batchLockMs: 100, answerWithinMs: 4_000 });
    const held = messageFor(market, paidPlan(99));
    await intake.record(held);
    const holder = await test.db.connect();
    await holder.query('begin');
    await holder.query('select o.id from orders o where o.brand_id = $1 for update', [market.brandId]);
    const again = { ...held, messageKey: 'paid-99-again' };
    const answers = Promise.allSettled([...good(market), again].map((message) => intake.record(message)));
    const settled = await answers;
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(settled.at(-1)).toMatchObject({
      reason: { name: 'IntakeBusyError', message: expect.stringContaining('in time') },
    });
    expect(turnedAway).toEqual(['late']);
    await holder.query('rollback');
    holder.release();
    await intake.settle();
    expect(await countOf(market)).toEqual({ messages: 65n, journals: 64n });
  });
});

describe('an intake', () => {
  it('turns senders away at once when too many wait, and takes them again afterwards', async () => {
    const market = await makeTwinMarket(test.db);
    const { intake, turnedAway } = createCounted(test.db, { waitingMessages: 10, batchesInFlight: 1 });
    const settled = await Promise.allSettled(
      Array.from({ length: 13 }, (_, number) => intake.record(messageFor(market, paidPlan(number)))),
    );
    const refused = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(refused).toHaveLength(3);
    for (const reason of refused) {
      expect(reason).toMatchObject({ name: 'IntakeBusyError', message: expect.stringContaining('Too many messages') });
    }
    expect(turnedAway).toEqual(['full', 'full', 'full']);
    expect(await intake.record(messageFor(market, paidPlan(12)))).toBe('applied');
  });

  it('that cannot reach Postgres fails every message of the batch once, and does not ask for each', async () => {
    const market = await makeTwinMarket(test.db);
    const away = createDb({
      url: 'postgres://nobody:nothing@127.0.0.1:1/none',
      applicationName: 'daihuo-test-away',
      onError: () => undefined,
    });
    let asked = 0;
    const counting = new Proxy(away, {
      get: (target, key) => {
        if (key === 'connect') asked += 1;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const { intake } = createCounted(counting);
    const settled = await Promise.allSettled(
      Array.from({ length: 12 }, (_, number) => intake.record(messageFor(market, paidPlan(number)))),
    );
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    expect(asked).toBe(1);
    await away.end();
  });

  it('is settled only when nothing waits and nothing is under way', async () => {
    const market = await makeTwinMarket(test.db);
    const { intake } = createCounted(test.db);
    const answers = Array.from({ length: 40 }, (_, number) => intake.record(messageFor(market, paidPlan(number))));
    await intake.settle();
    expect(await countOf(market)).toEqual({ messages: 40n, journals: 40n });
    expect(await Promise.all(answers)).toEqual(Array(40).fill('applied'));
  });
});
