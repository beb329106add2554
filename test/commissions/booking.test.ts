import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { priceAndBookLines } from '../../src/commissions/pricing/book-lines.ts';
import { holdLine, unholdLine } from '../../src/commissions/release/hold.ts';
import { postEntries } from '../../src/ledger/post/post-entries.ts';
import { releaseDueLines } from '../../src/commissions/release/release.ts';
import { readBookableLines } from '../../src/commissions/pricing/stored-lines.ts';
import { repriceLine } from '../../src/commissions/reprice/reprice-line.ts';
import { addTermsVersion, createTerms } from '../../src/commissions/terms/add-terms.ts';
import { getRateCard } from '../../src/commissions/terms/rate-cards.ts';
import { inTransaction } from '../../src/infra/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  book,
  type Catalog,
  credit,
  entriesOf,
  insertCatalog,
  insertLine,
  payOut,
  receive,
  refund,
} from './fixtures.ts';

let test: TestDatabase;
let catalog: Catalog;
let payee: string;
let nextLine = 0;

beforeAll(async () => {
  test = await createTestDatabase();
  catalog = await insertCatalog(test.db, 'booking');
  payee = catalog.linPayee;
});
afterAll(async () => {
  await test.drop();
});

const DAY_MS = 86_400_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);

/** A line of 199.00 yuan of product A, credited to Lin and booked. */
async function soldLine(paidAt = daysAgo(40)): Promise<string> {
  nextLine += 1;
  const lineId = `lin_b${nextLine}`;
  await insertLine(test.db, catalog, {
    lineId,
    orderId: `ord_b${nextLine}`,
    productId: catalog.productA,
    paidFen: 19_900n,
    paidAt,
  });
  await credit(test.db, lineId, catalog.links.linA);
  await book(test.db, [lineId]);
  return lineId;
}

async function frozenOf(lineId: string): Promise<Record<string, unknown> | undefined> {
  const { rows } = await test.db.query<Record<string, unknown>>('select * from priced_lines where line_id = $1', [
    lineId,
  ]);
  return rows[0];
}

