/**
 * The time limits of ioredis, counted in running time (`running-time.ts`). This file replaces private parts of ioredis, and no other file does.
 *
 * With its own timers, a process that was stopped for a moment rejected commands whose answers lay in the socket (`commandTimeout`), threw away
 * the entries of a blocking read (`blockingTimeout`), and destroyed a healthy connection (`socketTimeout`): its timers fire before it reads.
 * Here a limit that is over waits for one poll of the sockets before it acts.
 *
 * `test/infra/ioredis-timeouts.test.ts` fails when the version changes: compare the three methods with these, then raise CHECKED_VERSION.
 */
import { Command, Redis } from 'ioredis';

import { runningMs } from './running-time.ts';

export const CHECKED_VERSION = '6.0.0';

/** The members of a command that these methods use. */
interface CommandParts {
  isSettled: boolean;
  _commandTimeoutTimer: NodeJS.Timeout | undefined;
  _blockingTimeoutTimer: NodeJS.Timeout | undefined;
  resolve: (value: null) => void;
  reject: (error: Error) => void;
}

/** The members of a connection that these methods use. */
interface ConnectionParts {
  stream: NodeJS.Socket & { destroy: (error: Error) => void };
  socketTimeoutTimer: NodeJS.Timeout | undefined;
  commandQueue: { length: number };
  options: { socketTimeout?: number };
  setSocketTimeout: () => void;
}

/** The rest of a limit in running time, rounded up to whole milliseconds for a timer; 0 or less when the limit is over. */
function leftMs(limitMs: number, startedAtMs: number): number {
  return Math.ceil(startedAtMs + limitMs - runningMs());
}

function rejectCommand(command: CommandParts): void {
  if (!command.isSettled) command.reject(new Error('Command timed out'));
}

function onCommandTimer(command: CommandParts, limitMs: number, startedAtMs: number): void {
  const waitMs = leftMs(limitMs, startedAtMs);
  if (waitMs > 0) command._commandTimeoutTimer = setTimeout(onCommandTimer, waitMs, command, limitMs, startedAtMs);
  else setImmediate(rejectCommand, command);
}

function endBlockingRead(command: CommandParts): void {
  if (!command.isSettled) command.resolve(null);
}

function onBlockingTimer(command: CommandParts, limitMs: number, startedAtMs: number): void {
  const waitMs = leftMs(limitMs, startedAtMs);
  if (waitMs > 0) command._blockingTimeoutTimer = setTimeout(onBlockingTimer, waitMs, command, limitMs, startedAtMs);
  else setImmediate(endBlockingRead, command);
}

/** Watches one silence of a connection; the next data ends it. */
function watchSocket(connection: ConnectionParts, limitMs: number): void {
  const { stream } = connection;
  const startedAtMs = runningMs();
  let isSilent = true;
  const destroy = (): void => {
    if (isSilent) stream.destroy(new Error(`Socket timeout. No data came from Redis for ${limitMs} ms.`));
  };
  const onTimer = (): void => {
    const waitMs = leftMs(limitMs, startedAtMs);
    if (waitMs > 0) connection.socketTimeoutTimer = setTimeout(onTimer, waitMs);
    else {
      connection.socketTimeoutTimer = undefined;
      setImmediate(destroy);
    }
  };
  connection.socketTimeoutTimer = setTimeout(onTimer, limitMs);
  // The parser of ioredis was attached earlier, so it has run, and the queue holds only the commands without an answer.
  stream.once('data', () => {
    isSilent = false;
    clearTimeout(connection.socketTimeoutTimer);
    connection.socketTimeoutTimer = undefined;
    if (connection.commandQueue.length > 0) connection.setSocketTimeout();
  });
}

/** Replaces the timers of every client of this process, also of those that a cluster client makes. */
export function countRunningTimeInIoredis(): void {
  const commands = Command.prototype as unknown as Record<string, unknown>;
  const connections = Redis.prototype as unknown as Record<string, unknown>;
  commands['setTimeout'] = function setCommandTimeout(this: CommandParts, limitMs: number): void {
    this._commandTimeoutTimer ??= setTimeout(onCommandTimer, limitMs, this, limitMs, runningMs());
  };
  commands['setBlockingTimeout'] = function setBlockingTimeout(this: CommandParts, limitMs: number): void {
    if (limitMs <= 0) return;
    clearTimeout(this._blockingTimeoutTimer);
    this._blockingTimeoutTimer = setTimeout(onBlockingTimer, limitMs, this, limitMs, runningMs());
  };
  connections['setSocketTimeout'] = function setSocketTimeout(this: ConnectionParts): void {
    watchSocket(this, this.options.socketTimeout ?? 0);
  };
}
