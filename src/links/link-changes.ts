import { Client } from 'pg';
import type { Logger } from 'pino';

import { jitteredBackoffMs, sleep } from '../infra/retry.ts';
import { listenToLinkChanges, pingPostgres } from './link-facts-queries.ts';

export interface LinkChanges {
  /** A link has this version now; undefined where the message does not say. */
  linkChanged(linkId: string, version: number | undefined): void;
  codeAdded(code: string): void;
  /** True from the moment at which no change can be missed, false when the connection is lost. */
  listening(isListening: boolean): void;
}

/** After a failed attempt: 100, 200, 400, 800, 1,600, then every 2,000 ms, each times 0.5 to 1, so that processes do not reconnect at once. */
const RETRY = { firstMs: 100, longestMs: 2_000 };
/** The two together limit how long a dead connection stays unnoticed. */
const PING_EVERY_MS = 500;
const PING_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const END_TIMEOUT_MS = 300;

const LINK_MESSAGE = /^(lnk_[a-z0-9_]+)(?: (\d{1,15}))?$/;
const CODE_PREFIX = 'code:';

/** Passes a message on. Messages of another program version that this one does not know are ignored. */
function deliver(payload: string, changes: LinkChanges): void {
  if (payload.startsWith(CODE_PREFIX)) {
    changes.codeAdded(payload.slice(CODE_PREFIX.length));
    return;
  }
  const [, linkId, version] = LINK_MESSAGE.exec(payload) ?? [];
  if (linkId !== undefined) changes.linkChanged(linkId, version === undefined ? undefined : Number(version));
}

/** Closes a connection that may be dead; after 0.3 s without waiting for the server. */
async function endClient(client: Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  await Promise.race([ended, sleep(END_TIMEOUT_MS, new AbortController().signal)]);
}

/** Listens on one connection until it breaks or `signal` fires, then rejects. */
async function listenOnce(databaseUrl: string, changes: LinkChanges, signal: AbortSignal): Promise<never> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: 'daihuo-links',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: PING_TIMEOUT_MS,
    keepAlive: true,
  });
  const broken = Promise.withResolvers<never>();
  // Attach a handler now, so that Node reports no unhandled rejection; the error surfaces in the races below.
  broken.promise.catch(() => undefined);
  signal.addEventListener('abort', () => broken.reject(new Error('stopped')), { once: true });
  client.on('error', (error) => broken.reject(error));
  client.on('end', () => broken.reject(new Error('the connection ended')));
  client.on('notification', ({ payload }) => deliver(payload ?? '', changes));
  try {
    await Promise.race([client.connect(), broken.promise]);
    await Promise.race([listenToLinkChanges(client), broken.promise]);
    changes.listening(true);
    for (;;) {
      await Promise.race([sleep(PING_EVERY_MS, signal), broken.promise]);
      await Promise.race([pingPostgres(client), broken.promise]);
    }
  } finally {
    changes.listening(false);
    await endClient(client);
  }
}

/**
 * Passes on what Postgres announces on the channel `links_changed`, over a connection of its own that is opened again whenever it breaks.
 *
 * @returns closes the connection; resolves when it is closed
 */
export function followLinkChanges(options: {
  databaseUrl: string;
  changes: LinkChanges;
  log: Logger;
}): () => Promise<void> {
  const stopped = new AbortController();
  const follow = async (): Promise<void> => {
    let failures = 0;
    while (!stopped.signal.aborted) {
      let hasListened = false;
      const changes: LinkChanges = {
        ...options.changes,
        listening: (isListening) => {
          if (isListening && failures > 0) options.log.info('changes of links are heard again');
          if (isListening) hasListened = true;
          options.changes.listening(isListening);
        },
      };
      try {
        await listenOnce(options.databaseUrl, changes, stopped.signal);
      } catch (error) {
        if (stopped.signal.aborted) return;
        failures = hasListened ? 1 : failures + 1;
        if (failures === 1)
          options.log.warn({ err: error }, 'changes of links are not heard; links are looked up every second');
        await sleep(jitteredBackoffMs(failures, RETRY), stopped.signal);
      }
    }
  };
  const following = follow();
  return async () => {
    stopped.abort();
    await following;
  };
}
