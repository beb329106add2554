import { problems } from '../../http/problem.ts';

/**
 * The answer of `work`, or Problem `unavailable` when it takes longer: the sender is told to come again, and what the work still does is
 * then a repeat. Work that ended while this process itself was held up counts as in time.
 *
 * @param onLate  called when the caller has been told so
 */
export async function answerWithin<T>(timeoutMs: number, work: Promise<T>, onLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      turn = setImmediate(() => {
        onLate?.();
        reject(problems.unavailable('The message could not be recorded in time; send it again.'));
      });
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    clearImmediate(turn);
  }
}
