import type { Command } from './command-line.ts';
import { openMeasures } from './process-metrics.ts';
import { openVisitorApp } from './open-visitor-app.ts';
import { reportReady } from './report-ready.ts';
import { runInProcesses } from './run-in-processes.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { givenServices, openRuntime } from './runtime.ts';
import { watchSchema } from './schema.ts';
import { runHttp } from './server.ts';

/** Redirects only, in one process or several. It starts whatever is away, and serves what it can. */
export async function runRedirect(command: Command): Promise<number> {
  const { config } = command;
  const urls = givenServices(config, 'redirect');
  return runInProcesses(command, async () =>
    runUntilStopped(config, async ({ log, shutdown }) => {
      const runtime = await openRuntime({ config, log, shutdown, urls, name: 'redirect', isPatient: false });
      const schema = await watchSchema(runtime);
      const measures = await openMeasures(runtime);
      const { address } = await runHttp(runtime, async (own) => openVisitorApp(runtime, measures, own, schema));
      reportReady(address);
    }),
  );
}
