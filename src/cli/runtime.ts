/** The life of a long-running process: its services, its connections, and the wait for the signal that stops it. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import type { Logger } from 'pino';
import { isDependencyDown } from '../infra/failures.ts';
import { pingPostgres } from '../http/queries.ts';
import type { Config, Environment } from '../infra/config.ts';
import { createDb } from '../infra/db.ts';
import type { Db } from '../infra/db.ts';
import { createLog } from '../infra/log.ts';
import { OperatorFault } from '../infra/failures.ts';
import { closeRedis, createRedis, waitForRedis } from '../infra/redis.ts';
import type { RedisClient } from '../infra/redis.ts';
import { deriveKeys } from '../infra/secrets.ts';
import type { DerivedKeys } from '../infra/secrets.ts';
import { createShutdown } from '../infra/shutdown.ts';
import type { Shutdown } from '../infra/shutdown.ts';
import { findRunningServices, keepSecret } from '../local/home.ts';
import type { ServiceUrls } from '../local/home.ts';
import { startLocalServices } from '../local/local-services.ts';

/** The services and connections of a long-running command. Code that opens more adds its own phase to `shutdown`. */
export interface Runtime {
  config: Config;
  log: Logger;
  shutdown: Shutdown;
  urls: ServiceUrls;
  db: Db;
  redis: RedisClient;
  /** From `DAIHUO_SECRET`, or the one that `start` stores in DAIHUO_HOME. */
  secret: Buffer;
  keys: DerivedKeys;
}

interface OpenOptions {
  config: Config;
  log: Logger;
  shutdown: Shutdown;
}

const WAIT_MS = 60_000;
const REDIS_WAIT_MS = 5_000;
const IMPATIENT_REDIS_WAIT_MS = 1_000;
const RETRY_MS = 500;
const LOCAL_STOP_MS = 8_000;
/** Wrong user, password or database: waiting does not help. */
const PERMANENT = new Set(['28000', '28P01', '3D000', '42501']);

/**
 * Runs `start` and keeps the process alive until a signal stops it.
 *
 * @param start  adds a phase to `shutdown` for everything that it opens, at the moment when it opens it
 * @returns the exit code, after the last phase
 * @throws the error of `start`, after everything that it had opened was stopped
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
    // A person who stops daihuo while it starts gets an orderly stop and not the errors that it causes.
    if (!shutdown.signal.aborted) {
      await shutdown.run('it could not start', { failed: true });
      throw error;
    }
  }
  return exit.promise;
}

/** The version of daihuo, from its manifest. */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version?: unknown }).version);
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

/** The addresses of the settings. Where one is missing, a private server is started for as long as this process lives. */
export async function openServices({
  config,
  log,
  shutdown,
  env,
}: OpenOptions & { env: Environment }): Promise<ServiceUrls> {
  const { databaseUrl, redisUrl } = config;
  if (databaseUrl !== undefined && redisUrl !== undefined) return { databaseUrl, redisUrl };
  const starting = startLocalServices({
    home: config.home,
    env,
    print: (sentence) => console.log(sentence),
    signal: shutdown.signal,
    onLost: (name) => process.emit('uncaughtException', new Error(`the private ${name} has ended`)),
    given: { ...(databaseUrl === undefined ? {} : { databaseUrl }), ...(redisUrl === undefined ? {} : { redisUrl }) },
  });
  // Added before the servers have started, so that a stop during the start leaves none of them running.
  let kill: (() => void) | undefined;
  shutdown.add(
    'private services',
    LOCAL_STOP_MS,
    async () => {
      const services = await starting.catch(() => undefined);
      await services?.stop();
    },
    () => kill?.(),
  );
  const services = await starting;
  kill = services.kill;
  log.debug({ home: config.home }, 'private services run');
  return services;
}

function isPermanent(error: unknown): boolean {
  return error instanceof DatabaseError && PERMANENT.has(error.code ?? '');
}

function unusable(error: unknown, url: string): OperatorFault {
  const reason = error instanceof DatabaseError ? `: ${error.message}` : '';
  return new OperatorFault(`Postgres at ${placeOf(url)} cannot be used${reason}. Check DATABASE_URL.`, {
    cause: error,
  });
}

/** A fault that waiting does not mend: a wrong user, password or database. Undefined for anything else. */
export function permanentFault(error: unknown, url: string): OperatorFault | undefined {
  return isPermanent(error) ? unusable(error, url) : undefined;
}

