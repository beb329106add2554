import { problems } from '../http/problem.ts';
import type { Db } from '../infra/db.ts';
import { findSealedThrough } from './seal/queries.ts';

/**
 * Makes sure that what is read as of an instant will read the same for ever: everything committed by then is sealed.
 *
 * Call it before the reading statement; the seal only ever moves on.
 *
 * @throws Problem `as_of_not_sealed` for an instant the sealer has not reached, the future included
 */
export async function requireSealed(db: Db, asOf: Date | undefined): Promise<void> {
  if (asOf === undefined) return;
  const seal = await findSealedThrough(db, asOf);
  if (seal?.covers === true) return;
  throw problems.asOfNotSealed(
    seal === undefined
      ? 'Nothing is sealed yet; try again in a second.'
      : `The journal is sealed through ${seal.sealedThrough.toISOString()}; ask for that instant or an earlier one.`,
  );
}