describe('booking', () => {
  it('199.00 at 15 % accrues 29.85, and booking again posts nothing', async () => {
    const lineId = await soldLine();
    await book(test.db, [lineId]);
    expect(await entriesOf(test.db, lineId)).toEqual([
      `booking brand_owes ${payee} 2985`,
      `booking pending ${payee} -2985`,
    ]);
  });

  it('a refund of 50.00 leaves 22.35, and carries what it took as reversed', async () => {
    const lineId = await soldLine();
    await refund(test.db, lineId, 5000n);
    await book(test.db, [lineId]);
    expect((await entriesOf(test.db, lineId)).slice(2)).toEqual([
      `booking brand_owes ${payee} -750`,
      `booking pending ${payee} 750`,
    ]);
    const { rows } = await test.db.query(
      `select sum(e.reversed_delta_fen)::bigint as "reversedFen", sum(l.refunded_delta_fen)::bigint as "any"
       from entry_lines l join postings e on e.entry_id = l.entry_id where l.line_id = $1`,
      [lineId],
    );
    expect(rows[0]).toMatchObject({ reversedFen: 750n });
  });

  it('a line that is not attributed any more is taken back whole, its count and the buyer’s money too', async () => {
    const lineId = await soldLine();
    await credit(test.db, lineId, undefined);
    await book(test.db, [lineId]);
    const { rows } = await test.db.query(
      `select sum(l.lines_delta)::integer as lines, sum(l.paid_delta_fen)::bigint as paid from entry_lines l where l.line_id = $1`,
      [lineId],
    );
    expect(rows[0]).toEqual({ lines: 0, paid: 0n });
    expect((await entriesOf(test.db, lineId)).slice(2)).toEqual([
      `booking brand_owes ${payee} -2985`,
      `booking pending ${payee} 2985`,
    ]);
  });

  it('a line never attributed leaves no trace in the books', async () => {
    const lineId = 'lin_never';
    await insertLine(test.db, catalog, {
      lineId,
      orderId: 'ord_never',
      productId: null,
      paidFen: 100n,
      paidAt: daysAgo(1),
    });
    await book(test.db, [lineId]);
    expect(await entriesOf(test.db, lineId)).toEqual([]);
    expect(await frozenOf(lineId)).toBeUndefined();
  });

  it('an attributed line that earns 0 still counts, with the buyer’s money', async () => {
    const lineId = 'lin_gift';
    await insertLine(test.db, catalog, {
      lineId,
      orderId: 'ord_gift',
      productId: catalog.productA,
      paidFen: 3n,
      paidAt: daysAgo(1),
    });
    await credit(test.db, lineId, catalog.links.linA);
    await book(test.db, [lineId]);
    const { rows } = await test.db.query(
      'select l.lines_delta as lines, l.paid_delta_fen as paid from entry_lines l where l.line_id = $1',
      [lineId],
    );
    expect(rows).toEqual([{ lines: 1, paid: 3n }]);
    expect(await entriesOf(test.db, lineId)).toEqual([]);
  });

  it('the agency and the operator get their shares in cascade, and a line without product is priced by that of its link', async () => {
    const shared = await insertCatalog(test.db, 'shared', { platformFeeBp: 1000 });
    const lineId = 'lin_shared';
    await insertLine(test.db, shared, {
      lineId,
      orderId: 'ord_shared',
      productId: null,
      paidFen: 19_900n,
      paidAt: daysAgo(1),
    });
    await credit(test.db, lineId, shared.links.meiA);
    await book(test.db, [lineId]);
    // 2985: fee 10 % half up 299 (298.5), of the rest 2686 the agency 20 % 537 (537.2), the influencer 2149.
    expect(new Set(await entriesOf(test.db, lineId))).toEqual(
      new Set([
        'booking brand_owes pye_operator 299',
        'booking fee_pending pye_operator -299',
        `booking brand_owes ${shared.agencyPayee} 537`,
        `booking pending ${shared.agencyPayee} -537`,
        `booking brand_owes ${shared.meiPayee} 2149`,
        `booking pending ${shared.meiPayee} -2149`,
      ]),
    );
    expect(await frozenOf(lineId)).toMatchObject({ product_id: shared.productA, agency_share_bp: 2000 });
  });

  it('a line given to another influencer moves, and is priced by that influencer’s split', async () => {
    const lineId = await soldLine();
    await credit(test.db, lineId, catalog.links.meiA, { method: 'manual' });
    await book(test.db, [lineId]);
    const postings = await entriesOf(test.db, lineId);
    expect(postings.slice(2, 4)).toEqual([`booking brand_owes ${payee} -2985`, `booking pending ${payee} 2985`]);
    expect(new Set(postings.slice(4))).toEqual(
      new Set([
        `booking brand_owes ${catalog.agencyPayee} 597`,
        `booking pending ${catalog.agencyPayee} -597`,
        `booking brand_owes ${catalog.meiPayee} 2388`,
        `booking pending ${catalog.meiPayee} -2388`,
      ]),
    );
  });

  it('a journal that does not sum to 0 is refused at COMMIT, and nothing of it stays', async () => {
    const lopsided = inTransaction(test.db, (tx) =>
      postEntries(tx, [
        {
          brandId: catalog.brandId,
          kind: 'receipt',
          lineEntries: [],
          postings: [{ payeeId: payee, account: 'cash', amountFen: 1n, reversedFen: 0n }],
        },
      ]),
    );
    await expect(lopsided).rejects.toThrow(/does not balance/);
    const { rows } = await test.db.query(`select count(*) as n from journal_entries where kind = 'receipt'`);
    expect(rows[0]).toEqual({ n: 0n });
  });

  it('journals cannot be changed or deleted', async () => {
    await soldLine();
    await expect(test.db.query(`update postings set amount_fen = 1`)).rejects.toThrow(/append-only/);
    await expect(test.db.query(`delete from journal_entries`)).rejects.toThrow(/append-only/);
  });
});

