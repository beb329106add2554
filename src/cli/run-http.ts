/** An application on its port: from the first attempt to listen to the last answer. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Server } from '../http/server.ts';
import type { Config } from '../infra/config.ts';
import { drainHttp } from '../infra/drain-http.ts';
import { OperatorFault } from '../infra/failures.ts';
import { READY_MESSAGE } from './process-pool.ts';
import type { Runtime } from './runtime.ts';

const HTTP_STOP_MS = 6_000;
const FIRST_PORT = 3_000;
const PORTS_TRIED = 100;

export interface RunningHttp {
  app: Server;
  /** Without a trailing slash. */
  address: string;
}

/**
 * Serves HTTP until the shutdown. From the first moment of the shutdown every answer asks for a new connection; the last answer is given after
 * SHUTDOWN_GRACE_MS at the earliest.
 *
 * @param open     makes the application; the address is known only when it listens
 * @param prepare  runs on the finished application before any request can reach it
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

/** Reports that requests are answered at `address`: on standard output, or, from one of several processes, to the process that forked it. */
export function reportReady(address: string): void {
  if (cluster.isWorker) process.send?.(READY_MESSAGE);
  else console.log(`daihuo ready on ${address}`);
}

type Place = Pick<Config, 'host' | 'port'>;

/**
 * Listens on the port of the settings, or without one on 3000 or the next free port.
 *
 * @returns the address, without a trailing slash
 * @throws OperatorFault where the port was set and is taken, or cannot be used
 */
async function listen(app: FastifyInstance, place: Place): Promise<string> {
  const { host } = place;
  const taken = await takePort(place, async (port) => {
    await app.listen({ host, port });
    const address = app.server.address();
    return address === null || typeof address === 'string' ? port : address.port;
  });
  return addressOf(host, taken);
}

/**
 * The port that `listen` would take, for several processes that must share one. It is free at this moment; nothing holds it.
 *
 * @throws OperatorFault as `listen` does
 */
export async function findPort(place: Place): Promise<number> {
  return takePort(place, async (port) => {
    const server = createServer().listen({ host: place.host, port });
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    return address === null || typeof address === 'string' ? port : address.port;
  });
}

/** Tries the port of the settings, or without one 3000 and the next ones until one is free. */
async function takePort({ host, port }: Place, take: (candidate: number) => Promise<number>): Promise<number> {
  const last = port ?? FIRST_PORT + PORTS_TRIED - 1;
  for (let candidate = port ?? FIRST_PORT; ; candidate += 1) {
    try {
      return await take(candidate);
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE' || candidate >= last) throw faultFor(error, host, candidate);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function faultFor(error: unknown, host: string, port: number): unknown {
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} on ${host} is taken by another program. Stop that, or set PORT to another one.`,
    EACCES: `This user may not listen on port ${port}. Set PORT to one above 1023.`,
    EADDRNOTAVAIL: `This machine has no address ${host}. Set HOST to one it has, such as 127.0.0.1.`,
    ENOTFOUND: `The host name ${host} is not known. Set HOST to an address of this machine, such as 127.0.0.1.`,
  };
  const sentence = reasons[codeOf(error)];
  return sentence === undefined ? error : new OperatorFault(sentence, { cause: error });
}

/** The address that a person can open, without a trailing slash: a server on every interface is reached over the loopback. */
export function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
