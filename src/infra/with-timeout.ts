import { runningMs } from './running-time.ts';

/** The work did not end in time; it may still end later. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

const LATE = Symbol('late');

/**
 * The result of `work`, or LATE.
 *
 * The limit counts running time, so that a stop of this process is not held against the work. A timer fires before the event loop has read the
 * sockets, so the loop polls them once more before the work counts as late: a result that lies in the socket by then is in time.
 */
async function raceWithTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | typeof LATE> {
  const startedAtMs = runningMs();
  const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
  let timer: NodeJS.Timeout | undefined;
  let poll: NodeJS.Immediate | undefined;
  const wait = (): void => {
    const leftMs = Math.ceil(startedAtMs + timeoutMs - runningMs());
    if (leftMs > 0) timer = setTimeout(wait, leftMs);
    else poll = setImmediate(resolve, LATE);
  };
  wait();
  // Attach a handler now, so that Node reports no unhandled rejection of late work.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    clearImmediate(poll);
  }
}

/**
 * The result of `work`.
 *
 * @throws TimeoutError where it takes more than `timeoutMs` of running time; the error of `work` where it fails in time
 */
export async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const result = await raceWithTime(work, timeoutMs);
  if (result === LATE) throw new TimeoutError(`no answer within ${timeoutMs} ms`);
  return result;
}

/**
 * As `withTimeout`, for work that the caller can do without.
 *
 * @returns the result of `work`; undefined where it takes longer
 * @throws the error of `work` where it fails in time
 */
export async function findWithTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const result = await raceWithTime(work, timeoutMs);
  return result === LATE ? undefined : result;
}
