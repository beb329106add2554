/**
 * Waits for all of them, also when one fails, so that no work is still under way afterwards.
 *
 * @throws the error of the first that failed, in the order given
 */
export async function allOrThrow(work: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
