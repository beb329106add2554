import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { backoffMs, jitteredBackoffMs, retry, sleep } from '../../src/infra/retry.ts';
import { TimeoutError, findWithTimeout, withTimeout } from '../../src/infra/with-timeout.ts';

/** Holds this thread, so that its timers are due before it reads its sockets again. */
function holdMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('the backoff', () => {
  it('doubles from the first delay to the longest, also after very many failures', () => {
    const backoff = { firstMs: 50, longestMs: 1_000 };
    expect([1, 2, 3, 4, 5, 6, 7, 5_000].map((failures) => backoffMs(failures, backoff))).toEqual([
      50, 100, 200, 400, 800, 1_000, 1_000, 1_000,
    ]);
  });

  it('with jitter is half of the delay to all of it, and spread', () => {
    const delays = Array.from({ length: 200 }, () => jitteredBackoffMs(3, { firstMs: 100, longestMs: 5_000 }));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(200);
    expect(Math.max(...delays)).toBeLessThanOrEqual(400);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(100);
  });
});

describe('retry', () => {
  const backoff = { firstMs: 1, longestMs: 4 };

  it('repeats until the work succeeds, and reports each failure with its number', async () => {
    const seen: number[] = [];
    let attempts = 0;
    const work = async (): Promise<string> => {
      attempts += 1;
      if (attempts < 4) throw new Error('not yet');
      return 'done';
    };
    const { signal } = new AbortController();
    expect(await retry(work, { backoff, signal, onFailure: (_error, failures) => seen.push(failures) })).toBe('done');
    expect(seen).toEqual([1, 2, 3]);
  });

  it('ends with the error when it is stopped, or when the caller says that no attempt can help', async () => {
    const work = async (): Promise<never> => {
      throw new Error('no');
    };
    const stop = new AbortController();
    const stopped = retry(work, {
      backoff: { firstMs: 60_000, longestMs: 60_000 },
      signal: stop.signal,
      onFailure: () => stop.abort(),
    });
    await expect(stopped).rejects.toThrow('no');
    const { signal } = new AbortController();
    const hopeless = retry(work, {
      backoff,
      signal,
      onFailure: () => {
        throw new Error('never');
      },
    });
    await expect(hopeless).rejects.toThrow('never');
  });

  it('sleep ends with the signal', async () => {
    const stop = new AbortController();
    const startedAtMs = performance.now();
    setTimeout(() => stop.abort(), 10);
    await sleep(60_000, stop.signal);
    await sleep(60_000, stop.signal);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  });
});

describe('a time limit', () => {
  const never = new Promise<never>(() => undefined);
  const failing = async (): Promise<never> => {
    throw new Error('no');
  };

  it('ends the wait as a TimeoutError, or as undefined for work that the caller can do without', async () => {
    const startedAtMs = performance.now();
    await expect(withTimeout(never, 30)).rejects.toBeInstanceOf(TimeoutError);
    expect(await findWithTimeout(never, 30)).toBeUndefined();
    expect(performance.now() - startedAtMs).toBeGreaterThan(55);
  });

  it('passes on a result and an error that come in time, and drops an error that comes late', async () => {
    expect(await withTimeout(sleepFor(1), 5_000)).toBe('slept');
    expect(await findWithTimeout(sleepFor(1), 5_000)).toBe('slept');
    await expect(withTimeout(failing(), 5_000)).rejects.toThrow('no');
    await expect(findWithTimeout(failing(), 5_000)).rejects.toThrow('no');
    // Vitest fails the file where Node reports an unhandled rejection.
    expect(await findWithTimeout(sleepFor(20).then(failing), 5)).toBeUndefined();
    await sleepFor(40);
  });

  // Otherwise a frozen virtual machine would make every visitor's lookup late at once.
  it('does not count a stop of the process', async () => {
    for (let round = 0; round < 3; round += 1) {
      await nextTurn();
      const limited = withTimeout(sleepFor(120), 100);
      const unlimited = findWithTimeout(sleepFor(60), 100);
      holdMs(300);
      expect(await unlimited).toBe('slept');
      await expect(limited).resolves.toBe('slept');
    }
  });
});

async function sleepFor(ms: number): Promise<string> {
  await sleep(ms, new AbortController().signal);
  return 'slept';
}
