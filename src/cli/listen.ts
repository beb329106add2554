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

/** The address a person can open: a server on every interface is reached over the loopback. */
function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * Listens on the port of the settings, or without one on 3000 or the next that is free.
 *
 * @returns the address, without a trailing slash
 * @throws OperatorFault where the port was set and is taken, or cannot be used
 */
export async function listen(app: FastifyInstance, { host, port }: Pick<Config, 'host' | 'port'>): Promise<string> {
  const last = port ?? FIRST_PORT + PORTS_TRIED - 1;
  for (let candidate = port ?? FIRST_PORT; ; candidate += 1) {
    try {
      await app.listen({ host, port: candidate });
      const address = app.server.address();
      return addressOf(host, address === null || typeof address === 'string' ? candidate : address.port);
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE' || candidate >= last) throw faultFor(error, host, candidate);
    }
  }
}
