import type { Server } from '../http/server.ts';
import { buildVisitorApp } from '../visitor-app.ts';
import type { Command } from './command.ts';
import { openVisitorParts } from './open-visitor-parts.ts';
import { openProcessMetrics } from './process-metrics.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import { reportReady, runHttp } from './run-http.ts';
import { runInProcesses } from './run-in-processes.ts';
import { givenServices, openRuntime, runUntilStopped } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { watchSchema } from './schema.ts';
import type { SchemaWatch } from './schema.ts';

/** Redirects only, in one process or several. It starts without Postgres and Redis too, and serves what it can. */
export async function runRedirect(command: Command): Promise<number> {
  const { config } = command;
  const urls = givenServices(config, 'redirect');
  return runInProcesses(command, async () =>
    runUntilStopped(config, async ({ log, shutdown }) => {
      const runtime = await openRuntime({ config, log, shutdown, urls, name: 'redirect', isPatient: false });
      const schema = await watchSchema(runtime);
      const metrics = await openProcessMetrics(runtime);
      const { address } = await runHttp(runtime, async (own) => openVisitorApp(runtime, { metrics, schema }, own));
      reportReady(address);
    }),
  );
}

/** The application of a process that serves visitors only, not yet listening. */
async function openVisitorApp(
  runtime: Runtime,
  { metrics, schema }: { metrics: ProcessMetrics; schema: SchemaWatch },
  address: () => string | undefined,
): Promise<Server> {
  return buildVisitorApp({
    ...(await openVisitorParts(runtime, metrics, address, schema)),
    schemaCheck: schema.check,
  });
}
