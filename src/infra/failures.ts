/** Kinds of errors: a fault of the operator, a dependency that is down, a statement that the server refused, a constraint. */
import { DatabaseError } from 'pg';

/**
 * A fault that the operator can put right: a setting, a port, a missing program.
 *
 * The command line prints `message` (plain sentences, no secrets) and ends with exit code 1, without a stack.
 */
export class OperatorFault extends Error {
  override readonly name = 'OperatorFault';
}

/**
 * SQLSTATE classes and codes whose cause is the server and not the statement: connection trouble (08), resources (53), operator intervention
 * such as a shutdown or a statement timeout (57), a lock timeout, a deadlock or a serialization failure. A retry may help with all of them.
 */
const SERVER_TROUBLE = /^(08|53|57|55P03$|40001$|40P01$)/;

/** Codes of node:net and node:dns while a server is away. */
const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Errors of pg, pg-pool and ioredis that have only a text and no code (pg 8.23, ioredis 6.0). */
const DRIVER_TEXTS = [
  'timeout exceeded when trying to connect',
  'connection terminated',
  'client has encountered a connection error',
  'query read timeout',
  'connection is closed',
  "stream isn't writeable",
  'command timed out',
  'socket timeout',
  'cannot use a pool after calling end',
];

const DRIVER_NAMES = new Set(['CommitLostError', 'MaxRetriesPerRequestError', 'ClusterAllFailedError', 'AbortError']);

/** Errors of a Redis that cannot serve at the moment: starting up, failing over, out of memory, read-only replica. */
const REDIS_NOT_NOW = /^(LOADING|READONLY|OOM|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MISCONF) /;

/**
 * Whether an error means that Postgres or Redis did not answer, so the caller should try again (503), rather than a bug (500).
 *
 * A COMMIT without its tag counts as down too: the outcome is unknown, so nothing may be acknowledged.
 */
export function isDependencyDown(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseError) return SERVER_TROUBLE.test(error.code ?? '');
  if (DRIVER_NAMES.has(error.name)) return true;
  if (error.name === 'ReplyError') return REDIS_NOT_NOW.test(error.message);
  if ('code' in error && typeof error.code === 'string' && NETWORK_CODES.has(error.code)) return true;
  const message = error.message.toLowerCase();
  if (DRIVER_TEXTS.some((text) => message.includes(text))) return true;
  // Several addresses tried at once fail as one AggregateError; some wrappers keep the driver's error as the cause.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isDependencyDown);
  return isDependencyDown(error.cause);
}

/** The server refused and said so (severity ERROR): the connection is sound, and the transaction is certainly not committed. */
export function isServerRefusal(error: unknown): boolean {
  return error instanceof DatabaseError && error.severity === 'ERROR';
}

/** The wait for a lock exceeded its limit. */
export const LOCK_NOT_AVAILABLE = ['55P03'];
/** Postgres ended a transaction in favour of another one (deadlock, serialization); nothing of it was written, so it may run once more. */
export const LOST_TO_ANOTHER = ['40P01', '40001'];

export function hasSqlState(error: unknown, states: readonly string[]): boolean {
  return error instanceof DatabaseError && states.includes(error.code ?? '');
}

/**
 * The name of the constraint that refused a statement; undefined for every other error.
 *
 * Constraints decide what may exist side by side, so features turn constraint names into outcomes instead of reading first.
 */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof DatabaseError && error.code?.startsWith('23') === true ? error.constraint : undefined;
}
