import type { Check } from '../http/health.ts';
import { pendingMigrations } from '../infra/migrate.ts';
import { OperatorFault } from '../infra/failures.ts';
import { sleep } from '../infra/retry.ts';
import { permanentFault } from './runtime.ts';
import type { Runtime } from './runtime.ts';

/** A start waits this long for Postgres before it goes on without it. */
const START_WAIT_MS = 2_000;
const LOOK_AGAIN_MS = 1_000;

/** Refuses to start on a schema that is older than the program, because the first query would fail. */
export async function requireSchema({ db }: Pick<Runtime, 'db'>): Promise<void> {
  const pending = await pendingMigrations(db);
  if (pending.length > 0) {
    throw new OperatorFault(`The database lacks ${pending.join(', ')}. Run 'daihuo migrate' first.`);
  }
}

/** The state of the schema, for a process that may start before Postgres answers. */
export interface SchemaWatch {
  isCurrent(): boolean;
  /** Well from the moment when the schema was seen to be current, for ever: migrations only go forward. */
  check: Check;
  /** Runs `work` when the schema is seen to be current, and logs its error. */
  whenCurrent(work: () => Promise<void>): void;
}

/** A fault that waiting does not mend: an old schema, or wrong settings. */
function lastingFault(error: unknown, { urls }: Pick<Runtime, 'urls'>): OperatorFault | undefined {
  return error instanceof OperatorFault ? error : permanentFault(error, urls.databaseUrl);
}

/** Resolves when the schema was seen to be current, or the process stops. */
async function lookUntilCurrent(runtime: Runtime): Promise<void> {
  const { log, shutdown } = runtime;
  for (let lastFault = ''; ; await sleep(LOOK_AGAIN_MS, shutdown.signal)) {
    if (shutdown.signal.aborted) return;
    try {
      await requireSchema(runtime);
      log.info('postgres is there, and its schema is current');
      return;
    } catch (error) {
      // A process that has already started cannot refuse to start, so the fault stands in its log and in /readyz.
      const fault = lastingFault(error, runtime);
      if (fault !== undefined && fault.message !== lastFault) log.error({ err: fault }, 'the database cannot be used');
      lastFault = fault?.message ?? '';
    }
  }
}

/**
 * Checks the schema. Where Postgres is down, it checks again every second until the schema is current or the process stops.
 *
 * @throws OperatorFault where Postgres answers and the schema is too old, or the settings are wrong
 */
export async function watchSchema(runtime: Runtime): Promise<SchemaWatch> {
  const { log, shutdown } = runtime;
  let isCurrent = false;
  try {
    const looked = requireSchema(runtime).then(() => true);
    // Attach a handler now, so that Node reports no unhandled rejection if the check fails after the wait.
    looked.catch(() => undefined);
    isCurrent = await Promise.race([looked, sleep(START_WAIT_MS, shutdown.signal).then(() => false)]);
  } catch (error) {
    const fault = lastingFault(error, runtime);
    if (fault !== undefined) throw fault;
  }
  if (!isCurrent) log.error('postgres does not answer; redis and cached links serve until it does');
  const seen = isCurrent ? Promise.resolve() : lookUntilCurrent(runtime);
  void seen.then(() => (isCurrent = !shutdown.signal.aborted));
  return {
    isCurrent: () => isCurrent,
    check: async () => {
      if (!isCurrent) throw new Error('the schema was not seen yet');
    },
    whenCurrent: (work) => {
      void seen
        .then(async () => (shutdown.signal.aborted ? undefined : work()))
        .catch((error: unknown) => log.warn({ err: error }, 'a task that waited for postgres failed'));
    },
  };
}
