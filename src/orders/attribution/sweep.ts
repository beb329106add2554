import { type Db, inTransaction } from '../../infra/db.ts';
import { setBatchMode } from '../intake/message-queries.ts';
import { recomputeOrders, type RecomputeDeps } from '../intake/recompute-orders.ts';
import { listOrdersToRetry, postponeRetry } from './sweep-queries.ts';

export interface SweepDeps extends RecomputeDeps {
  db: Db;
  /** Orders looked at in one run, at most. */
  limit: number;
}

/** Orders of one transaction: deliveries about any of them wait for it. */
const ORDERS_AT_ONCE = 50;
/** A batch gives way to whoever holds one of its orders. */
const BATCH_LOCK_MS = 500;

/**
 * Looks again at lines whose evidence may have changed without a message: clicks that were still on their way, links, slots or coupons
 * registered later. Several orders go together; where one of them fails each is looked at alone, and the one that fails is put off for an
 * hour, so it holds up none of the others.
 *
 * @returns how many orders were recomputed, and the errors of those that could not be
 */
export async function sweepUnmatched(deps: SweepDeps): Promise<{ recomputed: number; errors: unknown[] }> {
  const orderIds = await listOrdersToRetry(deps.db, deps.limit);
  const errors: unknown[] = [];
  for (let from = 0; from < orderIds.length; from += ORDERS_AT_ONCE) {
    const batch = orderIds.slice(from, from + ORDERS_AT_ONCE);
    if (!(await recomputeBatch(deps, batch))) errors.push(...(await recomputeOneByOne(deps, batch)));
  }
  return { recomputed: orderIds.length - errors.length, errors };
}

async function recomputeBatch(deps: SweepDeps, orderIds: readonly string[]): Promise<boolean> {
  try {
    await inTransaction(deps.db, async (tx) => {
      await setBatchMode(tx, BATCH_LOCK_MS);
      await recomputeOrders(tx, orderIds, deps);
    });
    return true;
  } catch {
    // Which one it was, and why, shows when each is looked at alone.
    return false;
  }
}

async function recomputeOneByOne(deps: SweepDeps, orderIds: readonly string[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (const orderId of orderIds) {
    try {
      await inTransaction(deps.db, (tx) => recomputeOrders(tx, [orderId], deps));
    } catch (error) {
      errors.push(error);
      await postponeRetry(deps.db, orderId);
    }
  }
  return errors;
}
