/** However this process ends, short of SIGKILL, nothing that it started outlives it. */
const pids = new Set<() => number | undefined>();

process.on('exit', () => {
  for (const pidOf of pids) {
    const pid = pidOf();
    if (pid === undefined) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended at this very moment.
    }
  }
});

/** @param pidOf  of a process while it runs; undefined while it does not */
export function endWithUs(pidOf: () => number | undefined): void {
  pids.add(pidOf);
}

const TICK_MS = 1_000;

/** Waits for something that does not by itself keep this process from ending. */
export async function hold<T>(awaited: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, TICK_MS);
  try {
    return await awaited;
  } finally {
    clearInterval(timer);
  }
}
