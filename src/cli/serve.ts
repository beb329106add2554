import { pendingMigrations } from '../infra/migrate.ts';
import { OperatorFault } from '../infra/operator-fault.ts';
import type { Command } from './command-line.ts';
import { openMeasures } from './parts.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { givenServices, openRuntime } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { runHttp } from './server.ts';

/** A process that would meet a schema older than itself does not start: it would fail at its first query instead. */
export async function requireSchema({ db }: Pick<Runtime, 'db'>): Promise<void> {
  const pending = await pendingMigrations(db);
  if (pending.length > 0) {
    throw new OperatorFault(`The database lacks ${pending.join(', ')}. Run 'daihuo migrate' first.`);
  }
}

/** The HTTP server only. */
export async function runServe({ config }: Command): Promise<number> {
  const urls = givenServices(config, 'serve');
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const runtime = await openRuntime({ config, log, shutdown, urls, name: 'serve' });
    await requireSchema(runtime);
    const { address } = await runHttp(runtime, await openMeasures(runtime));
    console.log(`daihuo ready on ${address}`);
  });
}
