import { buildApp } from '../app.ts';
import type { Server } from '../http/server.ts';
import type { Command } from './command.ts';
import { openVisitorParts } from './open-visitor-parts.ts';
import { openProcessMetrics } from './process-metrics.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import { reportReady, runHttp } from './run-http.ts';
import { runInProcesses } from './run-in-processes.ts';
import { givenServices, openRuntime, readVersion, runUntilStopped } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { requireSchema } from './schema.ts';

/** The HTTP server only, in one process or several. */
export async function runServe(command: Command): Promise<number> {
  const { config } = command;
  const urls = givenServices(config, 'serve');
  return runInProcesses(command, async () =>
    runUntilStopped(config, async ({ log, shutdown }) => {
      const runtime = await openRuntime({ config, log, shutdown, urls, name: 'serve' });
      await requireSchema(runtime);
      const metrics = await openProcessMetrics(runtime);
      const { address } = await runHttp(runtime, async (own) => openApp(runtime, metrics, own));
      reportReady(address);
    }),
  );
}

/** The whole HTTP application, not yet listening. */
export async function openApp(
  runtime: Runtime,
  metrics: ProcessMetrics,
  address: () => string | undefined,
): Promise<Server> {
  const { config } = runtime;
  return buildApp({
    ...(await openVisitorParts(runtime, metrics, address)),
    eligibilityRule: { minStars: config.minStoreRating, minAgeDays: config.minStoreAgeDays },
    inferenceDelaySeconds: config.inferenceDelaySeconds,
    version: readVersion(),
  });
}