/** Postgres may start later than this process, as in a compose file: tries for a minute before it gives up. */
async function waitForDatabase(db: Db, url: string, shutdown: Shutdown): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  for (let isFirst = true; ; isFirst = false) {
    shutdown.signal.throwIfAborted();
    try {
      await pingPostgres(db);
      return;
    } catch (error) {
      if (isPermanent(error) || performance.now() > deadlineMs) {
        throw unusable(error, url);
      }
      if (isFirst) console.log(`Waiting for Postgres at ${placeOf(url)}.`);
      await sleep(RETRY_MS);
    }
  }
}

/**
 * Opens the connections to Postgres and Redis. Without Redis the start goes on with an error in the log, because visitors are redirected without it.
 *
 * @param name       the name that Postgres shows for each connection
 * @param isPatient  false: does not wait for Postgres, and waits for Redis only one second; true by default
 * @throws OperatorFault where a patient start gets no answer from Postgres within a minute
 */
export async function openRuntime(
  options: OpenOptions & { urls: ServiceUrls; name: string; isPatient?: boolean },
): Promise<Runtime> {
  const { config, log, shutdown, urls, isPatient = true } = options;
  // While stopping, the private Postgres may end before the last connection is closed: no person needs to look at that.
  const onError = (error: Error): void =>
    log[shutdown.signal.aborted ? 'debug' : 'warn']({ err: error }, 'a database connection broke');
  const db = createDb({ url: urls.databaseUrl, applicationName: `daihuo-${options.name}`, onError });
  shutdown.add('postgres pool', 2_000, async () => db.end());
  const redis = createRedis({ urls: urls.redisUrl, role: 'commands', log });
  shutdown.add('redis', 1_000, async () => closeRedis(redis));
  if (isPatient) await waitForDatabase(db, urls.databaseUrl, shutdown);
  if (!(await waitForRedis(redis, isPatient ? REDIS_WAIT_MS : IMPATIENT_REDIS_WAIT_MS)))
    log.error('redis does not answer; clicks go to the spool until it does');
  const secret = config.secret ?? (await keepSecret(config.home));
  return { config, log, shutdown, urls, db, redis, secret, keys: deriveKeys(secret, config.previousSecret) };
}

/** The addresses for `serve`, `redirect` and `worker`, which run beside existing services and start none. */
export function givenServices(config: Config, command: string): ServiceUrls {
  const { databaseUrl, redisUrl } = config;
  if (databaseUrl === undefined || redisUrl === undefined) {
    throw new OperatorFault(
      `'daihuo ${command}' needs DATABASE_URL and REDIS_URL; 'daihuo start' brings its own Postgres and Redis.`,
    );
  }
  return { databaseUrl, redisUrl };
}

/** A migration or a proof of the books reads whole tables. A person waits for it and can stop it. */
const COMMAND_STATEMENT_MS = 3_600_000;

/** A fault that an operator can correct, in one sentence; undefined for anything else. */
function databaseFault(error: unknown, url: string): OperatorFault | undefined {
  if (error instanceof DatabaseError) return permanentFault(error, url);
  if (!isDependencyDown(error)) return undefined;
  return new OperatorFault(`Postgres at ${placeOf(url)} does not answer. Check DATABASE_URL.`, { cause: error });
}

/**
 * Runs `work` on the database of the settings. Without DATABASE_URL it uses the private one: that of the daihuo that runs at the moment, else one
 * that it starts for this command.
 */
export async function withDatabase<T>(config: Config, env: Environment, work: (db: Db) => Promise<T>): Promise<T> {
  const running = config.databaseUrl === undefined ? await findRunningServices(config.home) : undefined;
  const url = config.databaseUrl ?? running?.databaseUrl;
  const own =
    url === undefined ? await startLocalServices({ home: config.home, env, print: console.error }) : undefined;
  const db = createDb({
    url: url ?? own?.databaseUrl ?? '',
    max: 2,
    applicationName: 'daihuo-command',
    statementTimeoutMs: COMMAND_STATEMENT_MS,
    onError: () => undefined,
  });
  try {
    return await work(db);
  } catch (error) {
    throw (url === undefined ? undefined : databaseFault(error, url)) ?? error;
  } finally {
    await db.end();
    await own?.stop();
  }
}
