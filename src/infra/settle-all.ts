/**
 * Waits for all of them, also when one fails: nothing is still under way when it is done.
 *
 * @throws what the first of them to fail, in the order given, threw
 */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
