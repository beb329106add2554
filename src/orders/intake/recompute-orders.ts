import type { Tx } from '../../infra/db.ts';
import { pipelined } from '../../infra/pipelined.ts';
import { lockOrdersById } from '../locks.ts';
import { decideOrders, type DecisionDeps, writeOrders } from './decide-orders.ts';
import { foldOrders } from './fold-orders.ts';
import { listStoredEvents, listStoredLines } from './state-queries.ts';

export type RecomputeDeps = DecisionDeps;

/**
 * Brings orders, their lines, attributions and money to what their stored facts say now: the steps of `recordMessages` without a message.
 *
 * Running it again without new facts writes nothing to the ledger. Called by decisions and by the sweep.
 *
 * @param orderIds  at most a few hundred
 */
export async function recomputeOrders(tx: Tx, orderIds: readonly string[], deps: RecomputeDeps): Promise<void> {
  const locked = await lockOrdersById(tx, orderIds);
  const { events, lines } = await pipelined(tx, () => ({
    events: listStoredEvents(tx, locked),
    lines: listStoredLines(tx, locked),
  }));
  const orders = foldOrders({ locked, events, lines, atHand: new Map() });
  if (orders.length === 0) return;
  await writeOrders(tx, [], await decideOrders(tx, orders, deps));
}
