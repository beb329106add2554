import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface TcpProxy {
  /** The target's URL with the proxy's port. */
  url: string;
  /** `mute`: questions pass, answers are swallowed, as from a process that was stopped. */
  mute(isMuted: boolean): void;
  /** Ends every connection and accepts none, as a server that is not running. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

/** Stands between a client and a real server. */
export async function createTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isMuted = false;
  let server: Server | undefined;
  const accept = (client: Socket): void => {
    const upstream = connect(Number(port), hostname);
    client.pipe(upstream);
    upstream.on('data', (answer: Buffer) => {
      if (!isMuted) client.write(answer);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        for (const each of [client, upstream]) each.destroy();
      });
    }
  };
  const listen = async (at: number): Promise<number> => {
    const listening = createServer(accept);
    server = listening;
    await new Promise<void>((resolve) => {
      listening.listen(at, '127.0.0.1', resolve);
    });
    return (listening.address() as AddressInfo).port;
  };
  const url = new URL(target);
  url.port = String(await listen(0));
  return {
    url: url.href,
    mute: (on) => {
      isMuted = on;
    },
    cut: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        if (server === undefined) resolve(undefined);
        else server.close(resolve);
      });
    },
    heal: async () => {
      await listen(Number(url.port));
    },
  };
}
