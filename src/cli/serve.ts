import type { Command } from './command-line.ts';
import { openMeasures } from './process-metrics.ts';
import { openApp } from './open-app.ts';
import { reportReady } from './report-ready.ts';
import { runInProcesses } from './run-in-processes.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { givenServices, openRuntime } from './runtime.ts';
import { requireSchema } from './schema.ts';
import { runHttp } from './server.ts';

/** The HTTP server only, in one process or several. */
export async function runServe(command: Command): Promise<number> {
  const { config } = command;
  const urls = givenServices(config, 'serve');
  return runInProcesses(command, async () =>
    runUntilStopped(config, async ({ log, shutdown }) => {
      const runtime = await openRuntime({ config, log, shutdown, urls, name: 'serve' });
      await requireSchema(runtime);
      const measures = await openMeasures(runtime);
      const { address } = await runHttp(runtime, async (own) => openApp(runtime, measures, own));
      reportReady(address);
    }),
  );
}
