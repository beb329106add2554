import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Config } from '../infra/config.ts';
import { createLog } from '../infra/log.ts';
import { createShutdown } from '../infra/shutdown.ts';
import type { Shutdown } from '../infra/shutdown.ts';

/**
 * Starts something and keeps the process until a signal stops it.
 *
 * @param start  adds a phase to `shutdown` for whatever it opens, as soon as it opens it
 * @returns the exit code, after the last phase
 * @throws what `start` threw, after everything it had opened was stopped
 */
export async function runUntilStopped(
  config: Config,
  start: (context: { log: Logger; shutdown: Shutdown }) => Promise<void>,
): Promise<number> {
  const log = createLog({ level: config.logLevel });
  const shutdown = createShutdown({ log });
  const exit = Promise.withResolvers<number>();
  shutdown.listen(exit.resolve, { isKept: cluster.isWorker });
  try {
    await start({ log, shutdown });
  } catch (error) {
    // A person who stops daihuo while it starts gets a stop, not the errors that this causes.
    if (!shutdown.signal.aborted) {
      await shutdown.run('it could not start', { failed: true });
      throw error;
    }
  }
  return exit.promise;
}
