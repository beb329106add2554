import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/**
 * What a link does with the bytes on it. `muted`: questions arrive, answers are held back, as from a process that was stopped. `dark`:
 * nothing arrives anywhere and nothing is closed, as with a cable that was pulled. `refusing`: every connection ends, none is accepted.
 */
export type LinkMode =
  | { kind: 'passing' }
  | { kind: 'muted' }
  | { kind: 'dark' }
  | { kind: 'slow'; latencyMs: number; jitterMs: number }
  | { kind: 'narrow'; bytesPerSecond: number }
  | { kind: 'refusing' };

export interface TcpProxy {
  /** The target's URL with the proxy's port. */
  url: string;
  /** Holds for open connections and new ones. What was held back before flows on where its connection still stands. */
  set(mode: LinkMode): Promise<void>;
  /** Resets every connection (RST) and accepts new ones as before. @returns how many there were */
  reset(): number;
  /** `muted`, or `passing` again. */
  mute(isMuted: boolean): void;
  /** Ends every connection and accepts none, as a server that is not running. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

/** Bytes of one direction that may wait here; beyond that the sender's own system holds them. */
const MAX_HELD_BYTES = 1_000_000;
const PASSING: LinkMode = { kind: 'passing' };

/** One direction of one connection: keeps the order of bytes whatever the mode does to them. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #isAnswer: boolean;
  readonly #mode: () => LinkMode;
  #held: { bytes: Buffer; atMs: number }[] = [];
  #heldBytes = 0;
  /** When the last bytes leave: those behind them leave no earlier. */
  #lastAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ends: { from: Socket; to: Socket }, isAnswer: boolean, mode: () => LinkMode) {
    this.#from = ends.from;
    this.#to = ends.to;
    this.#isAnswer = isAnswer;
    this.#mode = mode;
    this.#from.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  /** Sends what is due; called again whenever the mode changes. */
  readonly send = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { kind } = this.#mode();
    if (kind === 'dark' || (kind === 'muted' && this.#isAnswer)) return;
    const isHurried = kind === 'passing' || kind === 'muted';
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      const waitMs = isHurried ? 0 : next.atMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(this.send, waitMs);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= next.bytes.length;
      if (!this.#to.destroyed) this.#to.write(next.bytes);
    }
    this.#from.resume();
  };

  end(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  #take(bytes: Buffer): void {
    this.#held.push({ bytes, atMs: this.#dueAtMs(bytes) });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#from.pause();
    if (this.#timer === undefined) this.send();
  }

  #dueAtMs(bytes: Buffer): number {
    const mode = this.#mode();
    const nowMs = performance.now();
    if (mode.kind === 'slow')
      this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + mode.latencyMs + Math.random() * mode.jitterMs);
    else if (mode.kind === 'narrow')
      this.#lastAtMs = Math.max(this.#lastAtMs, nowMs) + (bytes.length / mode.bytesPerSecond) * 1_000;
    else return nowMs;
    return this.#lastAtMs;
  }
}

interface Connection {
  sockets: [Socket, Socket];
  flows: [Flow, Flow];
}

/** Every connection through the proxy, and what becomes of them. */
class Connections {
  readonly #open = new Set<Connection>();
  readonly #mode: () => LinkMode;

  constructor(mode: () => LinkMode) {
    this.#mode = mode;
  }

  join(client: Socket, upstream: Socket): void {
    const question = new Flow({ from: client, to: upstream }, false, this.#mode);
    const answer = new Flow({ from: upstream, to: client }, true, this.#mode);
    const connection: Connection = { sockets: [client, upstream], flows: [question, answer] };
    this.#open.add(connection);
    for (const socket of connection.sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#end(connection));
    }
  }

  modeChanged(): void {
    for (const connection of this.#open) {
      for (const flow of connection.flows) flow.send();
      // In the dark one end does not learn that the other is gone.
      if (connection.sockets.some(({ destroyed }) => destroyed)) this.#end(connection);
    }
  }

  reset(): number {
    const count = this.#open.size;
    for (const { sockets } of this.#open) for (const socket of sockets) socket.resetAndDestroy();
    return count;
  }

  destroy(): void {
    for (const { sockets } of this.#open) for (const socket of sockets) socket.destroy();
  }

  #end(connection: Connection): void {
    const { sockets, flows } = connection;
    if (this.#mode().kind === 'dark' && sockets.some(({ destroyed }) => !destroyed)) return;
    for (const flow of flows) flow.end();
    for (const socket of sockets) socket.destroy();
    this.#open.delete(connection);
  }
}

/** Stands between a client and a real server. */
export async function createTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  let mode = PASSING;
  let server: Server | undefined;
  const connections = new Connections(() => mode);
  const listen = async (at: number): Promise<number> => {
    const listening = createServer((client) => connections.join(client, connect(Number(port), hostname)));
    server = listening;
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject);
      listening.listen(at, '127.0.0.1', resolve);
    });
    return (listening.address() as AddressInfo).port;
  };
  const close = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    connections.destroy();
    if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
  };
  const url = new URL(target);
  url.port = String(await listen(0));
  const set = async (next: LinkMode): Promise<void> => {
    mode = next;
    connections.modeChanged();
    if (next.kind === 'refusing') await close();
    else if (server === undefined) await listen(Number(url.port));
  };
  return {
    url: url.href,
    set,
    reset: () => connections.reset(),
    mute: (isMuted) => {
      mode = isMuted ? { kind: 'muted' } : PASSING;
      connections.modeChanged();
    },
    cut: async () => set({ kind: 'refusing' }),
    heal: async () => set(PASSING),
  };
}
