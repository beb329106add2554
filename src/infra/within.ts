import { pause } from './repeat.ts';

/** The promise's value, or undefined when it takes longer than `ms`; a later rejection is nobody's concern. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const done = new AbortController();
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, pause(ms, done.signal).then(() => undefined)]);
  } finally {
    done.abort();
  }
}
