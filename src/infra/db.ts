import { DatabaseError, Pool, types } from 'pg';
import type { CustomTypesConfig, PoolClient } from 'pg';
import { isServerRefusal } from './failures.ts';

export type Db = Pool;
export type Tx = PoolClient;
export type Queryable = Pool | PoolClient;

export interface DbOptions {
  url: string;
  /** Maximum number of connections, 10 by default. */
  max?: number;
  /** Shown in `pg_stat_activity`, so that an operator sees which process holds a lock. */
  applicationName: string;
  /** Limit for one statement on the server; 15 s by default. */
  statementTimeoutMs?: number;
  /** Receives the errors of broken connections, for the log only: the pool replaces the connections. */
  onError: (error: Error) => void;
}

const CONNECTION_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 15_000;
const LOCK_TIMEOUT_MS = 5_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000;
/** The client gives up this much later than the server, so that only a dead server or network ends a statement on this side. */
const QUERY_TIMEOUT_GRACE_MS = 3_000;

const INT8 = 20;
const NUMERIC = 1700;
const DATE = 1082;
const INT8_ARRAY = 1016;
const NUMERIC_ARRAY = 1231;
const DATE_ARRAY = 1182;

type Nested<T> = T | null | Nested<T>[];

function mapNested<T>(value: Nested<string>, read: (text: string) => T): Nested<T> {
  if (value === null) return null;
  return Array.isArray(value) ? value.map((each) => mapNested(each, read)) : read(value);
}

/** An array of numbers or dates, whose elements hold no quotes or commas: `{1,NULL,3}`, nested for further dimensions. */
function readArray<T>(text: string, read: (element: string) => T): Nested<T> {
  const json = text
    .replaceAll(/[^{},]+/g, (element) => (element === 'NULL' ? 'null' : `"${element}"`))
    .replaceAll('{', '[')
    .replaceAll('}', ']');
  return mapNested(JSON.parse(json) as Nested<string>, read);
}

const asText = (text: string): string => text;

/** Readers that lose nothing: the driver reads int8 as text, `numeric[]` as floats, and a `date` as midnight in the zone of the machine. */
const READERS = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  [NUMERIC, asText],
  [DATE, asText],
  [INT8_ARRAY, (text) => readArray(text, BigInt)],
  [NUMERIC_ARRAY, (text) => readArray(text, asText)],
  [DATE_ARRAY, (text) => readArray(text, asText)],
]);

const TYPES: CustomTypesConfig = {
  getTypeParser: (oid, format): unknown =>
    (format === 'binary' ? undefined : READERS.get(oid)) ?? types.getTypeParser(oid, format),
};

/**
 * A pool of connections. int8 reads as `bigint`, numeric and date as `string`, timestamptz as `Date`.
 *
 * Every wait has a limit: for a connection, a lock, a statement, an idle transaction, and the answer of a silent server.
 */
export function createDb(options: DbOptions): Db {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  const db = new Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName,
    types: TYPES,
    // `pipelined` sends several statements of one transaction at once.
    pipeline: true,
    keepAlive: true,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: statementTimeoutMs + QUERY_TIMEOUT_GRACE_MS,
  });
  // An 'error' event without a listener ends the process. The pool listens to a client only while the client is idle, and passes the error on,
  // so a client in use needs a listener of its own. The set prevents two reports of one broken connection.
  const reported = new WeakSet<Error>();
  const report = (error: Error): void => {
    if (reported.has(error)) return;
    reported.add(error);
    options.onError(error);
  };
  db.on('error', report);
  db.on('connect', (client) => {
    client.on('error', report);
  });
  return db;
}

/** COMMIT did not answer `COMMIT`: the writes of the transaction are lost, or their state is unknown. Never acknowledge anything after this error. */
export class CommitLostError extends Error {
  override readonly name = 'CommitLostError';
}

function isLostAnswer(error: unknown): boolean {
  return error instanceof Error && !(error instanceof DatabaseError) && error.message === 'Query read timeout';
}

/** Commits, and checks the command tag. @throws CommitLostError where it is not certain that the transaction is committed */
export async function commit(tx: Tx): Promise<void> {
  let tag: string;
  try {
    tag = (await tx.query('commit')).command;
  } catch (error) {
    // A deferred constraint refuses at COMMIT, which is a known outcome; every other error leaves the outcome unknown.
    if (isServerRefusal(error)) throw error;
    throw new CommitLostError('the answer to COMMIT was lost', { cause: error });
  }
  // In a transaction that a failed statement aborted, COMMIT succeeds and answers ROLLBACK.
  if (tag !== 'COMMIT') throw new CommitLostError(`COMMIT answered ${tag}: a statement before it had failed`);
}

/** Rolls back a transaction that is still open and releases the client. A client that may still be in a transaction is destroyed. */
async function giveBack(tx: Tx, error: unknown): Promise<void> {
  let broken = isLostAnswer(error) || (error instanceof CommitLostError && error.cause !== undefined);
  if (!broken && tx.getTransactionStatus() !== 'I') {
    try {
      await tx.query('rollback');
    } catch {
      broken = true;
    }
  }
  tx.release(broken || tx.getTransactionStatus() !== 'I');
}

/**
 * As `inTransaction`, for work that sends BEGIN itself, pipelined with its first statements. This saves a round trip.
 *
 * If the server refuses BEGIN, the statements behind it run outside of any transaction, so a statement that is sent with BEGIN must write
 * nothing in that case.
 *
 * @param work  calls `begin` once, before any statement
 */
export async function inPipelinedTransaction<T>(
  db: Db,
  work: (tx: Tx, begin: () => Promise<void>) => Promise<T>,
): Promise<T> {
  return transact(db, async (tx) => work(tx, async () => void (await tx.query('begin'))));
}

async function transact<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  const tx = await db.connect();
  let failure: unknown;
  try {
    const result = await work(tx);
    await commit(tx);
    return result;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await giveBack(tx, failure);
  }
}

/**
 * Runs `work` in one transaction and returns its result after COMMIT answered the tag COMMIT.
 *
 * @throws the error of `work`, after ROLLBACK; the server's refusal at COMMIT (a deferred constraint); CommitLostError where COMMIT answered
 *   anything else or nothing
 */
export async function inTransaction<T>(
  db: Db,
  work: (tx: Tx) => Promise<T>,
  options?: { isolation?: 'repeatable read' },
): Promise<T> {
  return transact(db, async (tx) => {
    await tx.query(options?.isolation === 'repeatable read' ? 'begin isolation level repeatable read' : 'begin');
    return work(tx);
  });
}

// True for one transaction in the whole database at a time. COMMIT or ROLLBACK releases the lock, so it also works behind a pooler.
const TRY_LOCK = 'select pg_try_advisory_xact_lock($1) as "isHeld"';

/**
 * Runs `work` in a transaction while holding the advisory lock `key`.
 *
 * @returns undefined, without having run `work`, where another process holds the lock
 */
export async function withAdvisoryLock<T>(db: Db, key: bigint, work: (tx: Tx) => Promise<T>): Promise<T | undefined> {
  return inTransaction(db, async (tx) => {
    const { rows } = await tx.query<{ isHeld: boolean }>(TRY_LOCK, [key]);
    return rows[0]?.isHeld === true ? work(tx) : undefined;
  });
}
