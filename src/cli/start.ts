import { migrate } from '../infra/migrate.ts';
import { type BannerFacts, bannerText } from './banner.ts';
import type { Command } from './command-line.ts';
import { prepareDemo, rememberAddress } from './demo-data.ts';
import { openMeasures } from './process-metrics.ts';
import { openApp } from './open-app.ts';
import { openWorker } from './open-worker.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { openRuntime, openServices } from './runtime.ts';
import { runHttp } from './server.ts';

/** Everything in one process, on private servers where no address is given. */
export async function runStart({ config, env }: Command): Promise<number> {
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const urls = await openServices({ config, env, log, shutdown });
    const runtime = await openRuntime({ config, log, shutdown, urls, name: 'start' });
    const { applied } = await migrate(runtime.db);
    if (applied.length > 0) log.info({ applied }, 'schema brought up to date');
    const measures = await openMeasures(runtime);
    let demo: BannerFacts['demo'];
    const { address } = await runHttp(
      runtime,
      async (own) => openApp(runtime, measures, own),
      async (app) => {
        // Demo data only ever goes into the private database.
        if (config.databaseUrl === undefined) demo = await prepareDemo(runtime, app);
      },
    );
    if (demo !== undefined) await rememberAddress(runtime, address);
    openWorker(runtime, measures);
    console.log(bannerText({ address, demo }));
    console.log(`daihuo ready on ${address}`);
  });
}
