import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** The whole stop ends within this, whatever hangs; the wait after SIGTERM comes before it. */
const TOTAL_MS = 10_000;
/** A phase that begins after the total time is over still gets this much, because the private Postgres must be stopped in any case. */
const LAST_CHANCE_MS = 500;
/** `npm start` passes on the Ctrl-C that the terminal has already given us: a second signal counts only after this. */
const REPEATED_SIGNAL_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Phase {
  name: string;
  timeoutMs: number;
  stop: () => Promise<void> | void;
  force: (() => void) | undefined;
}

export interface Shutdown {
  /**
   * Adds a phase. Phases run one after another in reverse order, so the part that was started last is stopped first.
   *
   * @param timeoutMs  after this the next phase begins, and the stop counts as failed
   * @param force      runs at once, synchronously, on a second signal
   */
  add(name: string, timeoutMs: number, stop: () => Promise<void> | void, force?: () => void): void;
  /** Runs every phase once; later calls get the same promise. Resolves to the exit code: 0, or 1 where a phase failed or `failed` is set. */
  run(reason: string, options?: { failed?: boolean }): Promise<number>;
  /**
   * The first phase begins this much after SIGTERM, so that load balancers notice the stop in time; the longest of several waits counts. Only
   * SIGTERM has a wait, because supervisors send it: Ctrl-C (SIGINT) comes from a person at a terminal, and a failure gives no notice.
   */
  waitAfterSigterm(graceMs: number): void;
  /** Aborted when the stop begins, so that parts that are still starting give up. */
  readonly signal: AbortSignal;
  /**
   * Listens to SIGINT, SIGTERM, SIGHUP and to uncaught errors. `exit` gets the exit code after the last phase; after a second
   * signal, at once.
   *
   * @param options.isKept  another process started this one and stops it: then no signal counts as a second one. A terminal, or a supervisor
   *   that signals the whole group, signals both processes, and the parent forwards the same signal, on a busy machine more than a second later.
   *   The parent handles a real second signal: it kills its children.
   */
  listen(exit: (code: number) => void, options?: { isKept?: boolean }): void;
}

/** Runs one phase within its time; never throws. */
async function runPhase(phase: Phase, leftMs: number, log: Logger): Promise<boolean> {
  const timeoutMs = Math.min(phase.timeoutMs, Math.max(leftMs, LAST_CHANCE_MS));
  const timer = new AbortController();
  const startedAtMs = performance.now();
  try {
    const stopped = (async () => {
      await phase.stop();
      return true;
    })();
    const isInTime = await Promise.race([stopped, sleep(timeoutMs, false, { signal: timer.signal })]);
    const tookMs = Math.round(performance.now() - startedAtMs);
    if (isInTime) log.debug({ phase: phase.name, tookMs }, 'stopped');
    else log.error({ phase: phase.name, timeoutMs }, 'did not stop in time');
    return isInTime;
  } catch (error) {
    log.error({ err: error, phase: phase.name }, 'failed to stop');
    return false;
  } finally {
    timer.abort();
  }
}

/** An ordered stop: named phases, each with a time limit, ten seconds in all. */
export function createShutdown({ log }: { log: Logger }): Shutdown {
  const phases: Phase[] = [];
  const starting = new AbortController();
  let running: Promise<number> | undefined;
  let current: Phase | undefined;
  let waitMs = 0;

  const runPhases = async (reason: string, failed: boolean): Promise<number> => {
    log.info({ reason }, 'stopping');
    starting.abort(new Error(`stopping: ${reason}`));
    if (reason === 'SIGTERM' && waitMs > 0) await sleep(waitMs);
    const deadlineMs = performance.now() + TOTAL_MS - LAST_CHANCE_MS;
    let isClean = !failed;
    for (let phase = phases.pop(); phase !== undefined; phase = phases.pop()) {
      current = phase;
      if (!(await runPhase(phase, deadlineMs - performance.now(), log))) {
        phase.force?.();
        isClean = false;
      }
    }
    return isClean ? 0 : 1;
  };

  const shutdown: Shutdown = {
    signal: starting.signal,
    add: (name, timeoutMs, stop, force) => {
      phases.push({ name, timeoutMs, stop, force });
    },
    waitAfterSigterm: (graceMs) => {
      waitMs = Math.max(waitMs, graceMs);
    },
    run: (reason, options) => {
      running ??= runPhases(reason, options?.failed ?? false);
      return running;
    },
    listen: (exit, { isKept = false } = {}) => {
      let firstAtMs: number | undefined;
      const stopAndExit = async (reason: string, options?: { failed: boolean }): Promise<void> => {
        exit(await shutdown.run(reason, options));
      };
      const onSignal = (signal: NodeJS.Signals): void => {
        if (firstAtMs === undefined) {
          firstAtMs = performance.now();
          void stopAndExit(signal);
        } else if (!isKept && signal !== 'SIGHUP' && performance.now() - firstAtMs >= REPEATED_SIGNAL_MS) {
          log.warn({ signal }, 'stopping at once');
          for (const phase of [current, ...phases]) phase?.force?.();
          exit(1);
        }
      };
      for (const signal of SIGNALS) process.on(signal, onSignal);
      // After an uncaught error the state of the process is unknown, so it stops, but in order, and stops the processes that it started.
      for (const event of ['uncaughtException', 'unhandledRejection']) {
        process.on(event, (error: unknown) => {
          log.fatal({ err: error }, event);
          void stopAndExit(event, { failed: true });
        });
      }
    },
  };
  return shutdown;
}
