import { Server as TcpServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Server } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Connections still busy this long after the server stopped listening are cut. */
const DROP_AFTER_MS = 3_500;
const SWEEP_MS = 100;
/** A connection that has sent nothing yet is given this long; browsers make some that they never use. */
const SILENT_MS = 1_000;
/** Turns of the event loop that may be spent on taking connections that wait, one a turn, before the server stops listening. */
const MAX_TURNS = 2_000;
const QUIET_TURNS = 3;
/** Who connects while the last turn reads other sockets is reset, so the last turns must have had next to nothing to do. */
const SHORT_TURN_MS = 0.1;

export interface HttpDrain {
  /**
   * From now on every answer says `Connection: close`, while the server goes on listening and answering: clients change to another process by
   * themselves, none of them while a request of theirs is under way.
   */
  announce(): void;
  /** Stops listening, answers what was accepted, and closes. Resolves when the last connection is closed. */
  close(): Promise<void>;
}

/**
 * Lets an HTTP server go without losing a request. Call it before the server listens.
 *
 * What TCP does not allow is to close an idle connection safely: the client may be sending its next request at that moment, and gets a reset
 * for it. So connections in use are ended by their clients, who were told in an answer; the server closes only those that carried nothing
 * between `announce` and `close`, and those right after all that had arrived was read. Node and Fastify would close on the way those that
 * were accepted a moment ago, and refuse those that wait to be (libuv accepts one a turn).
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
      // Not its own `close`, which ends whatever has no request at the moment. An error says that it never listened.
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
      // Right behind the reading of sockets in a turn of the event loop: nobody is idle whose request has arrived.
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