describe('frozen terms', () => {
  it('new terms never change a line that is booked: its refunds are priced by its copy', async () => {
    const own = await insertCatalog(test.db, 'frozen');
    const line = { lineId: 'lin_frozen', orderId: 'ord_frozen', productId: own.productA, paidFen: 10_000n };
    await insertLine(test.db, own, { ...line, paidAt: daysAgo(10) });
    await credit(test.db, line.lineId, own.links.linA);
    await book(test.db, [line.lineId]);
    const begin = {
      brandId: own.brandId,
      scope: { productId: own.productA },
      createdBy: 'test',
      validFrom: daysAgo(20),
    };
    await inTransaction(test.db, (tx) => addTermsVersion(tx, { ...begin, rate: { rateBp: 5000 } }));
    await refund(test.db, line.lineId, 5000n);
    await book(test.db, [line.lineId]);
    expect(await entriesOf(test.db, line.lineId)).toEqual([
      `booking brand_owes ${own.linPayee} 1500`,
      `booking pending ${own.linPayee} -1500`,
      `booking brand_owes ${own.linPayee} -750`,
      `booking pending ${own.linPayee} 750`,
    ]);
  });

  it('terms are chosen anew when the product of the line changes, and kept once it is released', async () => {
    const own = await insertCatalog(test.db, 'refreeze', { holdDays: 0 });
    const begin = {
      brandId: own.brandId,
      scope: { productId: own.productB },
      createdBy: 'test',
      validFrom: daysAgo(90),
    };
    await inTransaction(test.db, (tx) => addTermsVersion(tx, { ...begin, rate: { flatFen: 100n }, holdDays: 0 }));
    const lineId = 'lin_refreeze';
    await insertLine(test.db, own, {
      lineId,
      orderId: 'ord_refreeze',
      productId: own.productA,
      paidFen: 10_000n,
      paidAt: daysAgo(9),
    });
    await credit(test.db, lineId, own.links.linA);
    await book(test.db, [lineId]);
    expect(await frozenOf(lineId)).toMatchObject({ rate_bp: 1500, flat_fen: null });

    await test.db.query('update order_lines set product_id = $2 where id = $1', [lineId, own.productB]);
    await receive(test.db, lineId, daysAgo(8));
    await book(test.db, [lineId]);
    expect(await frozenOf(lineId)).toMatchObject({ rate_bp: null, flat_fen: 100n });
    expect(await releaseDueLines(test.db)).toBe(1);

    await test.db.query('update order_lines set product_id = $2 where id = $1', [lineId, own.productA]);
    await book(test.db, [lineId]);
    expect(await frozenOf(lineId)).toMatchObject({ rate_bp: null, flat_fen: 100n });
  });

  it('a released line keeps its dimensions: a later payment time or tag moves no total', async () => {
    const own = await insertCatalog(test.db, 'dims', { holdDays: 0 });
    const lineId = 'lin_dims';
    await insertLine(test.db, own, {
      lineId,
      orderId: 'ord_dims',
      productId: own.productA,
      paidFen: 10_000n,
      paidAt: daysAgo(9),
    });
    await credit(test.db, lineId, own.links.linA, { tag: 'v1' });
    await receive(test.db, lineId, daysAgo(8));
    await book(test.db, [lineId]);
    await releaseDueLines(test.db);
    const before = await entriesOf(test.db, lineId);
    await credit(test.db, lineId, own.links.linA, { tag: 'v2', method: 'code' });
    await test.db.query('update orders set paid_at = $2 where id = $1', ['ord_dims', daysAgo(7)]);
    await book(test.db, [lineId]);
    expect(await entriesOf(test.db, lineId)).toEqual(before);

    await credit(test.db, lineId, own.links.meiA, { method: 'manual' });
    await book(test.db, [lineId]);
    const postings = (await entriesOf(test.db, lineId)).slice(before.length);
    expect(postings.slice(0, 2)).toEqual([
      `booking brand_owes ${own.linPayee} -1500`,
      `booking payable ${own.linPayee} 1500`,
    ]);
    expect(postings).toContain(`booking payable ${own.meiPayee} -1200`);
  });
});

