import { commit } from './db.ts';
import { isServerRefusal } from './failures.ts';
import type { Db, Tx } from './db.ts';
import { pipelined } from './pipelined.ts';

/**
 * Transactions on one connection, each sent whole, COMMIT included, without waiting for the results of the transactions before it. Postgres
 * goes from one to the next without a pause, in the order of the calls. While no transaction is under way the pool has the connection.
 */
export interface PipelinedTransactions {
  /**
   * @param send  sends every statement at once; a statement that fails undoes its whole transaction, and no transaction behind it
   * @returns the results, after COMMIT answered COMMIT
   * @throws the error of the first statement that failed; CommitLostError where it is unknown whether the transaction is committed
   */
  run<T>(send: (tx: Tx) => readonly Promise<T>[]): Promise<T[]>;
}

/** A connection with transactions under way. */
interface Held {
  connecting: Promise<Tx>;
  underWay: number;
  hasFailed: boolean;
  isBroken: boolean;
}

async function sendWhole<T>(tx: Tx, send: (tx: Tx) => readonly Promise<T>[]): Promise<T[]> {
  const { statements, committed } = await pipelined(tx, () => ({
    begun: tx.query('begin'),
    statements: Promise.allSettled(send(tx)),
    committed: Promise.allSettled([commit(tx)]),
  }));
  // The statement's error comes before its consequence, a COMMIT that answers ROLLBACK.
  for (const outcome of [...statements, ...committed]) if (outcome.status === 'rejected') throw outcome.reason;
  return statements.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
}

export function createPipelinedTransactions(db: Db): PipelinedTransactions {
  let held: Held | undefined;
  /** A connection on which a transaction failed takes no further one, and is released when those under way have ended. */
  const leave = async (mine: Held): Promise<void> => {
    mine.underWay -= 1;
    if (held === mine && (mine.underWay === 0 || mine.hasFailed)) held = undefined;
    if (mine.underWay > 0) return;
    const [connected] = await Promise.allSettled([mine.connecting]);
    if (connected.status === 'fulfilled') connected.value.release(mine.isBroken);
  };
  return {
    run: async (send) => {
      const mine = (held ??= { connecting: db.connect(), underWay: 0, hasFailed: false, isBroken: false });
      mine.underWay += 1;
      try {
        return await sendWhole(await mine.connecting, send);
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
