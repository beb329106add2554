import type { Duplex } from 'node:stream';
import type { Queryable } from './db.ts';

type Answers<Asked extends readonly (Promise<unknown> | undefined)[]> = {
  -readonly [Place in keyof Asked]: Awaited<Asked[Place]>;
};

/**
 * Sends statements of one transaction without waiting for each other's answers. The connection answers them in the order in which they were
 * sent, so a later one sees what an earlier one wrote, and all of them cost one round trip and one write to the socket (waking the other
 * side is most of what a statement costs this process).
 *
 * Unlike `Promise.all` it waits for every one of them also when one fails: what is still under way must not outlive the transaction and
 * write outside of it.
 *
 * @param ask  asks everything, undefined in the place of what need not be asked; what it asks after a wait of its own is sent apart
 * @returns the answers in the order given
 * @throws what the first of them to fail threw
 */
export async function together<const Asked extends readonly (Promise<unknown> | undefined)[]>(
  db: Queryable,
  ask: () => Asked,
): Promise<Answers<Asked>> {
  const stream = streamOf(db);
  stream?.cork();
  const asked = ask();
  stream?.uncork();
  const failures: unknown[] = [];
  const answers = await Promise.all(
    asked.map(async (each) => {
      try {
        return await each;
      } catch (error) {
        return failures.push(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  return answers as Answers<Asked>;
}

/** The socket of a connection; of a pool there is none. Undocumented in pg 8, which corks it for each statement itself. */
function streamOf(db: Queryable): Pick<Duplex, 'cork' | 'uncork'> | undefined {
  return (db as { connection?: { stream?: Duplex } }).connection?.stream;
}
