import { Server as TcpServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Server } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Connections still busy this long after the server stopped listening are cut. */
const DROP_AFTER_MS = 3_500;
const SWEEP_MS = 100;
/** A connection that has sent nothing yet may stay this long; browsers open some that they never use. */
const SILENT_MS = 1_000;
/** Maximum number of turns of the event loop for accepting waiting connections, one a turn, before the server stops listening. */
const MAX_TURNS = 2_000;
const QUIET_TURNS = 3;
/** A client that connects while the last turn reads other sockets is reset, so the last turns must be nearly empty. */
const SHORT_TURN_MS = 0.1;

export interface HttpDrain {
  /**
   * From now on every answer has `Connection: close`, while the server still listens and answers. So each client changes to another process by
   * itself, and at a moment when none of its requests is under way.
   */
  announce(): void;
  /** Stops listening, answers what was accepted, and closes. Resolves when the last connection is closed. */
  close(): Promise<void>;
}

/**
 * Stops an HTTP server without losing a request. Call it before the server listens.
 *
 * A server cannot close an idle connection safely: the client may be sending its next request at that moment, and would get a reset. So the
 * clients end the connections in use, after an answer with `Connection: close`. The server itself closes only connections that carried nothing
 * between `announce` and `close`, directly after it read everything that had arrived. Node and Fastify would also close connections that were
 * accepted a moment ago, and refuse those that wait to be accepted (libuv accepts one a turn).
 *
 * @param options.dropAfterMs  connections still busy after this are cut; 3,500 ms by default
 */
export function drainHttp(
  app: { close(): Promise<unknown> },
  server: Server,
  options?: { dropAfterMs?: number },
): HttpDrain {
  const connectedAtMs = new Map<Socket, number>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    connectedAtMs.set(socket, performance.now());
    socket.once('close', () => connectedAtMs.delete(socket));
  });

  const acceptWaiting = async (): Promise<void> => {
    // The first turn may end before sockets are looked at, so it takes more than one without a connection to know that none waits.
    for (let turn = 0, quiet = 0; quiet < QUIET_TURNS && turn < MAX_TURNS; turn += 1) {
      const before = accepted;
      const beganAtMs = performance.now();
      await nextTurn();
      const isQuiet = accepted === before && performance.now() - beganAtMs < SHORT_TURN_MS;
      quiet = isQuiet ? quiet + 1 : 0;
    }
  };
  const stopListening = async (): Promise<void> =>
    new Promise((resolve) => {
      // Not `close` of the HTTP server, which ends every connection without a request. An error means that the server never listened.
      TcpServer.prototype.close.call(server, () => resolve());
    });
  const isSpeakingSoon = (): boolean =>
    [...connectedAtMs].some(([socket, atMs]) => socket.bytesRead === 0 && performance.now() - atMs < SILENT_MS);
  const closeUnused = (): void => {
    if (!isSpeakingSoon()) server.closeIdleConnections();
  };

  return {
    announce: () => {
      server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
    },
    close: async () => {
      await acceptWaiting();
      // `setImmediate` runs directly after the sockets were read, so a connection whose request has arrived is not idle any more.
      const sweep = setInterval(() => setImmediate(closeUnused), SWEEP_MS);
      const drop = setTimeout(() => server.closeAllConnections(), options?.dropAfterMs ?? DROP_AFTER_MS);
      try {
        const closed = stopListening();
        setImmediate(closeUnused);
        await closed;
      } finally {
        clearInterval(sweep);
        clearTimeout(drop);
        await app.close();
      }
    },
  };
}
