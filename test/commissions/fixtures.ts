import { priceAndBookLines } from '../../src/commissions/pricing/book-lines.ts';
import { listBooked } from '../../src/ledger/positions/queries.ts';
import { postEntries } from '../../src/ledger/post/post-entries.ts';
import { readBookableLines } from '../../src/commissions/pricing/stored-lines.ts';
import { getRateCard } from '../../src/commissions/terms/rate-cards.ts';
import { balanceOf, sumLineEntries } from '../../src/core/money/accounts.ts';
import { lockPayout, markPaid } from '../../src/core/money/payout-postings.ts';
import type { Db } from '../../src/infra/db.ts';
import { inTransaction } from '../../src/infra/db.ts';
import {
  insertAgency,
  insertBrand,
  insertInfluencers,
  insertPolicies,
  insertProducts,
  insertStore,
  insertTerms,
} from '../support/market.ts';
import { insertLinks, insertOrder, type LinkInput } from '../support/promotion.ts';

/** The ids of one brand with two products, promoted by two influencers over four links. */
export interface Catalog {
  brandId: string;
  storeId: string;
  productA: string;
  productB: string;
  lin: string;
  mei: string;
  linPayee: string;
  meiPayee: string;
  agencyPayee: string;
  /** Influencer and product, such as `lin A`. */
  links: Record<'linA' | 'linB' | 'meiA' | 'meiB', string>;
}

/** Before every order of these tests, and after the instants that ask for terms before the first ones. */
const VALID_FROM = new Date('2026-01-01T00:00:00Z');

/**
 * A brand whose store gives 15 % (1,500 bp) with a hold of 15 days. Lin has no agency; Mei's agency takes 20 %.
 *
 * @param name  makes the ids its own, lower-case letters
 */
export async function insertCatalog(
  db: Db,
  name: string,
  options: { platformFeeBp?: number; rateBp?: number; holdDays?: number } = {},
): Promise<Catalog> {
  const id = (prefix: string, part: string): string => `${prefix}_${name}${part}`;
  const catalog: Catalog = {
    brandId: id('brd', ''),
    storeId: id('str', ''),
    productA: id('prd', 'a'),
    productB: id('prd', 'b'),
    lin: id('inf', 'lin'),
    mei: id('inf', 'mei'),
    linPayee: id('pye', 'lin'),
    meiPayee: id('pye', 'mei'),
    agencyPayee: id('pye', 'agency'),
    links: { linA: id('lnk', 'lina'), linB: id('lnk', 'linb'), meiA: id('lnk', 'meia'), meiB: id('lnk', 'meib') },
  };
  const { brandId, storeId, productA, productB, lin, mei, linPayee, meiPayee, agencyPayee, links } = catalog;
  await insertBrand(db, { brandId, name: brandId });
  await insertPolicies(db, [
    { brandId, inferred: 'pay', platformFeeBp: options.platformFeeBp ?? 0, validFrom: VALID_FROM },
  ]);
  await insertInfluencers(db, [
    { influencerId: lin, payeeId: linPayee, name: 'Lin' },
    { influencerId: mei, payeeId: meiPayee, name: 'Mei' },
  ]);
  await insertAgency(db, { influencerId: mei, payeeId: agencyPayee });
  await insertStore(db, { brandId, storeId, platform: 'youzan' });
  const store = { brandId, storeId };
  await insertProducts(db, [
    { ...store, productId: productA, title: 'A', url: 'https://example.com/a' },
    { ...store, productId: productB, title: 'B', url: 'https://example.com/b', priceFen: 5_900n },
  ]);
  const link = (linkId: string, productId: string, influencerId: string): LinkInput => {
    return { ...store, linkId, productId, influencerId, code: linkId.replace('lnk_', '') };
  };
  await insertLinks(db, [
    link(links.linA, productA, lin),
    link(links.linB, productB, lin),
    link(links.meiA, productA, mei),
    link(links.meiB, productB, mei),
  ]);
  const { rateBp = 1_500, holdDays = 15 } = options;
  await insertTerms(db, { ...store, termsId: id('trm', ''), rateBp, holdDays, validFrom: VALID_FROM });
  return catalog;
}

export interface LineInput {
  lineId: string;
  orderId: string;
  productId: string | null;
  paidFen: bigint;
  quantity?: number;
  paidAt: Date;
}

