import { releaseDueLines } from '../../src/commissions/release/release.ts';
import { sealEntries } from '../../src/ledger/seal/sealer.ts';
import type { Db } from '../../src/infra/db.ts';
import { book, type Catalog, credit, insertLine, payOut, receive, refund } from './fixtures.ts';

/** What the walk knows of a line it made. */
interface WalkedLine {
  lineId: string;
  catalog: Catalog;
  paidFen: bigint;
  refundedFen: bigint;
}

/**
 * A seeded walk through everything that moves a commission: sales, refunds, receipts, credits given to other links and taken away, releases,
 * payouts, seals. Payments are spread over two Shanghai months.
 */
export class RandomWalk {
  readonly #db: Db;
  readonly #catalogs: readonly Catalog[];
  readonly #lines: WalkedLine[] = [];
  #state: number;

  constructor(db: Db, { catalogs, seed }: { catalogs: readonly Catalog[]; seed: number }) {
    this.#db = db;
    this.#catalogs = catalogs;
    this.#state = seed;
  }

  /** A whole number from 0 to below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  async step(): Promise<void> {
    const dice = this.below(20);
    if (this.#lines.length < 5 || dice < 7) return this.#sell();
    const line = this.pick(this.#lines);
    if (dice < 10) {
      const netFen = line.paidFen - line.refundedFen;
      line.refundedFen += this.below(3) === 0 ? netFen : BigInt(this.below(Number(netFen) + 1));
      await refund(this.#db, line.lineId, line.refundedFen);
    } else if (dice < 13) {
      await receive(this.#db, line.lineId, this.#instant());
    } else if (dice < 15) {
      await credit(this.#db, line.lineId, this.#link(line.catalog), { tag: this.pick([null, 'v1', 'v2']) });
    } else if (dice === 15) {
      await credit(this.#db, line.lineId, undefined);
    } else if (dice === 16) {
      await payOut(this.#db, {
        brandId: line.catalog.brandId,
        payeeId: this.pick([line.catalog.linPayee, line.catalog.meiPayee, line.catalog.agencyPayee]),
      });
    } else if (dice < 19) {
      await releaseDueLines(this.#db);
    } else {
      await sealEntries(this.#db);
    }
    if (dice < 16) await book(this.#db, [line.lineId]);
  }

  async #sell(): Promise<void> {
    const catalog = this.pick(this.#catalogs);
    const number = this.#lines.length;
    // Now and then two lines share an order.
    const orderId = `ord_${catalog.brandId}${number - (number % 3 === 2 ? 0 : number % 3)}`;
    const line = { lineId: `lin_w${number}`, catalog, paidFen: BigInt(this.below(50_000)), refundedFen: 0n };
    const productId = this.pick([catalog.productA, catalog.productB]);
    const { lineId, paidFen } = line;
    await insertLine(this.#db, catalog, { lineId, orderId, productId, paidFen, paidAt: this.#instant() });
    this.#lines.push(line);
    await credit(this.#db, lineId, this.#link(catalog), {
      tag: this.pick([null, 'v1', 'v2']),
      method: this.pick(['click_id', 'code']),
    });
    await book(this.#db, [lineId]);
  }

  #link(catalog: Catalog): string {
    return this.pick(Object.values(catalog.links));
  }

  /** Within October and November 2026, often at the very edge of a Shanghai month. */
  #instant(): Date {
    const edge = Date.parse('2026-10-31T16:00:00Z');
    const offsetMs = this.below(4) === 0 ? this.below(3) - 1 : this.below(40 * 86_400_000) - 30 * 86_400_000;
    return new Date(edge + offsetMs);
  }
}
