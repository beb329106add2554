import { type Db, inTransaction } from '../infra/db.ts';
import { recomputeOrders, type RecomputeDeps } from './recompute.ts';
import { listOrdersToRetry, postponeRetry } from './sweep-queries.ts';

export interface SweepDeps extends RecomputeDeps {
  db: Db;
  /** Orders looked at in one run, at most. */
  limit: number;
}

/**
 * Looks again at lines whose evidence may have changed without a message: clicks that were still on their way, links, slots or coupons
 * registered later. Each order in a transaction of its own, and one that fails is put off for an hour, so it holds up none of the others.
 *
 * @returns how many orders were recomputed, and the errors of those that could not be
 */
export async function sweepUnmatched(deps: SweepDeps): Promise<{ recomputed: number; errors: unknown[] }> {
  const orderIds = await listOrdersToRetry(deps.db, deps.limit);
  const errors: unknown[] = [];
  for (const orderId of orderIds) {
    try {
      await inTransaction(deps.db, (tx) => recomputeOrders(tx, [orderId], deps));
    } catch (error) {
      errors.push(error);
      await postponeRetry(deps.db, orderId);
    }
  }
  return { recomputed: orderIds.length - errors.length, errors };
}
