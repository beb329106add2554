import type { Server } from '../http/server.ts';
import { drainHttp } from '../infra/drain-http.ts';
import { listen } from './listen.ts';
import type { Runtime } from './runtime.ts';

const HTTP_STOP_MS = 6_000;

export interface RunningHttp {
  app: Server;
  /** Without a trailing slash. */
  address: string;
}

/**
 * Serves HTTP until the shutdown: from its first moment on every answer asks for a new connection, and the last one is given after
 * SHUTDOWN_GRACE_MS at the earliest.
 *
 * @param open     makes the application; the address is known only when it listens
 * @param prepare  runs on the finished application before anybody else can reach it
 */
export async function runHttp(
  { config, shutdown }: Pick<Runtime, 'config' | 'shutdown'>,
  open: (address: () => string | undefined) => Promise<Server>,
  prepare: (app: Server) => Promise<void> = async () => {},
): Promise<RunningHttp> {
  let address: string | undefined;
  const app = await open(() => address);
  const drain = drainHttp(app, app.server);
  shutdown.add('http', HTTP_STOP_MS, async () => drain.close());
  await app.ready();
  await prepare(app);
  address = await listen(app, config);
  shutdown.signal.addEventListener('abort', () => drain.announce(), { once: true });
  shutdown.waitAfterSigterm(config.shutdownGraceMs);
  return { app, address };
}