describe('release', () => {
  it('moves a line from pending to payable when its hold is over, once, and a later refund comes off payable', async () => {
    const lineId = await soldLine();
    await receive(test.db, lineId, daysAgo(16));
    await book(test.db, [lineId]);
    const counts = await Promise.all([releaseDueLines(test.db), releaseDueLines(test.db), releaseDueLines(test.db)]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1);
    await refund(test.db, lineId, 5000n);
    await book(test.db, [lineId]);
    expect((await entriesOf(test.db, lineId)).slice(2)).toEqual([
      `release pending ${payee} 2985`,
      `release payable ${payee} -2985`,
      `booking brand_owes ${payee} -750`,
      `booking payable ${payee} 750`,
    ]);
  });

  it('releases nothing before its time, without receipt, with a refund open, under a hold, or without attribution', async () => {
    const [early, unreceived, disputed, held, lost] = await Promise.all([1, 2, 3, 4, 5].map(() => soldLine()));
    const ids = [early, unreceived, disputed, held, lost].map((id) => id ?? '');
    for (const id of ids) if (id !== unreceived) await receive(test.db, id, daysAgo(16));
    await receive(test.db, early ?? '', daysAgo(14.99));
    await test.db.query('update order_lines set refund_open = true where id = $1', [disputed]);
    await book(test.db, ids);
    const by = { brandScope: undefined, actor: 'test' };
    expect(await holdLine(test.db, by, { lineId: held ?? '', note: 'self-buy?' })).toEqual({ ok: true });
    await credit(test.db, lost ?? '', undefined);
    expect(await releaseDueLines(test.db)).toBe(0);

    await test.db.query('update order_lines set refund_open = false where id = $1', [disputed]);
    expect(await unholdLine(test.db, by, held ?? '')).toEqual({ ok: true });
    expect(await releaseDueLines(test.db, { batchLines: 1 })).toBe(2);
  });

  it('holds, repricing and terms refuse by name, and a refused call has written nothing', async () => {
    const acting = { brandScope: undefined, actor: 'test' };
    const bare = 'lin_refused';
    await insertLine(test.db, catalog, {
      lineId: bare,
      orderId: 'ord_refused',
      productId: null,
      paidFen: 5n,
      paidAt: daysAgo(1),
    });
    const earning = await soldLine();
    const countRows = async (): Promise<unknown> => {
      const { rows } = await test.db.query(
        `select (select count(*) from journal_entries) as entries, (select count(*) from audit_log) as audit,
           (select jsonb_agg(to_jsonb(t) order by t.id) from terms t) as terms,
           (select count(*) from priced_lines where hold_note is not null) as held`,
      );
      return rows[0];
    };
    const before = await countRows();
    const note = 'x';
    const version = { brandId: undefined, scope: { storeId: catalog.storeId }, rate: { rateBp: 1 }, now: new Date() };
    const backdating = { ...acting, mayBackdate: true };
    const refusals = [
      await holdLine(test.db, acting, { lineId: 'lin_none', note }),
      await holdLine(test.db, { ...acting, brandScope: 'brd_other' }, { lineId: earning, note }),
      await holdLine(test.db, acting, { lineId: bare, note }),
      await unholdLine(test.db, acting, earning),
      await repriceLine(test.db, acting, { lineId: 'lin_none', note }),
      await repriceLine(test.db, acting, { lineId: bare, note }),
      await createTerms(test.db, backdating, { ...version, scope: {}, validFrom: undefined }),
      await createTerms(test.db, { ...acting, mayBackdate: false }, { ...version, validFrom: daysAgo(1) }),
      await createTerms(test.db, backdating, { ...version, validFrom: daysAgo(1), validTo: daysAgo(2) }),
      await createTerms(test.db, { ...backdating, brandScope: 'brd_other' }, { ...version, validFrom: undefined }),
      await createTerms(test.db, backdating, { ...version, validFrom: new Date('2026-01-01T00:00:00Z') }),
    ];
    expect(refusals.map((outcome) => (outcome.ok ? 'done' : outcome.reason))).toEqual([
      'unknown_line',
      'unknown_line',
      'never_earned',
      'not_held',
      'unknown_line',
      'earns_nothing',
      'no_brand',
      'begins_in_past',
      'ends_before_it_begins',
      'unknown_scope',
      'overlap',
    ]);
    expect(await countRows()).toEqual(before);
  });

  it('a hold on a payable line takes it back to pending until the hold is taken off', async () => {
    const lineId = await soldLine();
    await receive(test.db, lineId, daysAgo(16));
    await book(test.db, [lineId]);
    await releaseDueLines(test.db);
    const by = { brandScope: undefined, actor: 'test' };
    expect(await holdLine(test.db, by, { lineId, note: 'asked the shop' })).toEqual({ ok: true });
    expect(await releaseDueLines(test.db)).toBe(0);
    expect(await unholdLine(test.db, by, lineId)).toEqual({ ok: true });
    expect(await releaseDueLines(test.db)).toBe(1);
    expect((await entriesOf(test.db, lineId)).slice(4)).toEqual([
      `release pending ${payee} -2985`,
      `release payable ${payee} 2985`,
      `release pending ${payee} 2985`,
      `release payable ${payee} -2985`,
    ]);
    const { rows } = await test.db.query('select action from audit_log where subject = $1 order by id', [lineId]);
    expect(rows).toEqual([{ action: 'line.held' }, { action: 'line.released' }]);
  });

  it('a released line that loses its attribution is not released any more: earning again, it waits again', async () => {
    const lineId = await soldLine();
    await receive(test.db, lineId, daysAgo(16));
    await book(test.db, [lineId]);
    await releaseDueLines(test.db);
    await credit(test.db, lineId, undefined);
    await book(test.db, [lineId]);
    expect(await frozenOf(lineId)).toMatchObject({ released_at: null, payable_at: null });
    await credit(test.db, lineId, catalog.links.linA);
    await book(test.db, [lineId]);
    expect(await frozenOf(lineId)).toMatchObject({ released_at: null });
    expect(await releaseDueLines(test.db)).toBe(1);
  });

  it('a line that was paid out and is then refunded books debt, never touches the payout, and the next payout nets it', async () => {
    const own = await insertCatalog(test.db, 'debt', { holdDays: 0 });
    const sell = async (lineId: string, paidFen: bigint): Promise<void> => {
      const orderId = lineId.replace('lin', 'ord');
      await insertLine(test.db, own, { lineId, orderId, productId: own.productA, paidFen, paidAt: daysAgo(9) });
      await credit(test.db, lineId, own.links.linA);
      await receive(test.db, lineId, daysAgo(8));
      await book(test.db, [lineId]);
      await releaseDueLines(test.db);
    };
    await sell('lin_debt1', 19_900n);
    const lin = { brandId: own.brandId, payeeId: own.linPayee };
    expect(await payOut(test.db, lin)).toBe(2985n);
    await refund(test.db, 'lin_debt1', 5000n);
    await book(test.db, ['lin_debt1']);
    expect((await entriesOf(test.db, 'lin_debt1')).slice(8)).toEqual([
      `booking brand_owes ${own.linPayee} -750`,
      `booking debt ${own.linPayee} 750`,
    ]);
    // 66.67 at 15 % is 10.00: 7.50 of it is netted, 2.50 is paid.
    await sell('lin_debt2', 6667n);
    expect(await payOut(test.db, lin)).toBe(250n);
    expect((await entriesOf(test.db, 'lin_debt1')).at(-1)).toBe(`payout_lock debt ${own.linPayee} -750`);
  });
});

