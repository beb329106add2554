/** How often a message waits for Postgres: each round trip keeps its sender waiting and the locks of its orders held. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Db, Tx } from '../../src/infra/db.ts';
import { recordMessage } from '../../src/orders/intake/record-messages.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  makeTwinMarket,
  messageFor,
  type PlannedEvent,
  type PlannedMessage,
  recordDepsOf,
  type TwinMarket,
} from './intake-market.ts';

let test: TestDatabase;
let market: TwinMarket;
beforeAll(async () => {
  test = await createTestDatabase();
  market = await makeTwinMarket(test.db);
});
afterAll(async () => test.drop());

/** The statements of each round trip: those sent before any answer to one of them came back. */
function watched(): { db: Db; trips: string[][] } {
  const trips: string[][] = [];
  let isAnswered = true;
  const watch = (tx: Tx): Tx =>
    new Proxy(tx, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (key !== 'query') return typeof value === 'function' ? value.bind(target) : value;
        return async (query: string | { name?: string; text: string }, values?: unknown[]) => {
          if (isAnswered) trips.push([]);
          isAnswered = false;
          trips.at(-1)?.push(typeof query === 'string' ? query : (query.name ?? query.text));
          const answer: unknown = await target.query(query as string, values);
          isAnswered = true;
          return answer;
        };
      },
    });
  const db = new Proxy(test.db, {
    get: (target, key) => {
      if (key === 'connect') return async () => watch(await target.connect());
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { db, trips };
}

const paid: PlannedEvent = { order: 'P', type: 'paid', version: 1, link: 0, paidFen: 19_900, refundedFen: 0 };
const plan = (key: string, event: PlannedEvent): PlannedMessage => {
  return { store: 0, source: 'shop', key, content: 1, events: [event] };
};

async function tripsOf(message: PlannedMessage): Promise<string[][]> {
  const { db, trips } = watched();
  await recordMessage(recordDepsOf(db), messageFor(market, message));
  return trips;
}

const RECORD_AND_LOOK_UP = [
  'begin',
  'set_batch_mode',
  'insert_messages',
  'lock_orders_by_key',
  'list_stored_events',
  'list_stored_lines_of_orders',
];
const NAMED = [
  'list_products_by_item_keys',
  'find_drained_to',
  'list_click_rows',
  'list_links_by_number',
  'list_terms_of_scopes',
  'list_policies',
  'list_splits_of_links',
];

it('a new order takes three: record and look up, write, COMMIT', async () => {
  expect(await tripsOf(plan('new', { ...paid, order: 'new' }))).toEqual([
    [...RECORD_AND_LOOK_UP, ...NAMED],
    ['write_lines', 'upsert_frozen', 'insert_entries'],
    ['commit'],
  ]);
});

it('a refund of a known order takes four: what its earlier messages name is looked up in between', async () => {
  await tripsOf(plan('paid', paid));
  expect(await tripsOf(plan('refund', { ...paid, type: 'refunded', refundedFen: 5_000 }))).toEqual([
    [...RECORD_AND_LOOK_UP, 'find_drained_to'],
    [...NAMED, 'list_booked'],
    ['write_lines', 'insert_entries'],
    ['commit'],
  ]);
});

it('a repeat takes three, and writes nothing', async () => {
  const message = plan('twice', { ...paid, order: 'twice' });
  await tripsOf(message);
  expect(await tripsOf(message)).toEqual([[...RECORD_AND_LOOK_UP, ...NAMED], ['list_messages'], ['commit']]);
});
