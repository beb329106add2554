import type { Queryable } from '../infra/db.ts';
import { loggableError } from './error-handler.ts';
import { pingPostgres } from './queries.ts';
import type { Server } from './server.ts';

/** Checks one dependency of the service. Resolves when it is well, throws when it is not. */
export type Check = () => Promise<void>;

export interface HealthDeps {
  /** Dependencies without which the process must get no requests. By name, as shown in the answer: postgres, migrations. */
  needed: Readonly<Record<string, Check>>;
  /** Dependencies that it works without for a while, so that an outage of one does not take every process out of the load balancer. */
  spare: Readonly<Record<string, Check>>;
  /** True once the process is stopping: a load balancer must send no new requests. */
  isDraining: () => boolean;
  /** A check that takes longer has failed; 2,000 ms by default. */
  checkTimeoutMs?: number;
}

const CHECK_TIMEOUT_MS = 2000;
/** The address is public, so the checks run at most once in this time, however many requests come. */
const REUSE_MS = 1000;

type CheckResult = 'ok' | 'failed';

/**
 * `/healthz`: the process answers. `/readyz`: it can do its work and is not stopping: 200 `ready`, or `degraded` where a spare dependency is
 * down; 503 `unavailable`, or `draining` from the moment of the stop signal.
 */
export async function healthRoutes(app: Server, deps: HealthDeps): Promise<void> {
  const timeoutMs = deps.checkTimeoutMs ?? CHECK_TIMEOUT_MS;
  const allChecks = { ...deps.needed, ...deps.spare };
  let latest: { atMs: number; results: Promise<Record<string, CheckResult>> } | undefined;

  const running = new Map<string, Promise<void>>();

  // A check that still hangs is awaited again and not started again, or probes would take every connection to a silent Postgres.
  const begin = async (name: string, check: Check): Promise<void> => {
    const begun = running.get(name) ?? check().finally(() => running.delete(name));
    running.set(name, begun);
    return begun;
  };
  const runOne = async (name: string, check: Check): Promise<[string, CheckResult]> => {
    try {
      await withinTime(begin(name, check), timeoutMs);
      return [name, 'ok'];
    } catch (error) {
      app.log.warn({ error: loggableError(error), check: name }, 'a readiness check failed');
      return [name, 'failed'];
    }
  };
  const runAll = async (): Promise<Record<string, CheckResult>> =>
    Object.fromEntries(await Promise.all(Object.entries(allChecks).map(([name, check]) => runOne(name, check))));
  const results = (): Promise<Record<string, CheckResult>> => {
    const nowMs = performance.now();
    if (latest === undefined || nowMs - latest.atMs >= REUSE_MS) latest = { atMs: nowMs, results: runAll() };
    return latest.results;
  };

  app.route({
    method: 'GET',
    url: '/healthz',
    schema: { hide: true },
    handler: async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  });
  app.route({
    method: 'GET',
    url: '/readyz',
    schema: { hide: true },
    handler: async (_request, reply) => {
      void reply.header('cache-control', 'no-store');
      // Answered at once, without the checks, which may have to wait.
      if (deps.isDraining()) return reply.code(503).send({ status: 'draining', checks: {} });
      const checks = await results();
      const status = statusOf(checks, Object.keys(deps.needed));
      return reply.code(status === 'unavailable' ? 503 : 200).send({ status, checks });
    },
  });
}

function statusOf(
  checks: Record<string, CheckResult>,
  needed: readonly string[],
): 'ready' | 'degraded' | 'unavailable' {
  if (needed.some((name) => checks[name] !== 'ok')) return 'unavailable';
  return Object.values(checks).every((result) => result === 'ok') ? 'ready' : 'degraded';
}

async function withinTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(new Error(`no answer within ${timeoutMs} ms`));
    // One poll of the sockets first: after a stop of this process the timer is due before the answer has been read.
    timer = setTimeout(() => setImmediate(fail), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function postgresCheck(db: Queryable): Check {
  return async () => {
    await pingPostgres(db);
  };
}

export function redisCheck(redis: { ping: () => Promise<unknown> }): Check {
  return async () => {
    await redis.ping();
  };
}

/** Well when the database has every migration that this version needs. @param pending  names of the missing ones (`pendingMigrations`) */
export function migrationsCheck(pending: () => Promise<readonly string[]>): Check {
  return async () => {
    const missing = await pending();
    if (missing.length > 0) throw new Error(`the database lacks ${missing.join(', ')}: run "daihuo migrate"`);
  };
}
