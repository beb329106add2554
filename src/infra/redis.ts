import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { Logger } from 'pino';

import { backoffMs } from './retry.ts';
import { countRunningTimeInIoredis } from './ioredis-timeouts.ts';

countRunningTimeInIoredis();

export type RedisClient = Redis | Cluster;

/** Maximum of `BLOCK` in a blocking read (`XREADGROUP`). The limits of the blocking connection follow from it. */
export const MAX_BLOCK_MS = 2_000;

// Measured as a set (a stopped Redis, cut connections): without any one of these, promises hang for ever, writes are repeated, or memory grows.
// A command fails at once while there is no connection, after 150 ms without an answer, and with the connection after 500 ms of silence. No
// command is sent twice. A command that failed may still have been carried out.
const COMMANDS = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 150,
  socketTimeout: 500,
  connectTimeout: 500,
} satisfies RedisOptions;

// A blocking read is silent by nature, so its limits lie above twice the longest wait; the read itself is bounded by its BLOCK argument
// plus the grace, because Redis may answer later than the argument says.
const BLOCKING = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  blockingTimeout: 2 * MAX_BLOCK_MS + 500,
  blockingTimeoutGrace: MAX_BLOCK_MS + 500,
  socketTimeout: 2 * MAX_BLOCK_MS + 1_000,
  connectTimeout: 1_000,
} satisfies RedisOptions;

/** A connection that does not report its end within this counts as closed. */
const CLOSE_TIMEOUT_MS = 500;

/** Reconnects after 50, 100, 200, 400, 800, then every 1,000 ms: a Redis that is back is used within a second. */
function reconnectDelayMs(attempt: number): number {
  return backoffMs(attempt, { firstMs: 50, longestMs: 1_000 });
}

/** Logs one line for an outage of Redis, not one for each failed attempt. */
function logOutages(client: RedisClient, role: string, log: Logger): void {
  let isDown = false;
  client.on('error', (error: Error) => {
    if (isDown) return;
    isDown = true;
    log.warn({ err: error, role }, 'redis is away');
  });
  client.on('ready', () => {
    if (isDown) log.info({ role }, 'redis is back');
    isDown = false;
  });
}

/**
 * A connection to Redis, or to a cluster where several addresses are given. It connects by itself and never stops trying.
 *
 * @param options.urls  `redis://` or `rediss://`, comma-separated for a cluster (user, password and TLS are read from the first)
 * @param options.role  `commands`: fails fast, never repeats; `blocking`: for reads that wait up to `MAX_BLOCK_MS`, nothing else
 */
export function createRedis(options: { urls: string; role: 'commands' | 'blocking'; log: Logger }): RedisClient {
  const urls = options.urls.split(',');
  const shared = { ...(options.role === 'commands' ? COMMANDS : BLOCKING), connectionName: `daihuo-${options.role}` };
  const [first = ''] = urls;
  const client =
    urls.length === 1 ? new Redis(first, { ...shared, retryStrategy: reconnectDelayMs }) : createCluster(urls, shared);
  logOutages(client, options.role, options.log);
  return client;
}

function createCluster(urls: string[], shared: typeof COMMANDS | typeof BLOCKING): Cluster {
  const nodes = urls.map((url) => new URL(url));
  const [first] = nodes;
  const options = {
    enableOfflineQueue: false,
    clusterRetryStrategy: reconnectDelayMs,
    redisOptions: {
      ...shared,
      ...(first?.username ? { username: decodeURIComponent(first.username) } : {}),
      ...(first?.password ? { password: decodeURIComponent(first.password) } : {}),
      ...(first?.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  } satisfies ClusterOptions;
  return new Cluster(
    nodes.map((node) => ({ host: node.hostname, port: Number(node.port || 6379) })),
    options,
  );
}

/**
 * Waits for a connection that takes commands; without an offline queue they fail until then.
 *
 * @returns false where there was none within `timeoutMs`; the client goes on trying
 */
export async function waitForRedis(client: RedisClient, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true;
  return new Promise((resolve) => {
    const finish = (isReady: boolean): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      resolve(isReady);
    };
    const onReady = (): void => finish(true);
    const timer = setTimeout(finish, timeoutMs, false);
    client.on('ready', onReady);
  });
}

/** Closes the connection: with QUIT where there is one, at once where there is none. Resolves when it is closed. */
export async function closeRedis(client: RedisClient): Promise<void> {
  const ended = Promise.withResolvers<void>();
  client.once('end', ended.resolve);
  try {
    if (client.status === 'ready') await client.quit();
  } catch {
    // The connection broke during QUIT; `disconnect` ends the attempts to connect again.
  }
  client.disconnect();
  if (client.status !== 'end') await Promise.race([ended.promise, sleep(CLOSE_TIMEOUT_MS)]);
}
