/** Which errors mean what: a dependency that is away, a statement that the server refused, a constraint. */
import { DatabaseError } from 'pg';

/**
 * SQLSTATE classes and codes that say "the server, not the statement": connection trouble (08), resources (53), operator intervention such
 * as shutdown or a statement timeout (57), a lock not had in time, a deadlock or serialization loss. All are worth a retry.
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

/** pg, pg-pool and ioredis give these only as texts (pg 8.23, ioredis 6.0). */
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

/** Redis answers that mean "not now": starting up, failing over, out of memory, read-only replica. */
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

/** A lock was not had in time. */
export const LOCK_NOT_AVAILABLE = ['55P03'];
/** Postgres gave a transaction up for another one (deadlock, serialization); nothing of it is left, so it may run once more. */
export const LOST_TO_ANOTHER = ['40P01', '40001'];

export function hasSqlState(error: unknown, states: readonly string[]): boolean {
  return error instanceof DatabaseError && states.includes(error.code ?? '');
}

/**
 * The name of the constraint that refused a statement; undefined for every other error.
 *
 * Constraints are the referee of what may exist together, so features turn their names into outcomes instead of looking first.
 */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof DatabaseError && error.code?.startsWith('23') === true ? error.constraint : undefined;
}