describe('at once', () => {
  it('twenty bookings and releases of one line at the same time book it once', async () => {
    const lineId = await soldLine();
    await receive(test.db, lineId, daysAgo(16));
    await Promise.all(
      Array.from({ length: 20 }, (_, turn) => (turn % 4 === 0 ? releaseDueLines(test.db) : book(test.db, [lineId]))),
    );
    await releaseDueLines(test.db);
    const sums = new Map<string, bigint>();
    for (const text of await entriesOf(test.db, lineId)) {
      const [, account = '', , amount = '0'] = text.split(' ');
      sums.set(account, (sums.get(account) ?? 0n) + BigInt(amount));
    }
    expect(Object.fromEntries(sums)).toEqual({ brand_owes: 2985n, pending: 0n, payable: -2985n });
  });

  it('a line without terms for it earns nothing, and its booking writes nothing', async () => {
    const lineId = 'lin_noterms';
    await insertLine(test.db, catalog, {
      lineId,
      orderId: 'ord_noterms',
      productId: catalog.productA,
      paidFen: 100n,
      paidAt: daysAgo(1),
    });
    await credit(test.db, lineId, catalog.links.linA);
    await inTransaction(test.db, async (tx) => {
      const empty = await getRateCard(tx, { brandId: catalog.brandId, storeIds: [], productIds: [] });
      await priceAndBookLines(tx, await readBookableLines(tx, [lineId]), new Map([[catalog.brandId, empty]]));
    });
    expect(await frozenOf(lineId)).toBeUndefined();
  });
});
