/** Work did not answer in time; it may still end later. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * The answer of `work`, or a TimeoutError where it takes longer than `timeoutMs`.
 *
 * Time in which this process itself was held up (a garbage collection, a stopped process) is not held against the work: a timer that fires
 * late does so before the event loop has read the sockets, so the loop reads them once more before the work counts as late. An answer that
 * lies in the socket by then is in time.
 *
 * @throws TimeoutError; what `work` throws in time
 */
export async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      turn = setImmediate(() => reject(new TimeoutError(`no answer within ${timeoutMs} ms`)));
    }, timeoutMs);
  });
  // Nobody waits for the work once it is late: Node must not report its error as unhandled.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    clearImmediate(turn);
  }
}
