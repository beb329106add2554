import type { Db, Tx } from '../../infra/db.ts';
import { withAdvisoryLock } from '../../infra/db.ts';
import { bookStoredLines } from '../pricing/book-lines.ts';
import { lockOrdersById } from '../../orders/locks.ts';
import { listDueLines, markReleased } from './queries.ts';

/** One releasing process in the whole database at a time ("release" in hex). */
const RELEASE_LOCK = 0x72656c65617365n;
/** Lines in one transaction: it holds their orders' locks, for which deliveries wait. */
const BATCH_LINES = 200;

/**
 * Makes every line payable whose hold is over: received, `payable_at` reached by Postgres' clock, no refund open, no hold set.
 *
 * Works in batches, each one transaction; running it again, or twice at once, releases nothing twice.
 *
 * @returns how many lines were released; 0 also where another process releases
 */
export async function releaseDueLines(db: Db, options: { batchLines?: number } = {}): Promise<number> {
  const batchLines = options.batchLines ?? BATCH_LINES;
  let releasedLines = 0;
  for (;;) {
    const batch = await withAdvisoryLock(db, RELEASE_LOCK, (tx) => releaseBatch(tx, batchLines));
    releasedLines += batch?.releasedLines ?? 0;
    // Lines that stopped being due under the lock are not candidates any more, so each round has fewer.
    if (batch === undefined || batch.candidates < batchLines) return releasedLines;
  }
}

async function releaseBatch(tx: Tx, limit: number): Promise<{ candidates: number; releasedLines: number }> {
  const due = await listDueLines(tx, limit);
  if (due.length === 0) return { candidates: 0, releasedLines: 0 };
  await lockOrdersById(
    tx,
    due.map((line) => line.orderId),
  );
  const released = await markReleased(
    tx,
    due.map((line) => line.lineId),
  );
  await bookStoredLines(tx, released, 'release');
  return { candidates: due.length, releasedLines: released.length };
}
