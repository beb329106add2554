import { Client } from 'pg';
import type { Logger } from 'pino';

import { jitteredBackoffMs, sleep } from '../infra/retry.ts';
import { listenToLinkChanges, pingPostgres } from './resolve-queries.ts';

export interface LinkChanges {
  /** A link has this version now; undefined where the message does not say. */
  linkChanged(linkId: string, version: number | undefined): void;
  codeAdded(code: string): void;
  /** What a brand or the operator wants for all links without a way of their own. */
  wishesChanged(): void;
  /** True from the moment no change can be missed, false when the connection is lost. */
  told(isTold: boolean): void;
}

/** After a failed attempt: 100, 200, 400, 800, 1,600, then every 2,000 ms, each times 0.5 to 1, so that processes do not come all at once. */
const RETRY = { firstMs: 100, longestMs: 2_000 };
/** A line that went silent is noticed within these two together. */
const PING_EVERY_MS = 500;
const PING_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const END_TIMEOUT_MS = 300;

const LINK_MESSAGE = /^(lnk_[a-z0-9_]+)(?: (\d{1,15}))?$/;
const CODE_PREFIX = 'code:';
const WISHES_MESSAGE = 'landing_modes';

function deliver(payload: string, changes: LinkChanges): void {
  if (payload === WISHES_MESSAGE) {
    changes.wishesChanged();
    return;
  }
  if (payload.startsWith(CODE_PREFIX)) {
    changes.codeAdded(payload.slice(CODE_PREFIX.length));
    return;
  }
  const [, linkId, version] = LINK_MESSAGE.exec(payload) ?? [];
  if (linkId !== undefined) changes.linkChanged(linkId, version === undefined ? undefined : Number(version));
}

/** Ends a connection that may be dead: politely for a moment, then for good. */
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
  // A rejection that nobody awaits yet must not end the process.
  broken.promise.catch(() => undefined);
  signal.addEventListener('abort', () => broken.reject(new Error('stopped')), { once: true });
  client.on('error', (error) => broken.reject(error));
  client.on('end', () => broken.reject(new Error('the connection ended')));
  client.on('notification', ({ payload }) => deliver(payload ?? '', changes));
  try {
    await Promise.race([client.connect(), broken.promise]);
    await Promise.race([listenToLinkChanges(client), broken.promise]);
    changes.told(true);
    for (;;) {
      await Promise.race([sleep(PING_EVERY_MS, signal), broken.promise]);
      await Promise.race([pingPostgres(client), broken.promise]);
    }
  } finally {
    changes.told(false);
    await endClient(client);
  }
}

/**
 * Passes on what Postgres announces on the channel `links_changed`, over a connection of its own that is made again whenever it breaks.
 *
 * @returns ends the connection; resolves when it is closed
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
        told: (isTold) => {
          if (isTold && failures > 0) options.log.info('changes of links are heard again');
          if (isTold) hasListened = true;
          options.changes.told(isTold);
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
