import type { Queryable } from './db.ts';
import { streamOf } from './pg-connection.ts';

type Sent = Record<string, Promise<unknown> | undefined>;

/** The results, under the names of their promises. */
export type Results<T extends Sent> = { [Name in keyof T]: Awaited<T[Name]> };

/**
 * Sends statements of one transaction without waiting for each other's results. The connection carries them out in the order in which they
 * were sent, so a later one sees the writes of an earlier one. All of them cost one round trip and one write to the socket: waking the other
 * side is most of the cost of a statement in this process.
 *
 * Unlike `Promise.all` it waits for every promise also when one fails: a statement that is still under way must not outlive the transaction
 * and write outside of it.
 *
 * @param send  sends the statements and returns their promises, each under a name; undefined in the place of a statement that is not needed.
 *   Statements that it sends after a wait of its own leave in a later write. The object is reused for the results
 * @returns the results by name
 * @throws the error of the promise that failed first in time: the later ones are mostly its consequence (an aborted transaction)
 */
export async function pipelined<T extends Sent>(db: Queryable, send: () => T): Promise<Results<T>> {
  const stream = streamOf(db);
  stream?.cork();
  let results: Record<string, unknown>;
  try {
    results = send();
  } finally {
    stream?.uncork();
  }
  const failures: unknown[] = [];
  await Promise.all(
    Object.keys(results).map(async (name) => {
      try {
        results[name] = await results[name];
      } catch (error) {
        failures.push(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  return results as Results<T>;
}
