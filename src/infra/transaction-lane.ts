import { commit } from './db.ts';
import { isServerRefusal } from './failures.ts';
import type { Db, Tx } from './db.ts';
import { together } from './together.ts';

/**
 * Transactions on one connection, each sent whole, COMMIT included, without waiting for the answers of those before it: Postgres goes from
 * one to the next without a pause, in the order in which they were given. The connection is the pool's as long as none is under way.
 */
export interface TransactionLane {
  /**
   * @param ask  asks everything at once; a statement that fails undoes all of the transaction, and nothing of those behind it
   * @returns the answers, after COMMIT answered COMMIT
   * @throws what the first statement to fail threw; CommitLostError where nobody can know whether it is committed
   */
  run<T>(ask: (tx: Tx) => readonly Promise<T>[]): Promise<T[]>;
}

/** A connection with transactions under way. */
interface Held {
  connecting: Promise<Tx>;
  underWay: number;
  hasFailed: boolean;
  isBroken: boolean;
}

async function sendWhole<T>(tx: Tx, ask: (tx: Tx) => readonly Promise<T>[]): Promise<T[]> {
  const [, asked, committed] = await together(tx, () => [
    tx.query('begin'),
    Promise.allSettled(ask(tx)),
    Promise.allSettled([commit(tx)]),
  ]);
  // The reason goes before its consequence, a COMMIT that answers ROLLBACK.
  for (const outcome of [...asked, ...committed]) if (outcome.status === 'rejected') throw outcome.reason;
  return asked.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
}

export function createTransactionLane(db: Db): TransactionLane {
  let held: Held | undefined;
  /** Nothing more goes onto a connection on which something failed; what is under way on it comes to its end. */
  const leave = async (mine: Held): Promise<void> => {
    mine.underWay -= 1;
    if (held === mine && (mine.underWay === 0 || mine.hasFailed)) held = undefined;
    if (mine.underWay > 0) return;
    const [connected] = await Promise.allSettled([mine.connecting]);
    if (connected.status === 'fulfilled') connected.value.release(mine.isBroken);
  };
  return {
    run: async (ask) => {
      const mine = (held ??= { connecting: db.connect(), underWay: 0, hasFailed: false, isBroken: false });
      mine.underWay += 1;
      try {
        return await sendWhole(await mine.connecting, ask);
      } catch (error) {
        mine.hasFailed = true;
        // A refusal leaves the connection sound and outside of any transaction.
        mine.isBroken ||= !isServerRefusal(error);
        throw error;
      } finally {
        await leave(mine);
      }
    },
  };
}
