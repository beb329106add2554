import { DatabaseError } from 'pg';

/**
 * The name of the constraint that refused a statement; undefined for every other error.
 *
 * Constraints are the referee of what may exist together, so features translate their names into problems instead of looking first.
 */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof DatabaseError && error.code?.startsWith('23') === true ? error.constraint : undefined;
}
