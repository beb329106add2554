import type { Server } from '../http/server.ts';
import { closeHttp } from '../infra/shutdown.ts';
import { listen } from './listen.ts';
import { type Measures, openApp } from './parts.ts';
import type { Runtime } from './runtime.ts';

const HTTP_STOP_MS = 6_000;

export interface RunningHttp {
  app: Server;
  /** Without a trailing slash. */
  address: string;
}

/**
 * Serves HTTP until the shutdown.
 *
 * @param prepare  runs on the finished application before anybody else can reach it
 */
export async function runHttp(
  runtime: Runtime,
  measures: Measures,
  prepare: (app: Server) => Promise<void> = async () => {},
): Promise<RunningHttp> {
  let address: string | undefined;
  const app = await openApp(runtime, measures, () => address);
  runtime.shutdown.add('http', HTTP_STOP_MS, async () => closeHttp(app, app.server));
  await app.ready();
  await prepare(app);
  address = await listen(app, runtime.config);
  return { app, address };
}
