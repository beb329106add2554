import { migrate } from '../infra/migrate.ts';
import { type BannerFacts, bannerText } from './banner.ts';
import type { Command } from './command.ts';
import { prepareDemo, rememberAddress } from './demo-data.ts';
import { openProcessMetrics } from './process-metrics.ts';
import { runHttp } from './run-http.ts';
import { openRuntime, openServices, runUntilStopped } from './runtime.ts';
import { openApp } from './serve.ts';
import { openWorker } from './worker.ts';

/** Everything in one process, on private servers where no address is given. */
export async function runStart({ config, env }: Command): Promise<number> {
  return runUntilStopped(config, async ({ log, shutdown }) => {
    const urls = await openServices({ config, env, log, shutdown });
    const runtime = await openRuntime({ config, log, shutdown, urls, name: 'start' });
    const { applied } = await migrate(runtime.db);
    if (applied.length > 0) log.info({ applied }, 'schema brought up to date');
    const metrics = await openProcessMetrics(runtime);
    let demo: BannerFacts['demo'];
    const { address } = await runHttp(
      runtime,
      async (own) => openApp(runtime, metrics, own),
      async (app) => {
        // Only a private database gets demo data.
        if (config.databaseUrl === undefined) demo = await prepareDemo(runtime, app);
      },
    );
    if (demo !== undefined) await rememberAddress(runtime, address);
    openWorker(runtime, metrics);
    console.log(bannerText({ address, demo }));
    console.log(`daihuo ready on ${address}`);
  });
}
