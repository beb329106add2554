import type { Command } from './command-line.ts';
import { openMeasures } from './process-metrics.ts';
import { openWorker } from './open-worker.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { givenServices, openRuntime } from './runtime.ts';
import { requireSchema } from './schema.ts';

/** The worker only. */
export async function runWorker({ config }: Command): Promise<number> {
  const urls = givenServices(config, 'worker');
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const runtime = await openRuntime({ config, log, shutdown, urls, name: 'worker' });
    await requireSchema(runtime);
    openWorker(runtime, await openMeasures(runtime));
    // Nothing else may hold the process: its connections come and go.
    const hold = setInterval(() => undefined, 60_000);
    shutdown.add('hold', 100, () => clearInterval(hold));
    console.log('daihuo worker ready');
  });
}
