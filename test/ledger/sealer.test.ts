import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postEntries } from '../../src/ledger/post/post-entries.ts';
import { sealEntries } from '../../src/ledger/seal/sealer.ts';
import { verify } from '../../src/verify.ts';
import { createDb, inTransaction } from '../../src/infra/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Catalog, insertCatalog } from '../commissions/fixtures.ts';
import { waitUntil } from '../support/timing.ts';

let test: TestDatabase;
let brands: Catalog[];

beforeAll(async () => {
  test = await createTestDatabase({ max: 20 });
  brands = [await insertCatalog(test.db, 'one'), await insertCatalog(test.db, 'two')];
});
afterAll(async () => {
  await test.drop();
});

/** Posts a receipt of one brand: the smallest journal there is. */
async function post(turn: number): Promise<void> {
  const brand = brands[turn % brands.length];
  if (brand === undefined) throw new Error('no brand');
  await inTransaction(test.db, async (tx) => {
    const entry = (account: 'cash' | 'brand_owes', amountFen: bigint) => ({
      payeeId: brand.linPayee,
      account,
      amountFen,
      reversedFen: 0n,
    });
    await postEntries(tx, [
      {
        brandId: brand.brandId,
        kind: 'receipt',
        lineEntries: [],
        postings: [entry('cash', 1n), entry('brand_owes', -1n)],
      },
    ]);
    // Some commit later than journals posted after them.
    if (turn % 5 === 0) await tx.query('select pg_sleep(0.02)');
  });
}

async function seals(): Promise<{ brandId: string; sequence: bigint; sealedAt: string }[]> {
  const { rows } = await test.db.query<{ brandId: string; sequence: bigint; sealedAt: string }>(
    `select brand_id as "brandId", sequence, sealed_at::text as "sealedAt" from entry_seals order by brand_id, sequence`,
  );
  return rows;
}

/** Kills the doomed sealer if it is waiting for a lock; answers how many were. */
async function killWaiting(): Promise<number | undefined> {
  const { rows } = await test.db.query<{ n: number }>(
    `select count(pg_terminate_backend(a.pid))::integer as n from pg_stat_activity a
     where a.application_name = 'doomed-sealer' and a.wait_event_type = 'Lock'`,
  );
  return rows[0]?.n;
}

async function sealCheck(): Promise<{ ok: boolean; problems: string[] }> {
  const check = (await verify(test.db)).checks.find(({ name }) => name.startsWith('seals'));
  if (check === undefined) throw new Error('verify checks the seals');
  return check;
}

describe('the sealer', () => {
  it('beside posters, beside another sealer, seals every journal once, without a gap, in one verifying chain a brand', async () => {
    const posting = new AbortController();
    const sealing = [1, 2, 3].map(async () => {
      let sealed = 0;
      while (!posting.signal.aborted) sealed += await sealEntries(test.db, { batchEntries: 3 });
      return sealed;
    });
    await Promise.all(
      Array.from({ length: 8 }, async (_, poster) => {
        for (let turn = 0; turn < 15; turn += 1) await post(poster * 15 + turn);
      }),
    );
    posting.abort();
    const counts = await Promise.all(sealing);
    const rest = await sealEntries(test.db);
    expect(counts.reduce((sum, count) => sum + count, rest)).toBe(120);

    const all = await seals();
    for (const { brandId } of brands) {
      const own = all.filter((seal) => seal.brandId === brandId);
      expect(own.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 60 }, (_, n) => BigInt(n + 1)));
      expect(own.map(({ sealedAt }) => sealedAt).toSorted()).toEqual(own.map(({ sealedAt }) => sealedAt));
    }
    expect(await sealCheck()).toMatchObject({ ok: true, problems: [] });
  });

  it('a sealer that dies before COMMIT leaves nothing, and the next one goes on where the chain stood', async () => {
    const before = await seals();
    await post(0);
    await post(1);
    const doomed = createDb({ url: test.url, applicationName: 'doomed-sealer', onError: () => {} });
    await inTransaction(test.db, async (tx) => {
      // The sealer has read the queue and the chain, and waits to write when its connection is killed.
      await tx.query('lock table entry_seals in share row exclusive mode');
      const dying = sealEntries(doomed).then(
        () => 'sealed',
        () => 'died',
      );
      await waitUntil(async () => expect(await killWaiting()).toBe(1));
      expect(await dying).toBe('died');
    });
    await doomed.end();
    expect(await seals()).toEqual(before);
    await sealEntries(test.db);
    const after = await seals();
    expect(after.length).toBe(before.length + 2);
    expect(await sealCheck()).toMatchObject({ ok: true, problems: [] });
  });

  it('never seals with a time it has passed, also when the clock was set back', async () => {
    await test.db.query(`update sealer_state set sealed_through = sealed_through + interval '1 hour'`);
    await post(0);
    await sealEntries(test.db);
    const { rows } = await test.db.query(
      `select max(s.sealed_at) = (select t.sealed_through from sealer_state t) as same, max(s.sealed_at) > now() + interval '59 minutes' as later
       from entry_seals s`,
    );
    expect(rows[0]).toEqual({ same: true, later: true });
    await post(1);
    await sealEntries(test.db);
    const { rows: last } = await test.db.query(
      `select count(distinct s.sealed_at) as times from entry_seals s where s.sealed_at > now() + interval '59 minutes'`,
    );
    expect(last[0]).toEqual({ times: 2n });
  });

  it('an altered journal and a missing seal are found and named', async () => {
    const tamper = async (sql: string): Promise<string[]> => {
      await test.db.query(`alter table postings disable trigger user; alter table entry_seals disable trigger user`);
      await test.db.query(sql);
      return (await sealCheck()).problems;
    };
    const altered = await tamper(
      `update postings set amount_fen = amount_fen * 2
       where entry_id = (select entry_id from entry_seals where sequence = 2 order by brand_id limit 1)`,
    );
    expect(altered).toEqual([expect.stringMatching(/^brd_one: the hash of seal 2 /)]);
    const removed = await tamper(`delete from entry_seals where brand_id = 'brd_two' and sequence = 5`);
    expect(removed.some((problem) => problem.startsWith('brd_two: seal 6 follows 4'))).toBe(true);
    expect(removed.some((problem) => problem.includes('neither sealed nor waiting'))).toBe(true);
  });
});
