import { inTransaction } from './db.ts';
import type { Db, Tx } from './db.ts';

/** The outcome of a use case: its result, or the named reason why it changed nothing. A route maps the reason to a problem. */
export type Outcome<Result extends object, Refusal extends { reason: string }> =
  | ({ ok: true } & Result)
  | ({ ok: false } & Refusal);

/** Carries a refused outcome out of the transaction that it rolls back; it never leaves this file. */
class RolledBack extends Error {
  override readonly name = 'RolledBack';
  readonly outcome: unknown;

  constructor(outcome: unknown) {
    super('a refused use case rolls its transaction back');
    this.outcome = outcome;
  }
}

/**
 * Runs a use case in a transaction of its own. A refusal rolls back the earlier writes, so a refused call changes nothing.
 *
 * @returns the outcome of `work`
 */
export async function inRefusableTransaction<T extends { ok: boolean }>(
  db: Db,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  try {
    return await inTransaction(db, async (tx) => {
      const outcome = await work(tx);
      if (!outcome.ok) throw new RolledBack(outcome);
      return outcome;
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.outcome as T;
    throw error;
  }
}
