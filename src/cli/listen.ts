import { once } from 'node:events';
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../infra/config.ts';
import { OperatorFault } from '../infra/operator-fault.ts';

const FIRST_PORT = 3_000;
const PORTS_TRIED = 100;

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

/** The address a person can open, without a trailing slash: a server on every interface is reached over the loopback. */
export function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

type Place = Pick<Config, 'host' | 'port'>;

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

/**
 * Listens on the port of the settings, or without one on 3000 or the next that is free.
 *
 * @returns the address, without a trailing slash
 * @throws OperatorFault where the port was set and is taken, or cannot be used
 */
export async function listen(app: FastifyInstance, place: Place): Promise<string> {
  const { host } = place;
  const taken = await takePort(place, async (port) => {
    await app.listen({ host, port });
    const address = app.server.address();
    return address === null || typeof address === 'string' ? port : address.port;
  });
  return addressOf(host, taken);
}

/**
 * The port that `listen` would take, for several processes that must share one. It is free at the moment; nothing holds it.
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
