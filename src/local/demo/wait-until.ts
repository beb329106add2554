import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 200;

/**
 * Reads again until what was read is `enough`, for what workers do a moment later.
 *
 * @returns the last reading, enough or not: the caller compares its figures anyway
 */
export async function waitUntil<T>(
  read: () => Promise<T>,
  isEnough: (reading: T) => boolean,
  timeoutMs: number,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const reading = await read();
    if (isEnough(reading) || performance.now() > deadlineMs) return reading;
    await sleep(RETRY_MS);
  }
}