/** A paid line without an attribution; its order is made if it is not there. */
export async function insertLine(db: Db, catalog: Catalog, line: LineInput): Promise<void> {
  const { orderId, paidAt, ...fields } = line;
  await insertOrder(db, { brandId: catalog.brandId, storeId: catalog.storeId, orderId, paidAt, lines: [fields] });
}

/** Says that `refundedFen` of a line was given back by now. */
export async function refund(db: Db, lineId: string, refundedFen: bigint): Promise<void> {
  await db.query('update order_lines set refunded_fen = $2 where id = $1', [lineId, refundedFen]);
}

/** Says that the goods were received, and when that reached us. */
export async function receive(db: Db, lineId: string, receivedAt: Date, receivedSeenAt = receivedAt): Promise<void> {
  await db.query('update order_lines set received_at = $2, received_seen_at = $3 where id = $1', [
    lineId,
    receivedAt,
    receivedSeenAt,
  ]);
}

/** Credits a line to a link, or to none. */
export async function credit(
  db: Db,
  lineId: string,
  linkId: string | undefined,
  { method = 'click_id', tag = null }: { method?: string; tag?: string | null } = {},
): Promise<void> {
  await db.query('delete from attributions where line_id = $1', [lineId]);
  if (linkId === undefined) return;
  await db.query(
    `insert into attributions (line_id, brand_id, state, method, confidence, link_id, influencer_id, tag)
     select $1, k.brand_id, 'matched', $3, 'exact', k.id, k.influencer_id, $4 from links k where k.id = $2`,
    [lineId, linkId, method, tag],
  );
}

/** Books lines as the order intake does: under their orders' locks, from what stands in the tables. */
export async function book(db: Db, lineIds: string[]): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.query(
      `select o.id from orders o where o.id in (select l.order_id from order_lines l where l.id = any ($1))
       order by o.store_id, o.external_order_id for update`,
      [lineIds],
    );
    const lines = await readBookableLines(tx, lineIds);
    const books = new Map<string, Awaited<ReturnType<typeof getRateCard>>>();
    for (const { brandId } of lines) {
      if (!books.has(brandId)) books.set(brandId, await getRateCard(tx, { brandId }));
    }
    await priceAndBookLines(tx, lines, books);
  });
}

/** The postings of a line in the order they were posted, as `account amount` in fen. */
export async function entriesOf(db: Db, lineId: string): Promise<string[]> {
  const { rows } = await db.query<{ kind: string; account: string; payeeId: string; amountFen: bigint }>(
    `select j.kind, e.account, e.payee_id as "payeeId", e.amount_fen as "amountFen"
     from entry_lines l
     join journal_entries j on j.id = l.entry_id
     join postings e on e.entry_id = l.entry_id and e.line_position = l.position
     where l.line_id = $1
     order by j.posted_at, j.id, e.position`,
    [lineId],
  );
  return rows.map(({ kind, account, payeeId, amountFen }) => `${kind} ${account} ${payeeId} ${amountFen}`);
}

/** Locks everything payable to one payee of one brand, less its debt, and pays it, as the payout feature will. */
export async function payOut(db: Db, { brandId, payeeId }: { brandId: string; payeeId: string }): Promise<bigint> {
  return inTransaction(db, async (tx) => {
    const { rows } = await tx.query<{ lineId: string }>(
      `select l.id as "lineId" from order_lines l where l.brand_id = $1 order by l.id for update`,
      [brandId],
    );
    const lineIds = rows.map(({ lineId }) => lineId);
    const readLegs = async () =>
      [...(await listBooked(tx, lineIds)).values()]
        .flatMap((lineEntries) => sumLineEntries(lineEntries))
        .flatMap(({ dimensions, legs }) => legs.map((leg) => ({ dimensions, leg })))
        .filter(({ leg }) => leg.payeeId === payeeId);
    const { lineEntries, payoutFen } = lockPayout(await readLegs());
    if (lineEntries.length === 0) return 0n;
    await postEntries(tx, [{ brandId, kind: 'payout_lock', lineEntries }]);
    const locked = (await readLegs()).flatMap(({ dimensions, leg }) => {
      const amountFen = -balanceOf(leg, 'in_payout');
      return amountFen > 0n ? [{ dimensions, leg, amountFen }] : [];
    });
    if (locked.length > 0) await postEntries(tx, [{ brandId, kind: 'payout_paid', lineEntries: markPaid(locked) }]);
    return payoutFen;
  });
}
